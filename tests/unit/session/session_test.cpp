// The whole way as bindings would go it: inspect, tune, build, run, bench, export, without a terminal and
// without a word.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "codegen/base/temporary_folder.h"
#include "tests/unit/session/quiet.h"
#include "tuner/session/bench.h"
#include "tuner/session/build.h"
#include "tuner/session/inspect.h"
#include "tuner/session/logs.h"
#include "tuner/session/run.h"
#include "tuner/session/tune.h"

namespace hone::session {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

ExportRequest all_of(const std::string& log) {
  ExportRequest request;
  request.log = log;
  return request;
}

/// A log and a built model of the tiny model, made once for all tests that use them.
class Session : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder(*TemporaryFolder::make("test"));
    Quiet quiet;
    auto plan = plan_tuning(request("shared.h5"));
    ASSERT_TRUE(plan) << plan.error().text();
    plan_ = new TunePlan(std::move(*plan));
    const auto tuned = tune(*plan_, [](const TuneNews& one) {
      const auto* event = std::get_if<wire::JobEvent>(&one);
      if (event != nullptr) last_seen_ = *event;
    });
    ASSERT_TRUE(tuned) << tuned.error().text();
    outcome_ = new TuneOutcome(*tuned);
    BuildRequest build_request;
    build_request.model = tiny_model();
    build_request.log = at("shared.h5");
    build_request.output = at("tiny.so");
    const auto built = build(build_request);
    ASSERT_TRUE(built) << built.error().text();
    built_ = new BuildOutcome(*built);
  }
  static void TearDownTestSuite() {
    delete built_;
    delete outcome_;
    delete plan_;
    delete folder_;
  }

  static std::string at(const std::string& name) { return folder_->path() / name; }
  static TuneRequest request(const std::string& log) {
    TuneRequest request;
    request.model = tiny_model();
    request.log = at(log);
    request.trials = 12;
    request.programs = programs();
    return request;
  }
  /// Ones of the input's shape, as a file.
  static std::string ones(const LoadedModel& model) {
    const Shape shape = shape_of(model.inputs().at(0));
    const PlainTensor tensor{shape, std::vector<float>(static_cast<size_t>(element_count(shape)), 1.0f)};
    EXPECT_TRUE(write_npy(at("ones.npy"), tensor));
    return at("ones.npy");
  }

  static TemporaryFolder* folder_;
  static TunePlan* plan_;
  static TuneOutcome* outcome_;
  static BuildOutcome* built_;
  static wire::JobEvent last_seen_;
};
TemporaryFolder* Session::folder_ = nullptr;
TunePlan* Session::plan_ = nullptr;
TuneOutcome* Session::outcome_ = nullptr;
BuildOutcome* Session::built_ = nullptr;
wire::JobEvent Session::last_seen_;

TEST_F(Session, InspectsAModel) {
  Quiet quiet;
  const auto facts = inspect_model(tiny_model());
  ASSERT_TRUE(facts) << facts.error().text();
  EXPECT_THAT(facts->unsupported, IsEmpty());
  EXPECT_GT(facts->parameters, 0);
  EXPECT_EQ(facts->tasks.size(), plan_->parts.front().size());
  EXPECT_FALSE(is_built_model(tiny_model()));
}

TEST_F(Session, PlansBeforeItMeasures) {
  EXPECT_EQ(plan_->records, 0u);
  EXPECT_EQ(plan_->run.request.name, "tiny");
  EXPECT_EQ(plan_->targets.size(), 1u);
  EXPECT_GT(plan_->flops, 0);
}

TEST_F(Session, TunesAndTellsItsProgressAsValues) {
  EXPECT_FALSE(outcome_->interrupted);
  EXPECT_EQ(outcome_->last.state, "Completed") << outcome_->last.reason;
  EXPECT_EQ(last_seen_.state, "Completed") << "the sink hears the end too";
  EXPECT_GE(outcome_->last.trials, 12u);
  EXPECT_GT(model_time(plan_->parts.front(), outcome_->last).best_ms, 0);
}

TEST_F(Session, AnotherPlanSeesWhatTheLogHolds) {
  Quiet quiet;
  const auto plan = plan_tuning(request("shared.h5"));
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_GE(plan->records, 12u);
}

TEST_F(Session, BuildsWithTheLogsSchedules) {
  EXPECT_TRUE(built_->report.checked && built_->report.correct);
  EXPECT_GT(built_->report.tuned, 0);
  EXPECT_GT(built_->seconds, 0);
  Quiet quiet;
  EXPECT_TRUE(is_built_model(at("tiny.so")));
  const auto notes = inspect_built_model(at("tiny.so"), /*require_digest=*/true);
  ASSERT_TRUE(notes) << notes.error().text();
  EXPECT_EQ(notes->target, to_text(*resolve_target("host")));
}

