// A stop that is asked for in the middle of everything that can be under way or have gone wrong: the job ends
// as Stopped in bounded time, what was acknowledged stays, and the lab takes the next job.
#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <optional>

#include "tests/system/rig.h"
#include "tests/system/small_disk.h"
#include "tests/support/dense_by_hand_task.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;

/// A tuner that takes rounds, says that it works on them, and builds nothing.
class IdleTuner {
 public:
  explicit IdleTuner(std::string endpoint) : endpoint_(std::move(endpoint)), thread_([this] { work(); }) {}
  ~IdleTuner() {
    stop_.notify();
    thread_.join();
  }
  bool holds_a_round() const { return holds_; }

 private:
  void work() {
    auto peer = Peer::connect(endpoint_);
    wire::Hello hello;
    hello.role = wire::Role::tuner;
    hello.name = "idle";
    hello.capacity = 2;
    (void)peer->send(hello);
    wire::WorkerState state;
    const int fds[] = {stop_.fd()};
    while (peer->wait(in(milliseconds(50)), fds).ready.empty()) {
      while (auto received = peer->receive())
        if (received->message)
          if (const auto* want = std::get_if<wire::Want>(&*received->message)) state.leases = want->leases;
      holds_ = !state.leases.empty();
      (void)peer->send(state);
    }
  }
  std::string endpoint_;
  std::atomic<bool> holds_{false};
  WakeUp stop_;
  std::thread thread_;
};

constexpr const char* quick = "seed 3\ntime_ns 100000 200000\n";
/// Measurements of about a second.
constexpr const char* slow = "seed 3\ntime_ns 100000000 100000000\nsamples 10\npace 1\n";

/// What is there when the stop is asked for; `stop_while` returns once it is so.
class Stop : public Rig {
 protected:
  void SetUp() override {
    server_ = scheduler({"--run-ms", "8000", "--finalists", "2", "--repetitions", "1", "--loss-ms", "2000"});
  }
  /// A job of its client, in the state.
  void submit(uint64_t trials, const std::string& state) {
    client_.emplace(endpoint());
    wire::JobRequest job = request(trials);
    job.parts[0].tasks.resize(1);
    job.parts[0].tasks[0].task = dense_by_hand;
    client_->submit(job);
    ASSERT_TRUE(client_->until([&] { return client_->job() != 0 && client_->event().state == state; }))
        << scheduler_said();
  }
  /// Stops the job: Stopped long before the 28 seconds that a measurement may take, and holds nothing then.
  void stop(milliseconds patience = milliseconds(15000)) {
    const TimePoint asked = in(milliseconds(0));
    client_->stop();
    ASSERT_TRUE(client_->until([&] { return client_->event().state == "Stopped"; })) << scheduler_said();
    EXPECT_LT(in(milliseconds(0)) - asked, patience);
    EXPECT_EQ(client_->event().reason, "stopped by a client");
    const Finished shown = hone({"boards", "--scheduler", endpoint()}, scratch_);
    EXPECT_THAT(shown.out, testing::Not(testing::HasSubstr("works for job"))) << shown.out;
  }
  /// A job that begins now is completed: nothing of the stopped one is in its way.
  void expect_the_next_job_to_complete() {
    Client next(endpoint());
    wire::JobRequest job = request(2);
    job.parts[0].tasks.erase(job.parts[0].tasks.begin(), job.parts[0].tasks.begin() + 2);
    job.parts[0].tasks[0].task = dense_by_hand;
    next.submit(job);
    ASSERT_TRUE(next.ended()) << scheduler_said();
    EXPECT_EQ(next.event().state, "Completed") << next.event().reason;
  }

  std::unique_ptr<Running> server_;
  std::optional<Client> client_;
};

