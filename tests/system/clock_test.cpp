// The wall clock of every program of a lab jumps to and fro, by days: what goes by time goes on as if nothing
// had happened, and only what is written down for people follows the clock.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>

#include "logs/database.h"
#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

constexpr int64_t day = 24 * 3600;

/// Seconds by which programs started with `launcher()` have their wall clock off.
class WallClock {
 public:
  explicit WallClock(std::filesystem::path file) : file_(std::move(file)) {
    const int handle = ::open(file_.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (handle < 0 || ::ftruncate(handle, sizeof(int64_t)) != 0) return;
    void* place = ::mmap(nullptr, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, handle, 0);
    ::close(handle);
    if (place != MAP_FAILED) seconds_ = static_cast<int64_t*>(place);
  }
  ~WallClock() {
    if (seconds_ != nullptr) ::munmap(seconds_, sizeof(int64_t));
  }
  bool works() const { return seconds_ != nullptr; }
  void set(int64_t seconds) { std::atomic_ref(*seconds_).store(seconds); }
  Launcher launcher() const {
    return with_environment({"LD_PRELOAD=" HONE_PRELOADED_CLOCK, "HONE_TEST_CLOCK=" + file_.string()});
  }

 private:
  std::filesystem::path file_;
  int64_t* seconds_ = nullptr;
};

class Clock : public Rig {};

TEST_F(Clock, ThatJumpsByDaysToAndFroDisturbsNoLeaseNoLimitAndNoRecord) {
  WallClock clock(scratch_ / "clock");
  ASSERT_TRUE(clock.works());
  auto server = scheduler({}, clock.launcher());
  // Measurements of some 200 ms: with all jumps done the job is not over, even if each came a second late.
  auto rack = boards("seed 3\ntime_ns 10000000 20000000\npace 1\n", 3, "boards", clock.launcher());
  Running tuner("hone-tuner", {"--scheduler", endpoint()}, scratch_, clock.launcher());
  // A limit on the job's time that any jump would exceed.
  Running client(
      "hone",
      {"tune", tiny_model(), "--scheduler", endpoint(), "--trials", "150", "--more", "--time-limit", "10m"},
      scratch_, clock.launcher(), "client");
  int jumps = 0;
  for (const int64_t offset : {day, -day, 400 * day, -3 * day, int64_t{0}}) {
    const size_t before = records().size();
    ASSERT_TRUE(wait_until(scratch_.path(), client, [&] { return records().size() >= before + 8; }))
        << "after " << jumps << " jumps: " << scheduler_said() << text_of(scratch_ / "client.err");
    clock.set(offset);
    ++jumps;
  }
  const Finished finished = client.finish();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  expect_no_board_was_blamed();  // no lease went by the wall clock
  const Finished shown = hone({"jobs", "list", "--scheduler", endpoint()}, scratch_);
  EXPECT_THAT(shown.out, testing::HasSubstr("Completed")) << shown.err;
  EXPECT_THAT(shown.out, testing::Not(testing::HasSubstr("-"))) << "a negative time";
  expect_sound(*server);
  // The stamps say what the clock said, each record's of its own moment: the jumps have really happened.
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database);
  const int64_t now = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  std::set<int64_t> offsets;
  for (const Record& record : database->records())
    for (const int64_t offset : {int64_t{0}, day, -day, 400 * day, -3 * day})
      if (std::abs(record.from.unix_ms - now - offset * 1000) < 3600 * 1000) offsets.insert(offset);
  EXPECT_EQ(offsets, (std::set<int64_t>{0, day, -day, 400 * day, -3 * day}));
}

TEST_F(Clock, ThatJumpsWhileNobodyListensLeavesTheJobAsOldAsItWas) {
  WallClock clock(scratch_ / "clock");
  ASSERT_TRUE(clock.works());
  auto server = scheduler({}, clock.launcher());
  auto rack = boards("seed 3\ntime_ns 1000000 2000000\npace 1\n", 2);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  wire::JobRequest job = request(1000000);
  job.limit_seconds = 600;
  client.submit(job);
  ASSERT_TRUE(client.until([&] { return client.job() != 0 && records().size() >= 40; }));
  for (const int64_t offset : {2 * day, -2 * day}) {
    server->signal(SIGKILL);
    server->finish();
    clock.set(offset);
    server = scheduler({}, clock.launcher());
    client.reconnect();
    const size_t before = records().size();
    ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= before + 20; }))
        << scheduler_said();
  }
  client.stop();
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Stopped") << client.event().reason;
  EXPECT_GE(client.event().seconds, 0);
  EXPECT_LT(client.event().seconds, 600);
  expect_sound(*server);
}

}  // namespace
}  // namespace hone::testing_system
