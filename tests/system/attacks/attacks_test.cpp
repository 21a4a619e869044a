// What candidates and references that lie, spy or meddle get from a board, as the user who runs the tests and, if
// that is root, as nobody too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "devices/cpu_device.h"
#include "tests/support/dense_by_hand_task.h"

namespace hone {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;

wire::Bytes file_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}
wire::Bytes attack(const std::string& name) { return file_bytes(HONE_ATTACKS "/" + name + ".so"); }
wire::Bytes honest(const std::string& name) { return file_bytes(HONE_FIXTURES "/" + name + ".so"); }

enum class User { same, nobody };

class Attacks : public testing::TestWithParam<User> {
 protected:
  /// A device of this test's own: what one attack leaves is no other's.
  void SetUp() override {
    if (GetParam() == User::nobody && ::geteuid() != 0) GTEST_SKIP() << "only root can become nobody";
    CpuDeviceOptions options;
    options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
    options.memory_bytes = uint64_t{256} << 20;
    if (GetParam() == User::nobody) options.server_program = as_nobody(options.server_program);
    auto made = CpuDevice::create(options);
    ASSERT_TRUE(made) << made.error().text();
    device_ = std::move(*made);
  }
  void TearDown() override {
    if (device_ != nullptr) {  // whatever happened, the device lives on
      EXPECT_EQ(measure(honest("good")).status, MeasureStatus::ok);
    }
    device_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  Measurement measure(const wire::Bytes& artifact) { return measure(artifact, honest("reference")); }
  Measurement measure(const wire::Bytes& artifact, const wire::Bytes& reference) {
    wire::MeasureRequest request;
    request.artifact = digest_of(artifact);
    request.reference = digest_of(reference);
    request.task_key = dense_by_hand_key();
    request.seed = "check-1";  // what seeds were once made of
    request.run_ms = 20000;
    Measurement m;
    // As a scheduler does: once more if the board was disturbed meanwhile.
    for (int attempt = 0; attempt < 10; ++attempt) {
      m = device_->measure(request, artifact, reference).measurement;
      if (m.status != MeasureStatus::board_unhealthy) break;
    }
    return m;
  }

  std::unique_ptr<CpuDevice> device_;

 private:
  /// A program that starts the runner's child server as nobody, from a place that nobody can read.
  std::string as_nobody(const std::string& program) {
    char name[] = "/tmp/hone-attacks-XXXXXX";
    folder_ = ::mkdtemp(name);
    const std::string copy = folder_ + "/hone-runner", script = folder_ + "/start";
    std::filesystem::copy_file(program, copy);
    std::ofstream(script) << "#!/bin/sh\nexec setpriv --reuid 65534 --regid 65534 --clear-groups " << copy
                          << " \"$@\"\n";
    for (const std::string& path : {folder_, copy, script}) ::chmod(path.c_str(), 0755);
    return script;
  }
  std::string folder_;
};

INSTANTIATE_TEST_SUITE_P(As, Attacks, testing::Values(User::same, User::nobody), [](const auto& info) {
  return info.param == User::same ? "TheSameUser" : "Nobody";
});

TEST_P(Attacks, WhoComputesOnceAndThenReturnsAtOnceIsWrong) {
  const Measurement m = measure(attack("once"));
  EXPECT_EQ(m.status, MeasureStatus::wrong_answer) << m.message;
  EXPECT_THAT(m.message, HasSubstr("of a timed run differs from that of the checked run"));
}

TEST_P(Attacks, WhoComputesOnceForEachBufferIsWrongOverOtherInputs) {
  const Measurement m = measure(attack("once_each"));
  EXPECT_EQ(m.status, MeasureStatus::wrong_answer) << m.message;
  EXPECT_THAT(m.message, HasSubstr("in a timed run over other inputs element "));
}

TEST_P(Attacks, WhoIsLazyInAPartOfAnOutputIsWrong) {
  EXPECT_EQ(measure(attack("half")).status, MeasureStatus::wrong_answer);
}

TEST_P(Attacks, WhoRemembersInputsHasImplausibleTimes) {
  const Measurement m = measure(attack("memory"));
  EXPECT_EQ(m.status, MeasureStatus::implausible_time) << m.message;
  EXPECT_THAT(m.message, AllOf(HasSubstr("a sample of "), HasSubstr("by the board's own clock a run takes ")));
  EXPECT_TRUE(m.samples_ns.empty());
}

TEST_P(Attacks, NobodyFillsTheRoomForTimedRunsWithSlack) {
  const Measurement m = measure(attack("memory_in_slack"));
  EXPECT_EQ(m.status, MeasureStatus::load_error) << m.message;
  EXPECT_THAT(m.message, HasSubstr("buffer 'x' has 41943040 bytes, its geometry needs 256"));
}

TEST_P(Attacks, AForgedReportIsNoResult) {
  for (const char* name : {"report", "report_then_work"}) {
    const Measurement m = measure(attack(name));
    EXPECT_THAT(m.status, AnyOf(MeasureStatus::wrong_answer, MeasureStatus::implausible_time,
                                MeasureStatus::crashed))
        << name << ": " << m.message;
  }
}

TEST_P(Attacks, AnswersToTheDataOfEarlierDaysAreWrong) {
  EXPECT_EQ(measure(attack("carried")).status, MeasureStatus::wrong_answer);
}

TEST_P(Attacks, WhatIsRightLiesInNoMemoryOfACandidate) {
  EXPECT_EQ(measure(attack("answers")).status, MeasureStatus::ok) << "it found the reference's outputs";
  EXPECT_EQ(measure(attack("inputs")).status, MeasureStatus::wrong_answer)
      << "the search itself works: it finds what does lie there";
}

TEST_P(Attacks, NothingOfAnEarlierCandidateIsLeft) {
  EXPECT_EQ(measure(attack("leave")).status, MeasureStatus::ok);
  EXPECT_EQ(measure(attack("find")).status, MeasureStatus::ok) << "it found what another one had left";
}

TEST_P(Attacks, AForgedReferenceIsRefusedAndSaid) {
  const Measurement m = measure(honest("good"), attack("forged_reference"));
  EXPECT_EQ(m.status, MeasureStatus::load_error);
  EXPECT_THAT(m.message, HasSubstr("the reference that came with it is refused: the reference is not its task's"));
}

TEST_P(Attacks, BoundsAndDataAreNotTheCandidatesToChoose) {
  for (const char* name : {"loose", "easy"}) {
    const Measurement m = measure(attack(name));
    EXPECT_EQ(m.status, MeasureStatus::load_error) << name << ": " << m.message;
  }
}

TEST_P(Attacks, NoSystemCallChangesWhatIsMeasured) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs some of these calls itself";
#endif
  if (!device_->facts().sandbox.empty()) GTEST_SKIP() << "the sandbox lacks: " << device_->facts().sandbox;
  std::istringstream calls(HONE_ATTACK_CALLS);
  for (std::string call; std::getline(calls, call, ',');) {
    const Measurement m = measure(attack("call_" + call));
    EXPECT_EQ(m.status, MeasureStatus::crashed) << call;
    EXPECT_THAT(m.message, AllOf(HasSubstr("SIGSYS"), HasSubstr("may not make: "))) << call;
  }
}

}  // namespace
}  // namespace hone
