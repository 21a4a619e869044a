// The real program hone-runner against a scheduler played by the test.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "codegen/base/target.h"
#include "measure/transport.h"
#include "tests/support/dense_by_hand_task.h"

extern char** environ;

namespace hone {
namespace {

using testing::HasSubstr;

constexpr const char* program = HONE_BINARY_DIR "/bin/hone-runner";

TimePoint soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(30); }

wire::Bytes fixture(const std::string& name) {
  std::ifstream file(std::string(HONE_FIXTURES) + "/" + name + ".so", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class RunnerProcess : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hone-runner-test-XXXXXX";
    folder = ::mkdtemp(name);
    endpoint = "ipc://" + folder + "/hub";
    hub.emplace(*Hub::bind(endpoint));
  }
  void TearDown() override {
    if (process > 0) {
      ::kill(process, SIGKILL);
      ::waitpid(process, nullptr, 0);
    }
    std::filesystem::remove_all(folder);
  }
  void start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 2, (folder + "/stderr").c_str(), O_WRONLY | O_CREAT, 0600);
    ASSERT_EQ(::posix_spawn(&process, program, &actions, nullptr, pointers.data(), environ), 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  int exit_code() {
    int fd = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
    pollfd event{fd, POLLIN, 0};
    EXPECT_EQ(::poll(&event, 1, 30000), 1) << "hone-runner does not end";
    ::close(fd);
    int status = 0;
    ::waitpid(process, &status, 0);
    process = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string errors() {
    std::ifstream file(folder + "/stderr");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  template <class T>
  T next() {
    for (;;) {
      auto got = hub->receive(soon());
      HONE_CHECK(got.has_value() && got->received.message.has_value());
      peer = got->peer;
      if (auto* fetch = std::get_if<wire::Fetch>(&*got->received.message)) serve(fetch->digest);
      if (auto* message = std::get_if<T>(&*got->received.message)) return *message;
    }
  }
  void serve(const Digest& digest) {
    for (const char* name : {"good", "reference", "segfault", "endless"})
      if (auto bytes = fixture(name); digest_of(bytes) == digest) {
        ASSERT_TRUE(hub->send(peer, wire::Blob{digest, true}, std::vector<wire::Bytes>{bytes}));
      }
  }
  void want(const std::vector<std::string>& names) {
    wire::Want want;
    for (const std::string& name : names) {
      wire::MeasureRequest r;
      r.lease = {++last_lease, 1};
      r.id = digest_of(name + std::to_string(last_lease));
      r.artifact = digest_of(fixture(name));
      r.reference = digest_of(fixture("reference"));
      r.task_key = dense_by_hand_key();
      r.seed = "search";
      r.run_ms = 20000;
      want.measurements.push_back(r);
      want.leases.push_back(r.lease);
    }
    ASSERT_TRUE(hub->send(peer, want));
  }
  void welcome() {
    next<wire::Hello>();
    ASSERT_TRUE(hub->send(peer, wire::Welcome{1, 1, 100, 1000}));
  }

  std::string folder, endpoint;
  std::optional<Hub> hub;
  pid_t process = -1;
  PeerId peer;
  uint64_t last_lease = 0;
};

TEST_F(RunnerProcess, MeasuresGoodAndBadArtifactsAndLeavesAtSigterm) {
  start({"--scheduler", endpoint, "--label", "rack=1"});
  welcome();
  want({"good", "segfault", "good"});
  std::vector<MeasureStatus> statuses;
  for (int i = 0; i < 3; ++i) statuses.push_back(next<wire::Measured>().measurement.status);
  EXPECT_THAT(statuses,
              testing::UnorderedElementsAre(MeasureStatus::ok, MeasureStatus::crashed, MeasureStatus::ok));
  ::kill(process, SIGTERM);
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(RunnerProcess, LeavesAtSigtermEvenWhileAnArtifactRunsForEver) {
  start({"--scheduler", endpoint});
  welcome();
  want({"good", "endless"});
  next<wire::Measured>();
  next<wire::WorkerState>();
  ::kill(process, SIGTERM);
  EXPECT_EQ(exit_code(), 0);
}

TEST_F(RunnerProcess, SaysWhichBoardItIs) {
  start({"--scheduler", endpoint, "--name", "me"});
  auto hello = next<wire::Hello>();
  EXPECT_EQ(hello.name, "me");
  auto board = parse_board(hello.board);
  ASSERT_TRUE(board) << board.error().text();
  EXPECT_EQ(board->model, probe_board().model);
}

TEST_F(RunnerProcess, SimulatesByAScript) {
  std::ofstream(folder + "/script") << "noise 0\nartifact " << digest_of(fixture("good")) << " 4242\n";
  start({"--scheduler", endpoint, "--simulate", folder + "/script"});
  welcome();
  want({"good"});
  EXPECT_EQ(next<wire::Measured>().measurement.samples_ns.at(0), 4242);
}

TEST_F(RunnerProcess, AMistakeInTheScriptIsNamedWithItsLine) {
  std::ofstream(folder + "/script") << "nonsense\n";
  start({"--scheduler", endpoint, "--simulate", folder + "/script"});
  EXPECT_EQ(exit_code(), 1);
  EXPECT_THAT(errors(), HasSubstr("line 1: 'nonsense' is no setting"));
}

TEST_F(RunnerProcess, AMissingScriptIsNamed) {
  start({"--scheduler", endpoint, "--simulate", "/no/such/file"});
  EXPECT_EQ(exit_code(), 1);
  EXPECT_THAT(errors(),
              HasSubstr("/no/such/file: there is no such file (--simulate takes a file or seed:N)"));
}

TEST_F(RunnerProcess, AScriptThatNeverEndsIsNotRead) {
  start({"--scheduler", endpoint, "--simulate", "/dev/zero"});
  EXPECT_EQ(exit_code(), 1);
  EXPECT_THAT(errors(), HasSubstr("/dev/zero: is a device, not a file"));
}

TEST_F(RunnerProcess, ABadEndpointIsRefusedWithTheReason) {
  start({"--scheduler", "tcp://10.1.2.3:4", "--simulate", "seed:1"});
  EXPECT_EQ(exit_code(), 1);
  EXPECT_THAT(errors(), HasSubstr("CURVE keys"));
}

TEST_F(RunnerProcess, GivesUpOnALostSchedulerWhenToldTo) {
  start({"--scheduler", endpoint, "--simulate", "seed:1", "--give-up-ms", "300", "--heartbeat-ms", "50"});
  welcome();
  hub.reset();
  EXPECT_EQ(exit_code(), 1);
  EXPECT_THAT(errors(), HasSubstr("no scheduler was heard for 300 ms"));
}

}  // namespace
}  // namespace hone
