// Disks that fail under a real scheduler: full, with I/O errors, slow, without room for compaction. Nothing
// is acknowledged meanwhile, the job and `hone status` say so, no board is blamed, and all goes on
// afterwards.
#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "logs/database.h"
#include "tests/system/rig.h"
#include "tests/system/small_disk.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

const char* const strace = "/usr/bin/strace";
constexpr const char* script = "seed 3\ntime_ns 1000000 2000000\npace 1\n";

class Disk : public Rig {
 protected:
  /// Leases that a fault of some seconds outlasts, and a board that was not let run for one does not lose.
  static constexpr milliseconds lease{3000}, fault{4000};
  std::vector<std::string> arguments(const std::filesystem::path& log) const {
    return scheduler_arguments({"--lease-ms", std::to_string(lease.count()), "--log", log});
  }
  /// Before the tuner begins: then each of three boards and the witness gets some of the job's first work.
  void submit_to_all_boards(Client& client, uint64_t trials) {
    client.submit(request(trials));
    ASSERT_TRUE(client.until([&] { return client.event().boards == 4; })) << scheduler_said();
  }
  void expect_acknowledged_is_kept(const Witness& witness, const std::filesystem::path& log) {
    const std::set<Digest> kept = records_of(log);
    for (const Digest& id : witness.acknowledged()) EXPECT_TRUE(kept.contains(id)) << "acknowledged and lost";
  }
  void expect_sound_log(const std::filesystem::path& log) {
    const auto database = LogDatabase::open(log);
    ASSERT_TRUE(database) << database.error().text();
    EXPECT_THAT(database->verify(), testing::IsEmpty());
    EXPECT_EQ(records_of(log).size(), database->records().size()) << "something is there twice";
  }
};

TEST_F(Disk, ThatIsFullStopsAcknowledgementsAndNothingElseUntilThereIsRoom) {
  SmallDisk disk(scratch_ / "disk", 4u << 20);
  if (!disk.works()) GTEST_SKIP() << "mount namespaces are not allowed here";
  const std::filesystem::path log = scratch_ / "disk" / "log.h5";
  auto server = std::make_unique<Running>("hone-scheduler", arguments(log), scratch_);
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "listens on")) << scheduler_said();
  disk.fill(128u << 10);  // room for a part of the job: it is full in its middle, whoever is slow
  auto rack = boards(script, 3);
  Witness witness(endpoint(), script);
  Client client(endpoint());
  submit_to_all_boards(client, 300);
  FakeTuner tuner(endpoint());
  ASSERT_TRUE(client.until([&] { return client.event().trouble.find("No space left") != std::string::npos; }))
      << scheduler_said();
  EXPECT_THAT(client.event().trouble, HasSubstr("nothing is acknowledged: "));
  EXPECT_THAT(status()["trouble"].get<std::string>(), HasSubstr("No space left"));
  const std::set<Digest> written = records_of(log);
  EXPECT_GE(written.size(), 10u);
  EXPECT_LT(written.size(), 290u);
  const TimePoint later = in(fault);  // the fault is the time itself
  ASSERT_TRUE(client.until([&] { return std::chrono::steady_clock::now() >= later; }));
  EXPECT_THAT(status()["trouble"].get<std::string>(), HasSubstr("No space left"));
  // Some acknowledgements of what was written before may have come only now.
  for (const Digest& id : witness.acknowledged())
    EXPECT_TRUE(written.contains(id)) << "acknowledged while the disk was full";
  expect_no_board_was_blamed();

  // Killed and started anew on the full disk, it still waits for room.
  server->signal(SIGKILL);
  server->finish();
  server = std::make_unique<Running>("hone-scheduler", arguments(log), scratch_);
  client.reconnect();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "nothing is acknowledged")) << scheduler_said();
  expect_acknowledged_is_kept(witness, log);
  disk.make_room();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "the log can be written again")) << scheduler_said();
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 300u);
  EXPECT_EQ(status()["trouble"], "");
  server->signal(SIGTERM);
  const Finished finished = server->finish();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  expect_acknowledged_is_kept(witness, log);
  EXPECT_FALSE(witness.acknowledged().empty());
  expect_sound_log(log);
}

