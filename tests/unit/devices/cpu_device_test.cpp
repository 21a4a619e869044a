// The sandboxed CPU device with artifacts made by hand: each way to misbehave gives its status, and the next
// candidate is measured.
#include "devices/cpu_device.h"
#include "tests/support/dense_by_hand_task.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

namespace hone {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

wire::Bytes fixture(const std::string& name) {
  std::ifstream file(std::string(HONE_FIXTURES) + "/" + name + ".so", std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

int usable_cores() {
  cpu_set_t set;
  return ::sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}
/// Before the device pins this process off its measuring core.
const int cores_at_start = usable_cores();

class CpuDeviceTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    CpuDeviceOptions options;
    options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
    options.memory_bytes = uint64_t{256} << 20;
    auto made = CpuDevice::create(options);
    ASSERT_TRUE(made) << made.error().text();
    device = std::move(*made);
  }
  static void TearDownTestSuite() { device.reset(); }

  static wire::MeasureRequest request(const std::string& name) {
    wire::MeasureRequest r;
    r.artifact = digest_of(fixture(name));
    r.reference = digest_of(fixture("reference"));
    r.task_key = dense_by_hand_key();
    r.seed = "search";
    r.run_ms = 20000;
    return r;
  }
  static Measurement measure(const std::string& name) { return measure(name, request(name)); }
  /// As a scheduler does, it measures again if the board was slow meanwhile: others may use this machine, and
  /// the device is right to say so.
  static Measurement measure(const std::string& name, const wire::MeasureRequest& r) {
    Measurement m;
    for (int attempt = 0; attempt < 10; ++attempt) {
      m = device->measure(r, fixture(name), fixture("reference")).measurement;
      if (m.status != MeasureStatus::board_unhealthy ||
          m.message.find("in this session") == std::string::npos)
        break;
    }
    return m;
  }
  void TearDown() override {
    Measurement after = measure("good");  // whatever happened, the device lives on
    EXPECT_EQ(after.status, MeasureStatus::ok) << after.message;
  }
  static std::unique_ptr<CpuDevice> device;
};
std::unique_ptr<CpuDevice> CpuDeviceTest::device;

TEST_F(CpuDeviceTest, ARightArtifactIsCheckedAndTimed) {
  Measurement m = measure("good");
  ASSERT_EQ(m.status, MeasureStatus::ok) << m.message;
  EXPECT_GE(m.samples_ns.size(), 5u);
  EXPECT_GT(m.median_ns, 0);
  EXPECT_GT(m.worst_factor, 0);
  EXPECT_LT(m.relative_l2, 1e-5);
  EXPECT_GT(m.health.reference_before_ns, 0);
  EXPECT_GT(m.health.reference_after_ns, 0);
  EXPECT_GT(m.health.peak_memory_bytes, 100000);
}

TEST_F(CpuDeviceTest, BothTimingModesAreKept) {
  auto r = request("good");
  r.mode = TimingMode::dram;
  Measurement m = measure("good", r);
  EXPECT_EQ(m.status, MeasureStatus::ok) << m.message;
  EXPECT_EQ(m.mode, TimingMode::dram);
}

TEST_F(CpuDeviceTest, AnotherPurposeHasOtherDataAndAnotherReference) {
  auto r = request("good");
  for (const char* purpose : {"search", "finals", "search"}) {
    r.seed = purpose;
    Measurement m = measure("good", r);
    EXPECT_EQ(m.status, MeasureStatus::ok) << m.message;
  }
}

TEST_F(CpuDeviceTest, AnArtifactOfAnotherTaskIsALoadError) {
  auto r = request("good");
  r.task_key = digest_of("another");
  Measurement m = measure("good", r);
  EXPECT_EQ(m.status, MeasureStatus::load_error);
  EXPECT_THAT(m.message, HasSubstr("of another task than the one it was sent for"));
}

TEST_F(CpuDeviceTest, AWildPointerIsACrashThatNamesItsStage) {
  Measurement m = measure("segfault");
  EXPECT_EQ(m.status, MeasureStatus::crashed);
  EXPECT_THAT(m.message, AllOf(HasSubstr("SIGSEGV in the checked run"), HasSubstr("0x8")));
  EXPECT_TRUE(m.samples_ns.empty());
}

TEST_F(CpuDeviceTest, AnIllegalInstructionIsACrash) {
  Measurement m = measure("illegal");
  EXPECT_EQ(m.status, MeasureStatus::crashed);
  EXPECT_THAT(m.message, AnyOf(HasSubstr("SIGILL"), HasSubstr("SIGTRAP")));
}

TEST_F(CpuDeviceTest, AnEndlessLoopIsStoppedAtItsDeadline) {
  auto r = request("endless");
  r.run_ms = 300;
  Measurement m = measure("endless", r);
  EXPECT_EQ(m.status, MeasureStatus::run_timeout);
  EXPECT_THAT(m.message, HasSubstr("stopped after 300 ms in the checked run"));
}

TEST_F(CpuDeviceTest, AWriteBeyondABufferHitsItsGuardPageAndIsNamed) {
  Measurement m = measure("beyond");
  EXPECT_EQ(m.status, MeasureStatus::crashed);
  EXPECT_THAT(m.message, HasSubstr("SIGSEGV in the checked run: 0 bytes beyond the end of buffer 'y'"));
}

TEST_F(CpuDeviceTest, AWriteBeforeABufferIsACrash) {
  EXPECT_EQ(measure("before").status, MeasureStatus::crashed);
}

TEST_F(CpuDeviceTest, AWriteIntoTheSlackIsAWrongAnswer) {
  Measurement m = measure("slack");
  EXPECT_EQ(m.status, MeasureStatus::wrong_answer);
  EXPECT_THAT(m.message, HasSubstr("slack"));
}

TEST_F(CpuDeviceTest, OneWrongTailElementIsAWrongAnswerAndNeverATime) {
  Measurement m = measure("wrong_tail");
  EXPECT_EQ(m.status, MeasureStatus::wrong_answer);
  EXPECT_THAT(m.message, HasSubstr("[0,63]"));
  EXPECT_TRUE(m.samples_ns.empty());
  EXPECT_GT(m.worst_factor, 64);
}

TEST_F(CpuDeviceTest, ANanIsAWrongAnswer) {
  Measurement m = measure("nan");
  EXPECT_EQ(m.status, MeasureStatus::wrong_answer);
  EXPECT_THAT(m.message, HasSubstr("nan"));
}

TEST_F(CpuDeviceTest, SystemCallsEndTheChildAndAreNamed) {
  for (auto [name, call] : {std::pair("fork", ""),
                            {"open", "openat"},
                            {"socket", "socket"},
                            {"kill", "kill"},
                            {"sigterm", "rt_sigaction"},
                            {"output", "write"},
                            {"executable", "mmap"}}) {
    Measurement m = measure(name);
    EXPECT_EQ(m.status, MeasureStatus::crashed) << name;
    EXPECT_THAT(m.message,
                AllOf(HasSubstr("SIGSYS in the checked run"), HasSubstr("may not make: "), HasSubstr(call)))
        << name;
  }
}

TEST_F(CpuDeviceTest, EatingAllMemoryHarmsOnlyTheChild) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the address space is not limited under a sanitizer";
#endif
  Measurement m = measure("bomb");
  EXPECT_THAT(m.status, AnyOf(MeasureStatus::crashed, MeasureStatus::out_of_memory)) << m.message;
}