TEST_F(Session, RunsWhatWasBuilt) {
  Quiet quiet;
  auto model = LoadedModel::load(at("tiny.so"), 1);
  ASSERT_TRUE(model) << model.error().text();
  const auto outcome = run(*model, {at("tiny.so"), {ones(*model)}, {at("y.npy")}, ""});
  ASSERT_TRUE(outcome) << outcome.error().text();
  const std::vector<float>& values = outcome->outputs.at(0).values;
  EXPECT_EQ(read_tensor(at("y.npy"))->values, values);
  const std::vector<size_t> top = largest(values, 2);
  ASSERT_EQ(top.size(), 2u);
  EXPECT_GE(values[top[0]], values[top[1]]);
}

TEST_F(Session, RunNamesTheModelThatWantsOtherInputs) {
  Quiet quiet;
  auto model = LoadedModel::load(at("tiny.so"), 1);
  ASSERT_TRUE(model) << model.error().text();
  const auto none = run(*model, {at("tiny.so"), {}, {}, ""});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().text(), HasSubstr("tiny.so: the model has 1 input, 0 given"));
}

TEST_F(Session, BenchesTheWholeAndEveryOperator) {
  Quiet quiet;
  auto model = LoadedModel::load(at("tiny.so"), 1);
  ASSERT_TRUE(model) << model.error().text();
  BenchRequest request;
  request.model = at("tiny.so");
  request.seconds = 0.02;
  request.operators = true;
  const auto outcome = bench(*model, request);
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_GE(outcome->samples.size(), 5u);
  EXPECT_LE(outcome->least, outcome->median);
  EXPECT_EQ(static_cast<int>(outcome->operators.size()), model->operator_count());
  EXPECT_THAT(bench_plot(*outcome, "tiny"), HasSubstr("</svg>"));
}

TEST_F(Session, ExportsTheLogsRecords) {
  Quiet quiet;
  ExportRequest lines = all_of(at("shared.h5"));
  lines.json = true;
  const auto exported = export_log(lines);
  ASSERT_TRUE(exported) << exported.error().text();
  EXPECT_GE(exported->records, 12u);
  EXPECT_EQ(exported->records, exported->of);
  EXPECT_EQ(static_cast<size_t>(std::count(exported->text.begin(), exported->text.end(), '\n')),
            exported->records);
  EXPECT_THAT(export_log(all_of(at("shared.h5")))->text, HasSubstr("median_ns"));
}

TEST_F(Session, AnInterruptEndsARunThatHasNoLimitAndKeepsWhatWasMeasured) {
  TuneRequest endless = request("endless.h5");
  endless.trials = 0;
  endless.seconds = 3600;
  endless.more = true;
  StopButton button;
  bool is_stopping = false;
  Quiet quiet;
  const auto plan = plan_tuning(endless);
  ASSERT_TRUE(plan) << plan.error().text();
  const auto outcome = tune(
      *plan,
      [&](const TuneNews& news) {
        const auto* event = std::get_if<wire::JobEvent>(&news);
        if (event != nullptr && event->trials > 0 && !is_stopping) button.press();
        if (std::holds_alternative<Stopping>(news)) is_stopping = true;
      },
      button.interrupt());
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_TRUE(outcome->interrupted);
  EXPECT_TRUE(is_stopping);
  const auto log = LogDatabase::open(at("endless.h5"));
  ASSERT_TRUE(log) << log.error().text();
  EXPECT_GT(log->records().size(), 0u);
}

TEST_F(Session, AMissingProgramIsNamed) {
  TuneRequest alone = request("alone.h5");
  alone.programs = folder_->path();
  Quiet quiet;
  const auto plan = plan_tuning(alone);
  ASSERT_TRUE(plan) << plan.error().text();
  const auto outcome = tune(*plan, {});
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().text(), HasSubstr("hone-scheduler: cannot be started"));
}

TEST_F(Session, ErrorsAreValues) {
  Quiet quiet;
  TuneRequest missing = request("x.h5");
  missing.model = "/nowhere/model.onnx";
  EXPECT_THAT(plan_tuning(missing).error().text(), HasSubstr("/nowhere/model.onnx"));
  TuneRequest none = request("x.h5");
  none.log = "";
  EXPECT_THAT(plan_tuning(none).error().text(), HasSubstr("--log: is missing"));
  BuildRequest unknown;
  unknown.model = tiny_model();
  unknown.output = at("no.so");
  unknown.target = "abacus";
  EXPECT_THAT(build(unknown).error().text(), HasSubstr("unknown target 'abacus'"));
  EXPECT_THAT(export_log(all_of("/nowhere/l.h5")).error().text(), HasSubstr("/nowhere/l.h5"));
  EXPECT_THAT(inspect_built_model("/nowhere/m.so").error().text(), HasSubstr("/nowhere/m.so"));
}

}  // namespace
}  // namespace hone::session