/// What strace does to the scheduler's system calls, and what is said of it.
struct Injected {
  const char* name;
  std::string what;     ///< of strace's -e inject=
  std::string trouble;  ///< of the job meanwhile
  friend std::ostream& operator<<(std::ostream& out, const Injected& it) { return out << it.what; }
};

class FailingDisk : public Disk, public testing::WithParamInterface<Injected> {};

TEST_P(FailingDisk, IsWaitedForAndNothingIsLostOrDoubledOrBlamed) {
  if (!std::filesystem::exists(strace)) GTEST_SKIP() << "strace is not there";
  // Only the journals' calls: strace counts each thread's by themselves, and others write the compacted file.
  Running server(
      "hone-scheduler", arguments(log()), scratch_,
      {strace, "-f", "-qq", "-o", "/dev/null", "-P", log().string() + ".journal", "-P",
       log().string() + ".jobs", "-e", "trace=openat,pwrite64,fdatasync", "-e", "inject=" + GetParam().what});
  auto rack = boards(script, 3);
  Witness witness(endpoint(), script);
  Client client(endpoint());
  submit_to_all_boards(client, 300);
  FakeTuner tuner(endpoint());
  bool troubled = false;
  ASSERT_TRUE(client.until([&] {
    troubled = troubled || client.event().trouble.find(GetParam().trouble) != std::string::npos;
    return client.event().state == "Completed" || client.event().state == "Failed";
  })) << scheduler_said();
  EXPECT_TRUE(troubled) << "the fault was not seen: " << scheduler_said();
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 300u);
  EXPECT_EQ(client.event().trouble, "");
  expect_no_board_was_blamed();
  EXPECT_THAT(scheduler_said(), HasSubstr("the log can be written again"));
  expect_acknowledged_is_kept(witness, log());
  EXPECT_FALSE(witness.acknowledged().empty());
  expect_sound(server, server.child("hone-scheduler"));
}

// Each retry is one call, 100 ms after the last: the fault lasts for longer than a lease. The job makes more
// calls than come before it, however late each is: a board holds three of its trials at most.
INSTANTIATE_TEST_SUITE_P(
    Faults, FailingDisk,
    testing::Values(Injected{"WriteError", "pwrite64:error=EIO:when=12..52", "Input/output error"},
                    Injected{"NoSpace", "pwrite64:error=ENOSPC:when=12..52", "No space left on device"},
                    Injected{"SyncError", "fdatasync:error=EIO:when=12..52", "Input/output error"},
                    Injected{"SlowSync", "fdatasync:delay_enter=6000000:when=12", "writing for"}),
    [](const auto& injected) { return injected.param.name; });

TEST_F(Disk, WithoutRoomForCompactionKeepsTheJournalSaysSoOnceAndCompactsLater) {
  if (!std::filesystem::exists(strace)) GTEST_SKIP() << "strace is not there";
  // Only what touches the compacted file before it is renamed fails.
  Running server("hone-scheduler", scheduler_arguments(), scratch_,
                 {strace, "-f", "-qq", "-o", "/dev/null", "-P", log().string() + ".new", "-e",
                  "trace=openat,write,pwrite64", "-e", "inject=pwrite64,write:error=ENOSPC"});
  auto rack = boards(script, 3);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(60));
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  ASSERT_TRUE(said(server, "hone-scheduler.err", "the log was not compacted")) << scheduler_said();
  const size_t kept = records().size();
  EXPECT_GE(kept, 60u);
  // It goes on to take work, from its journal, and does not try in a circle.
  Client second(endpoint());
  wire::JobRequest more = request(120);
  more.more = true;
  second.submit(more);
  ASSERT_TRUE(second.ended());
  EXPECT_EQ(second.event().state, "Completed") << second.event().reason;
  EXPECT_EQ(count(scheduler_said(), "the log was not compacted"), 1u) << scheduler_said();
  ::kill(server.child("hone-scheduler"), SIGTERM);
  EXPECT_EQ(server.finish().exit_code, 2) << "it cannot leave a log behind that is compacted";
  EXPECT_GE(records().size(), kept);
  auto again = scheduler();
  ASSERT_TRUE(said(*again, "hone-scheduler.err", "listens on"));
  expect_sound(*again);
  EXPECT_GE(records().size(), 120u);
}

}  // namespace
}  // namespace hone::testing_system