TEST_F(CpuDeviceTest, BuffersThatDoNotFitAreOutOfMemory) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the address space is not limited under a sanitizer";
#endif
  Measurement m = measure("huge");
  EXPECT_EQ(m.status, MeasureStatus::out_of_memory);
  EXPECT_THAT(m.message, HasSubstr("bytes"));
}

TEST_F(CpuDeviceTest, EndlessRecursionIsACrash) {
  EXPECT_EQ(measure("recursion").status, MeasureStatus::crashed);
}

TEST_F(CpuDeviceTest, LeavingEarlyIsNoResult) {
  Measurement m = measure("exit");
  EXPECT_EQ(m.status, MeasureStatus::crashed);
  EXPECT_THAT(m.message, HasSubstr("makes no sense"));
}

TEST_F(CpuDeviceTest, AFaultWhilePreparingConstantsIsTheCandidatesToo) {
  Measurement m = measure("prepare");
  EXPECT_EQ(m.status, MeasureStatus::crashed);
  EXPECT_THAT(m.message, HasSubstr("SIGSEGV in preparing its constants"));
}

TEST_F(CpuDeviceTest, ASlowArtifactIsRacedOutAfterTwoSamples) {
  Measurement good = measure("good");
  auto r = request("slow");
  r.best_ns = good.median_ns;
  Measurement m = measure("slow", r);
  EXPECT_EQ(m.status, MeasureStatus::raced_out) << m.message;
  EXPECT_EQ(m.samples_ns.size(), 2u);
  EXPECT_THAT(m.message, HasSubstr("times the best"));
}

