// A lab in which things go wrong, with the real programs: boards that reboot, fall silent, stand still or are
// gone, a scheduler that was stopped, candidates that misbehave.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>

#include "logs/database.h"
#include "tests/system/rig.h"
#include "tests/support/dense_by_hand_task.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using testing::Contains;
using testing::HasSubstr;

class Faults : public Rig {
 protected:
  /// Bytes of no protocol, some after a right greeting.
  void throw_garbage(int seed) {
    const int file = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, (scratch_ / "socket").c_str(), sizeof address.sun_path - 1);
    std::string bytes = "\xff" + std::string(8, '\0') + "\x7f\x03" + std::string(1, '\0') + "NULL";
    bytes.resize(64);
    if (seed % 2 != 0) bytes = "GET / HTTP/1.1\r\n\r\n";
    for (int i = 0; i < 200; ++i) bytes += static_cast<char>((seed * 7919 + i * 104729) >> 3);
    if (::connect(file, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0)
      (void)!::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::close(file);
  }
};

TEST_F(Faults, ALabOfFaultyBoardsAndStrangersCompletesWithOneRecordPerMeasurement) {
  auto server = scheduler(soon_lost_);
  auto rack = boards(
      "seed 3\ntime_ns 100000 1000000\npace 1\nfault crashed 0.05\nspeed 0.5 2\n"
      "often 0.4 reboot 150\noften 0.4 silent 250\noften 0.3 frozen 600\nat 300 slow 1.2\n",
      12);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(600));
  int strangers = 0;
  ASSERT_TRUE(client.until([&] {
    throw_garbage(strangers++);
    return client.event().state == "Completed" || client.event().state == "Failed";
  }));
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  rack->signal(SIGTERM);
  const Finished lab = rack->finish();
  EXPECT_EQ(lab.exit_code, 0) << lab.err;
  EXPECT_THAT(lab.out, HasSubstr("12 boards: "));
  EXPECT_THAT(lab.out, Not(HasSubstr(" 0 faults"))) << "nothing went wrong: the test shows nothing";
  expect_sound(*server);
}

TEST_F(Faults, AJobWaitsWhileAllBoardsAreGoneAndGoesOnWhenTheyAreBack) {
  auto server = scheduler(soon_lost_);
  const std::string script = "seed 3\ntime_ns 1000000 2000000\npace 1\n";
  auto rack = boards(script, 4);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(1000000));
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= 40; }));
  rack->signal(SIGKILL);
  EXPECT_EQ(rack->finish().exit_code, 128 + SIGKILL);
  ASSERT_TRUE(
      client.until([&] { return client.event().boards == 0 && client.event().state == "InProgress"; }));
  rack = boards(script, 4);
  const uint64_t before = client.event().trials;
  ASSERT_TRUE(client.until([&] { return client.event().trials >= before + 40; })) << scheduler_said();
  client.stop();
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Stopped") << client.event().reason;
  expect_sound(*server);
}

TEST_F(Faults, AStoppedRunnerLosesItsWorkAndItsLateResultsCountOnce) {
  auto server = scheduler(soon_lost_);
  const std::string script = "time_ns 3000000 6000000\npace 1\n";
  auto first = boards("seed 3\n" + script, 1, "first"), second = boards("seed 4\n" + script, 1, "second");
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(250));
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= 30; }));
  first->signal(SIGSTOP);
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "lost first")) << text_of(scratch_ / "hone-scheduler.err");
  const size_t before = records().size();
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= before + 20; }))
      << "the other board does not get the work";
  first->signal(SIGCONT);
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 250u);
  expect_sound(*server);
}