TEST_F(Stop, WhileNobodyIsThereEndsAJobThatIsStarting) {
  submit(100, "Starting");
  stop();
  auto rack = boards(quick, 1);
  FakeTuner tuner(endpoint());
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

TEST_F(Stop, WhileThereIsNoTunerEndsAJobThatIsStarting) {
  auto rack = boards(quick, 1);
  submit(100, "Starting");
  ASSERT_TRUE(client_->until([&] { return client_->event().boards == 1; }));
  stop();
  FakeTuner tuner(endpoint());
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

TEST_F(Stop, WhileRoundsAreAtATunerTakesThemAway) {
  auto rack = boards(quick, 1);
  std::optional<IdleTuner> tuner(endpoint());
  submit(100, "InProgress");
  ASSERT_TRUE(wait_until(scratch_.path(), *server_, [&] { return tuner->holds_a_round(); }));
  stop();
  ASSERT_TRUE(wait_until(scratch_.path(), *server_, [&] { return !tuner->holds_a_round(); }));
  tuner.reset();
  FakeTuner working(endpoint());
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

TEST_F(Stop, WhileMeasurementsRunTakesThemAway) {
  auto rack = boards(slow, 2);
  FakeTuner tuner(endpoint());
  submit(100, "InProgress");
  ASSERT_TRUE(wait_until(scratch_.path(), *server_, [&] { return !records().empty(); }));
  stop();
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

TEST_F(Stop, WhileFinalsRunTakesThemAway) {
  auto rack = boards(slow, 1);
  FakeTuner tuner(endpoint());
  submit(2, "InProgress");
  ASSERT_TRUE(
      client_->until([&] { return client_->event().trials == 2 && client_->event().state == "InProgress"; }));
  stop();
  EXPECT_EQ(client_->event().trials, 2u);
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

/// A signal to the boards' process and whether it is told before it is found out.
struct AwayBoards {
  const char* name;
  int signal;
  bool is_known;
  friend std::ostream& operator<<(std::ostream& out, const AwayBoards& it) { return out << it.name; }
};
class StopWithout : public Stop, public testing::WithParamInterface<AwayBoards> {};

TEST_P(StopWithout, TheBoardEndsTheJobWithoutWaitingForIt) {
  auto rack = boards(slow, 1);
  FakeTuner tuner(endpoint());
  submit(100, "InProgress");
  ASSERT_TRUE(wait_until(scratch_.path(), *server_, [&] { return !records().empty(); }));
  rack->signal(GetParam().signal);
  if (GetParam().is_known) {
    ASSERT_TRUE(said(*server_, "hone-scheduler.err", "lost "));
  }
  stop();
  rack->signal(GetParam().signal == SIGSTOP ? SIGCONT : SIGKILL);
  std::unique_ptr<Running> another;
  if (GetParam().signal == SIGKILL) another = boards(quick, 1);
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

INSTANTIATE_TEST_SUITE_P(Faults, StopWithout,
                         testing::Values(AwayBoards{"Killed", SIGKILL, true},
                                         AwayBoards{"KilledJustNow", SIGKILL, false},
                                         AwayBoards{"StandingStill", SIGSTOP, true},
                                         AwayBoards{"StandingStillJustNow", SIGSTOP, false}),
                         [](const auto& away) { return away.param.name; });

TEST_F(Stop, WhileTheTunerIsGoneEndsTheJob) {
  auto rack = boards(slow, 1);
  std::optional<FakeTuner> tuner(endpoint());
  submit(100, "InProgress");
  tuner.reset();
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "lost fake"));
  stop();
  tuner.emplace(endpoint());
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

TEST_F(Stop, WhileABoardIsQuarantinedEndsTheJob) {
  auto rack = boards("seed 3\ntime_ns 1000000 2000000\npace 1\nat 5000 slow 3\n", 1);
  FakeTuner tuner(endpoint());
  submit(100000, "InProgress");
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "is Bad: it is slower")) << scheduler_said();
  stop();
  expect_sound(*server_);
}

/// The real sandbox, and a candidate that never returns: without the runner's cancelling it would hold its
/// board for ten minutes.
TEST_F(Stop, WhileACandidateHangsEndsTheJobAndFreesTheBoardAtOnce) {
  server_->signal(SIGKILL);
  server_->finish();
  server_ = scheduler({"--run-ms", "600000", "--finalists", "2", "--repetitions", "1"});
  const std::filesystem::path fixtures = std::string(HONE_BINARY_DIR) + "/tests/unit/devices";
  auto file = [&](const std::string& name) { return bytes_of(text_of(fixtures / (name + ".so"))); };
  Running runner("hone-runner", {"--scheduler", endpoint(), "--name", "board"}, scratch_);
  std::atomic<bool> hanging{true};
  FakeTuner tuner(endpoint(), [&](const wire::Round&, uint64_t) {
    return std::pair(file(hanging ? "endless" : "good"), file("reference"));
  });
  submit(100, "InProgress");
  ASSERT_TRUE(wait_until(scratch_.path(), *server_, [&] {
    return hone({"boards", "--scheduler", endpoint()}, scratch_).out.find("works for job") !=
           std::string::npos;
  }));
  stop();
  hanging = false;
  expect_the_next_job_to_complete();
  EXPECT_TRUE(runner.running());
  expect_sound(*server_);
}

TEST_F(Stop, IsKnownAfterARestartWheneverTheSchedulerIsKilled) {
  auto rack = boards(slow, 2);
  FakeTuner tuner(endpoint());
  submit(100, "InProgress");
  client_->stop();
  ASSERT_TRUE(client_->until([&] { return client_->event().state == "Stopped"; }));
  server_->signal(SIGKILL);
  server_->finish();
  server_ = scheduler();
  client_->reconnect();
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "listens on"));
  const Finished shown = hone({"jobs", "list", "--scheduler", endpoint()}, scratch_);
  EXPECT_THAT(shown.out, testing::HasSubstr("Stopped")) << shown.err;
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

/// Nobody can be told that a job has stopped before that is on the disk; its work is taken away at once.
TEST_F(Stop, WhileTheDiskFailsTakesItsWorkAwayAndEndsOnceItIsWritten) {
  SmallDisk disk(scratch_ / "disk", 16u << 20);
  if (!disk.works()) GTEST_SKIP() << "mount namespaces are not allowed here";
  server_->signal(SIGKILL);
  server_->finish();
  for (const char* journal : {"log.h5.journal", "log.h5.jobs"}) std::filesystem::remove(scratch_ / journal);
  std::filesystem::create_symlink("disk/log.h5", log());
  server_ = scheduler();
  auto rack = boards("seed 3\ntime_ns 1000000 2000000\npace 1\n", 2);
  FakeTuner tuner(endpoint());
  submit(1000000, "InProgress");
  disk.fill();
  ASSERT_TRUE(client_->until([&] { return !client_->event().trouble.empty(); })) << scheduler_said();
  client_->stop();
  ASSERT_TRUE(client_->until([&] { return client_->event().state == "Stopping"; })) << scheduler_said();
  EXPECT_THAT(client_->event().trouble, testing::HasSubstr("No space left"))
      << "the person sees why it lasts";
  const Finished shown = hone({"boards", "--scheduler", endpoint()}, scratch_);
  EXPECT_THAT(shown.out, testing::Not(testing::HasSubstr("works for job"))) << shown.out;
  disk.make_room();
  ASSERT_TRUE(client_->until([&] { return client_->event().state == "Stopped"; })) << scheduler_said();
  expect_the_next_job_to_complete();
  expect_sound(*server_);
}

}  // namespace
}  // namespace hone::testing_system