TEST_F(CpuDeviceTest, WhatIsNoArtifactIsALoadError) {
  wire::Bytes garbage(5000, std::byte{0x5a});
  EXPECT_EQ(device->measure(request("good"), garbage, fixture("reference")).measurement.status,
            MeasureStatus::load_error);
  wire::Bytes torn = fixture("good");
  torn.resize(torn.size() / 2);
  EXPECT_EQ(device->measure(request("good"), torn, fixture("reference")).measurement.status,
            MeasureStatus::load_error);
  EXPECT_EQ(device->measure(request("good"), {}, fixture("reference")).measurement.status,
            MeasureStatus::load_error);
}

TEST_F(CpuDeviceTest, WhatIsNoReferenceIsRefusedAndSaid) {
  auto r = request("good");
  r.reference = digest_of("another");
  Measurement m = device->measure(r, fixture("good"), fixture("good")).measurement;
  EXPECT_EQ(m.status, MeasureStatus::load_error);
  EXPECT_THAT(m.message, HasSubstr("the reference that came with it is refused: the artifact is no reference"));
}

TEST_F(CpuDeviceTest, SeveralThreadsShareAnArtifactsRange) {
  if (cores_at_start < 2) GTEST_SKIP() << "this needs two cores";
  auto r = request("parallel");
  r.threads = 2;
  Measurement m = measure("parallel", r);
  EXPECT_EQ(m.status, MeasureStatus::ok) << m.message;
  EXPECT_EQ(m.threads, 2);
  // Shown by artifacts that go wrong only where their range is split.
  EXPECT_EQ(measure("split", request("split")).status, MeasureStatus::ok);
  r = request("split");
  r.threads = 2;
  EXPECT_EQ(measure("split", r).status, MeasureStatus::wrong_answer);
  r = request("split_crash");
  r.threads = 2;
  EXPECT_THAT(measure("split_crash", r).message, HasSubstr("SIGSEGV in the checked run"));
}

TEST_F(CpuDeviceTest, ASystemCallOfAnotherThreadIsCaughtToo) {
  if (cores_at_start < 2) GTEST_SKIP() << "this needs two cores";
  auto r = request("split_open");
  r.threads = 2;
  Measurement m = measure("split_open", r);
  EXPECT_EQ(m.status, MeasureStatus::crashed);
  EXPECT_THAT(m.message, HasSubstr("may not make: openat"));
}

TEST_F(CpuDeviceTest, MoreThreadsThanCoresAreRefused) {
  auto r = request("good");
  r.threads = 5000;
  EXPECT_THAT(measure("good", r).message, HasSubstr("5000 threads were asked for"));
}

TEST_F(CpuDeviceTest, CancellingEndsAnEndlessMeasurement) {
  std::thread other([&] { device->cancel(); });
  Measurement m = measure("endless");
  other.join();
  EXPECT_EQ(m.status, MeasureStatus::board_lost);
}

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  std::error_code none;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task", none)) {
    std::ifstream file(task.path() / "children");
    children.insert(children.end(), std::istream_iterator<pid_t>(file), {});
  }
  return children;
}

