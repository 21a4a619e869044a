// What `hone build --log` takes from a log, and what it leaves.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>

#include "codegen/artifact/artifact.h"
#include "logs/database.h"
#include "tuner/session/build.h"

namespace hone::session {
namespace {

using testing::HasSubstr;

class BuildLookup : public testing::Test {
 protected:
  BuildLookup()
      : target_(resolve_target("x86-64-v3").value()),
        task_(parse_task("task v1\n%x = input f32[1x16x8x8]\n%0 = relu %x\noutput %0\n").value()),
        log_(testing::TempDir() + "hone_lookup_" + std::to_string(getpid()) + ".h5") {}
  ~BuildLookup() override { unlink(log_.c_str()); }

  /// A finished measurement of trial 0 with this median.
  Record record(double median_ns, int threads = 1, const std::string& board = "board one") const {
    const Candidate candidate = default_candidate(task_, target_).value();
    Record r;
    r.task_key = task_.key;
    r.candidate.task = task_.text;
    r.candidate.target = to_text(target_);
    r.candidate.formulation = candidate.formulation;
    r.candidate.parameters = to_text(candidate.parameters);
    r.candidate.schedule = to_text(candidate.schedule);
    r.candidate.ports = to_text(candidate.ports);
    r.board.model = board;
    r.board.id = "id";
    r.artifact = digest_of(std::to_string(median_ns) + board + std::to_string(threads));
    r.measurement.threads = threads;
    r.measurement.samples_ns.assign(5, median_ns);
    summarise(r.measurement);
    return r;
  }
  Lookup lookup(std::vector<Record> records, int threads = 1, const PlanOptions& options = {}) {
    LogDatabase database;
    for (Record& one : records) EXPECT_TRUE(database.add(std::move(one)));
    EXPECT_TRUE(database.write(log_));
    auto made = lookup_in_log(log_, target_, threads, "board one", counts_, options);
    EXPECT_TRUE(made) << made.error().text();
    return *made;
  }

  Target target_;
  Task task_;
  std::string log_;
  LookupCounts counts_;
};

TEST_F(BuildLookup, TakesTheFastestCandidate) {
  Record slow = record(3000), fast = record(2000);
  slow.candidate.parameters = "tile=4";
  fast.candidate.parameters = "tile=8";
  const auto choice = lookup({slow, fast, record(2500)})(task_);
  ASSERT_TRUE(choice);
  EXPECT_DOUBLE_EQ(choice->seconds, 2e-6);
  EXPECT_EQ(choice->parameters, (Parameters{{"tile", 8}}));
  EXPECT_EQ(counts_.near, 0);
}

TEST_F(BuildLookup, NeverTakesAnotherBoardModelsRecord) {
  EXPECT_FALSE(lookup({record(2000, 1, "board two")})(task_));
}

TEST_F(BuildLookup, TakesOneThreadsRecordWhereThereIsNoneForMoreAndCountsIt) {
  const Lookup found = lookup({record(2000)}, 2);
  EXPECT_TRUE(found(task_));
  EXPECT_TRUE(found(task_)) << "asked again";
  EXPECT_EQ(counts_.near, 1);
}

TEST_F(BuildLookup, PrefersTheRecordOfAsManyThreads) {
  const auto choice = lookup({record(2000), record(2200, 2)}, 2)(task_);
  ASSERT_TRUE(choice);
  EXPECT_DOUBLE_EQ(choice->seconds, 2.2e-6);
  EXPECT_EQ(counts_.near, 0);
}

TEST_F(BuildLookup, KnowsNothingOfOtherTasks) {
  const Task other = parse_task("task v1\n%x = input f32[1x16x9x9]\n%0 = relu %x\noutput %0\n").value();
  EXPECT_FALSE(lookup({record(2000)})(other));
}

TEST_F(BuildLookup, TakesTheBestThatStrictModePermits) {
  task_ = parse_task(
              "task v1\n%x = input f32[1x64x28x28]\n%w = constant f32[64x64x3x3]\n"
              "%0 = conv %x %w {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}\noutput %0\n")
              .value();
  Record winograd = record(2000), direct = record(3000), slow = record(4000);
  winograd.candidate.formulation = "winograd4";
  direct.candidate.formulation = slow.candidate.formulation = "direct";
  slow.candidate.parameters = "tile=4";
  EXPECT_EQ(lookup({winograd, direct, slow})(task_)->formulation, "winograd4");
  const auto strict = lookup({winograd, direct, slow}, 1, {.strict = true})(task_);
  ASSERT_TRUE(strict);
  EXPECT_EQ(strict->formulation, "direct");
  EXPECT_DOUBLE_EQ(strict->seconds, 3e-6);
  EXPECT_EQ(lookup({winograd, direct}, 1, {.max_weight_growth = 2})(task_)->formulation, "direct");
  EXPECT_FALSE(lookup({winograd}, 1, {.strict = true})(task_));
}

TEST_F(BuildLookup, NamesALogThatIsMissing) {
  const auto made = lookup_in_log("/nonexistent/l.h5", target_, 1, "board one", counts_);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().text(), HasSubstr("/nonexistent/l.h5"));
}

TEST(BuildErrors, OutputsThatAreNoNumbersAreNotGivenAsADistance) {
  for (const double error : {NAN, -NAN, INFINITY}) {
    const Error said = wrong_result(error, 1e-3, true, "model.onnx");
    EXPECT_THAT(said.text(), HasSubstr("outputs of the built model or of its reference are NaN or infinite"));
    EXPECT_THAT(said.text(), HasSubstr("model.onnx"));
  }
  EXPECT_THAT(wrong_result(0.02, 1e-3, true, "m").text(),
              HasSubstr("is 0.02 from the reference, at most 0.001 is allowed; nothing was written"));
}

}  // namespace
}  // namespace hone::session
