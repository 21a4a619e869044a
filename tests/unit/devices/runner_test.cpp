// The runner's loop against a scheduler played by the test, on a simulated board.
#include "devices/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <thread>

#include "devices/simulated_device.h"

namespace hone {
namespace {

using testing::HasSubstr;

TimePoint soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

wire::Bytes bytes_of(const std::string& text) {
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class RunnerLoop : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hone-runner-test-XXXXXX";
    folder = ::mkdtemp(name);
    options.scheduler = "ipc://" + folder + "/hub";
    options.labels = {"rack=1"};
    hub.emplace(*Hub::bind(options.scheduler));
  }
  void TearDown() override {
    stop.notify();
    if (thread.joinable()) thread.join();
    std::filesystem::remove_all(folder);
  }
  void start() {
    thread = std::thread([this] { status = run_runner(options, device, stop.fd()); });
  }
  /// The next message of this kind; others are skipped.
  template <class T>
  T next() {
    for (;;) {
      auto got = hub->receive(soon());
      HONE_CHECK(got.has_value() && got->received.message.has_value());
      peer = got->peer;
      if (auto* message = std::get_if<T>(&*got->received.message)) return *message;
    }
  }
  void welcome() {
    next<wire::Hello>();
    ASSERT_TRUE(hub->send(peer, wire::Welcome{1, 1, 50, 1000}));
  }
  wire::MeasureRequest request(const std::string& artifact) {
    wire::MeasureRequest r;
    r.lease = {++last_lease, 1};
    r.id = digest_of("id " + artifact);
    r.artifact = digest_of(artifact);
    r.reference = digest_of("reference");
    return r;
  }
  void want(const std::vector<wire::MeasureRequest>& requests) {
    wire::Want want;
    for (auto& r : requests) want.leases.push_back(r.lease);
    want.measurements = requests;
    ASSERT_TRUE(hub->send(peer, want));
  }
  void serve(const std::string& text) {
    ASSERT_TRUE(hub->send(peer, wire::Blob{digest_of(text), true}, std::vector<wire::Bytes>{bytes_of(text)}));
  }

  std::string folder;
  RunnerOptions options;
  std::optional<Hub> hub;
  SimulatedDevice device{{}};
  WakeUp stop;
  std::thread thread;
  Status status;
  PeerId peer;
  uint64_t last_lease = 0;
};

TEST_F(RunnerLoop, SaysHelloWithItsBoardAndThenItsState) {
  start();
  auto hello = next<wire::Hello>();
  EXPECT_EQ(hello.role, wire::Role::runner);
  EXPECT_EQ(parse_board(hello.board)->model, "simulated");
  EXPECT_EQ(hello.labels, (std::vector<std::string>{"rack=1"}));
  ASSERT_TRUE(hub->send(peer, wire::Welcome{1, 1, 50, 1000}));
  EXPECT_TRUE(next<wire::WorkerState>().leases.empty());
}

TEST_F(RunnerLoop, MeasuresWhatItIsWantedTo) {
  start();
  welcome();
  auto r = request("hone-simulated 5000");
  want({r});
  next<wire::Fetch>();
  next<wire::Fetch>();
  serve("reference");
  serve("hone-simulated 5000");
  auto measured = next<wire::Measured>();
  EXPECT_EQ(measured.id, r.id);
  EXPECT_EQ(measured.lease, r.lease);
  EXPECT_EQ(measured.measurement.status, MeasureStatus::ok);
  EXPECT_GE(measured.measurement.samples_ns.size(), 5u);
}

TEST_F(RunnerLoop, SendsAnUncommittedResultAgainAfterTheSchedulerRestarts) {
  start();
  welcome();
  auto r = request("hone-simulated 5000");
  want({r});
  next<wire::Fetch>();
  next<wire::Fetch>();
  serve("reference");
  serve("hone-simulated 5000");
  next<wire::Measured>();
  hub.reset();
  hub.emplace(*Hub::bind(options.scheduler));
  welcome();
  EXPECT_EQ(next<wire::Measured>().id, r.id);
  ASSERT_TRUE(hub->send(peer, wire::Committed{{r.id}}));
  while (!next<wire::WorkerState>().leases.empty()) {
  }
}

TEST_F(RunnerLoop, SpeaksAtLeastEveryHeartbeat) {
  start();
  welcome();
  for (int i = 0; i < 3; ++i) next<wire::WorkerState>();
}

TEST_F(RunnerLoop, ASilentSchedulerGetsANewHelloFromANewSocket) {
  options.hello_timeout = std::chrono::milliseconds(50);
  start();
  next<wire::Hello>();
  PeerId first = peer;
  next<wire::Hello>();
  EXPECT_NE(peer, first);
}

TEST_F(RunnerLoop, AnswersAHealthCheckBeforeItMeasuresAndAgainIfTheAnswerWasLost) {
  start();
  welcome();
  const auto wanted = request("hone-simulated 100");
  wire::Want want;
  want.check = 7;
  want.check_ms = 1000;
  want.leases = {wanted.lease};
  want.measurements = {wanted};
  ASSERT_TRUE(hub->send(peer, want));
  const auto report = next<wire::HealthReport>();
  EXPECT_EQ(report.check, 7u);
  EXPECT_TRUE(report.ok);
  ASSERT_TRUE(hub->send(peer, want));
  EXPECT_EQ(next<wire::HealthReport>().check, 7u);
}

TEST_F(RunnerLoop, SaysInItsHelloThatItCanCheckAndWhichStartThisIs) {
  start();
  const auto hello = next<wire::Hello>();
  EXPECT_TRUE(hello.can_check);
  EXPECT_NE(hello.instance, 0u);
  EXPECT_EQ(hello.os, "simulated");
}

TEST_F(RunnerLoop, LeavesWhenItIsToldToStop) {
  start();
  welcome();
  next<wire::WorkerState>();
  wire::Want want;
  want.stopping = true;
  ASSERT_TRUE(hub->send(peer, want));
  thread.join();
  EXPECT_TRUE(status);
}

TEST_F(RunnerLoop, LeavesAtTheStopEvent) {
  start();
  welcome();
  stop.notify();
  thread.join();
  EXPECT_TRUE(status);
}

TEST_F(RunnerLoop, ARefusalEndsItWithTheReason) {
  start();
  next<wire::Hello>();
  ASSERT_TRUE(hub->send(peer, wire::Refuse{"protocol 9 is needed"}));
  thread.join();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().text(), HasSubstr("protocol 9 is needed"));
}

TEST_F(RunnerLoop, GivesUpOnASchedulerThatNeverComesIfTold) {
  hub.reset();
  options.give_up = std::chrono::milliseconds(100);
  start();
  thread.join();
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().text(), HasSubstr("no scheduler was heard for 100 ms"));
}

TEST_F(RunnerLoop, ABadEndpointIsAnError) {
  options.scheduler = "nowhere";
  EXPECT_THAT(run_runner(options, device, stop.fd()).error().text(), HasSubstr("is no endpoint"));
}

}  // namespace
}  // namespace hone