TEST_F(Faults, ASchedulerThatStoodStillBlamesNobody) {
  auto server = scheduler({"--loss-ms", "2500", "--lease-ms", "2500"});
  auto rack = boards("seed 3\ntime_ns 1000000 2000000\npace 1\n", 8);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(1000000));
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= 20; }));
  server->signal(SIGSTOP);
  const TimePoint later = in(milliseconds(4000));  // longer than the loss time: the fault is the time itself
  ASSERT_TRUE(client.until([&] { return std::chrono::steady_clock::now() >= later; }));
  server->signal(SIGCONT);
  const size_t before = records().size();
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= before + 40; }))
      << scheduler_said();
  expect_no_board_was_blamed();
  ASSERT_TRUE(client.until([&] { return client.job() != 0; }));
  client.stop();
  ASSERT_TRUE(client.ended());
  expect_sound(*server);
}

TEST_F(Faults, AThrottledBoardsTimesAreNotKeptAndAnotherGoesOnWithItsWork) {
  auto server = scheduler();
  const std::string script = "seed 3\ntime_ns 1000000 2000000\npace 1\n";
  auto cool = boards(script, 1, "cool"), hot = boards(script + "at 5000 slow 4\n", 1, "hot");
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(100000));
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "board hot/1 is Good")) << scheduler_said();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "board hot/1 is Bad: it is slower than it was"))
      << scheduler_said();
  const size_t before = records().size();
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= before + 40; }))
      << scheduler_said();
  ASSERT_TRUE(client.until([&] { return client.job() != 0; }));
  client.stop();
  ASSERT_TRUE(client.ended());
  EXPECT_THAT(scheduler_said(), Not(HasSubstr("board cool/1 is Bad")));
  expect_sound(*server);
  const auto log = LogDatabase::open(scratch_ / "log.h5");
  ASSERT_TRUE(log);
  for (const Record& record : log->records())
    if (record.measurement.status == MeasureStatus::ok) {
      EXPECT_LT(record.measurement.median_ns, 3e6) << "a throttled board's time was kept";
    }
}

TEST_F(Faults, CandidatesThatMisbehaveEndInAStatusAndTheNextIsMeasured) {
  const std::filesystem::path fixtures = std::string(HONE_BINARY_DIR) + "/tests/unit/devices";
  const std::vector<std::string> names = {"good", "segfault", "illegal", "endless",   "sigterm", "bomb",
                                          "fork", "output",   "socket",  "recursion", "nan",     "slow"};
  auto server = scheduler({"--run-ms", "4000"});
  Running runner("hone-runner", {"--scheduler", endpoint(), "--name", "board"}, scratch_);
  auto file = [&](const std::string& name) { return bytes_of(text_of(fixtures / (name + ".so"))); };
  FakeTuner tuner(endpoint(), [&](const wire::Round&, uint64_t trial) {
    return std::pair(file(names[trial % names.size()]), file("reference"));
  });
  Client client(endpoint());
  wire::JobRequest job = request(names.size());
  job.parts[0].tasks.resize(1);
  job.parts[0].tasks[0].task = dense_by_hand;
  client.submit(job);
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_TRUE(runner.running());
  expect_sound(*server);
  using enum MeasureStatus;
  const std::map<std::string, std::set<MeasureStatus>> expected = {
      {"good", {ok, raced_out}},
      {"slow", {ok, raced_out}},
      {"segfault", {crashed}},
      {"illegal", {crashed}},
      {"sigterm", {crashed}},
      {"fork", {crashed}},
      {"output", {crashed}},
      {"socket", {crashed}},
      {"recursion", {crashed}},
      {"endless", {run_timeout}},
      {"nan", {wrong_answer}},
      {"bomb", {crashed, out_of_memory, run_timeout}},  // until its memory or its time is used up
  };
  std::map<std::string, std::set<MeasureStatus>> found;
  const auto log = LogDatabase::open(scratch_ / "log.h5");
  ASSERT_TRUE(log);
  for (const Record& record : log->records()) {
    const std::string& name = names[record.from.trial % names.size()];
    found[name].insert(record.measurement.status);
    EXPECT_TRUE(expected.at(name).contains(record.measurement.status))
        << name << ": " << to_text(record.measurement.status) << ": " << record.measurement.message;
  }
  EXPECT_EQ(found.size(), names.size());
}

}  // namespace
}  // namespace hone::testing_system