/// A pidfd of a candidate's process once it has the user that candidates run as, or -1 after the deadline.
int running_candidate(std::chrono::seconds limit) {
  const uid_t user = ::geteuid() == 0 ? 65534 : ::geteuid();
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (std::chrono::steady_clock::now() < deadline) {
    for (const pid_t server : children_of(::getpid()))
      for (const pid_t candidate : children_of(server)) {
        struct stat about;
        if (::stat(("/proc/" + std::to_string(candidate)).c_str(), &about) == 0 && about.st_uid == user)
          return static_cast<int>(::syscall(SYS_pidfd_open, candidate, 0));
      }
    ::sched_yield();
  }
  return -1;
}

TEST_F(CpuDeviceTest, CancellingEndsTheCandidatesProcessToo) {
  int candidate = -1;
  std::thread other([&] {
    candidate = running_candidate(std::chrono::seconds(10));
    device->cancel();
  });
  EXPECT_EQ(measure("endless").status, MeasureStatus::board_lost);
  other.join();
  ASSERT_GE(candidate, 0);
  pollfd ended{candidate, POLLIN, 0};
  EXPECT_EQ(::poll(&ended, 1, 10000), 1) << "its processor time is limited to 22 s";
  ::close(candidate);
}

TEST(CpuDeviceStart, ACoreThatIsNotThereIsAnError) {
  CpuDeviceOptions options;
  options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
  for (int core : {1023, 5000}) {
    options.core = core;
    auto device = CpuDevice::create(options);
    ASSERT_FALSE(device);
    EXPECT_THAT(device.error().text(), HasSubstr("is not one that this process may use"));
  }
}

TEST(CpuDeviceStart, AMissingProgramIsAnError) {
  CpuDeviceOptions options;
  options.server_program = "/no/such/program";
  auto device = CpuDevice::create(options);
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().text(), HasSubstr("the child server cannot be started"));
}

TEST(CpuDeviceStart, AProgramThatIsNoChildServerIsNoticed) {
  CpuDeviceOptions options;
  options.server_program = "/bin/true";
  auto device = CpuDevice::create(options);
  ASSERT_FALSE(device);
  EXPECT_THAT(device.error().text(),
              AllOf(HasSubstr("a known kernel in a child failed"), HasSubstr("child server")));
}

TEST_F(CpuDeviceTest, AHealthCheckRunsAKnownKernelInAChild) {
  const wire::HealthReport report = device->check(std::chrono::milliseconds(5000));
  EXPECT_TRUE(report.ok) << report.message;
  EXPECT_GT(report.reference_ns, 0);
  EXPECT_GT(report.free_memory_bytes, 0);
  EXPECT_GT(report.free_disk_bytes, 0);
}

TEST_F(CpuDeviceTest, SaysWhatItsSystemIsAndWhatItsSandboxLacks) {
  const DeviceFacts facts = device->facts();
  EXPECT_FALSE(facts.os.empty());
  EXPECT_FALSE(facts.emulated);
  EXPECT_THAT(facts.sandbox, AnyOf("", HasSubstr("no network namespace"), HasSubstr("no Landlock"), HasSubstr("no system call filter"),
                                   HasSubstr("runs as root")));
}

TEST(CpuDeviceStart, AChildLeavesNoFolderBehind) {
  char folder[] = "/tmp/hone-device-test-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const char* before = std::getenv("TMPDIR");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("TMPDIR", folder, 1);
  CpuDeviceOptions options;
  options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
  auto made = CpuDevice::create(options);
  if (before == nullptr)
    ::unsetenv("TMPDIR");
  else
    ::setenv("TMPDIR", kept.c_str(), 1);
  ASSERT_TRUE(made) << made.error().text();
  for (const char* name : {"good", "segfault", "exit"}) {
    wire::MeasureRequest request;
    request.artifact = digest_of(fixture(name));
    request.reference = digest_of(fixture("reference"));
    request.task_key = dense_by_hand_key();
    request.seed = "search";
    (void)(*made)->measure(request, fixture(name), fixture("reference"));
    EXPECT_TRUE(std::filesystem::is_empty(folder)) << name;
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hone
