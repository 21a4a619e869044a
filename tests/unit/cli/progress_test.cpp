// What a tuning run shows, from made-up events.
#include "tuner/cli/progress.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace hone::cli {
namespace {

using session::model_time;
using session::ModelTime;
using session::unmeasured_tasks;
using testing::HasSubstr;

std::vector<TunedTask> two_tasks() {
  return {{"conv3x3 3>64 56x56", digest_of("k1"), 2, 2e6}, {"dense 512>10", digest_of("k2"), 1, 1e4}};
}

wire::JobEvent event() {
  wire::JobEvent event;
  event.state = "InProgress";
  event.tasks = {{40, 30, 20000, 10000, false}, {12, 12, 3000, 3000, true}};
  event.trials = 52;
  event.measured_before = 10;
  event.candidates = 46;
  event.failed = {{MeasureStatus::run_timeout, 3, "took 2 s"}, {MeasureStatus::crashed, 1, "signal 11"}};
  event.seconds = 21;
  event.eta_seconds = 40;
  return event;
}

TEST(Progress, TheModelsTimeIsTheSumOverItsTasksAsOftenAsTheyOccur) {
  const ModelTime time = model_time(two_tasks(), event());
  EXPECT_DOUBLE_EQ(time.first_ms, 2 * 0.02 + 0.003);
  EXPECT_DOUBLE_EQ(time.best_ms, 2 * 0.01 + 0.003);
  EXPECT_TRUE(time.complete);
}

TEST(Progress, TheModelsTimeIsIncompleteWhileATaskHasNone) {
  wire::JobEvent early = event();
  early.tasks[1] = {};
  EXPECT_FALSE(model_time(two_tasks(), early).complete);
  EXPECT_FALSE(model_time(two_tasks(), wire::JobEvent()).complete);
  EXPECT_THAT(total_line(two_tasks(), early), HasSubstr("(so far)"));
}

TEST(Progress, RowsTellFirstBestGainAndSpeed) {
  const auto lines = task_table(two_tasks(), event(), 10);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[1], HasSubstr("conv3x3"));
  EXPECT_THAT(lines[1], HasSubstr("20.0 us"));
  EXPECT_THAT(lines[1], HasSubstr("2.00x"));
  EXPECT_THAT(lines[1], HasSubstr("200.0"));
  EXPECT_THAT(lines[2], HasSubstr("done"));
}

TEST(Progress, RowsThatDoNotFitAreCounted) {
  const auto lines = task_table(two_tasks(), event(), 1);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2], "... and 1 more tasks");
}

TEST(Progress, TotalsCountFailuresByKind) {
  const std::string line = total_line(two_tasks(), event());
  EXPECT_THAT(line, HasSubstr("total 52 trials (2.0/s), 10 of them measured before"));
  EXPECT_THAT(line, HasSubstr("4 failed (3 run_timeout, 1 crashed)"));
  EXPECT_THAT(line, HasSubstr("40 s left"));
}

TEST(Progress, EachKindOfFailureHasOneReason) {
  EXPECT_THAT(failure_lines(event()),
              testing::ElementsAre("3 run_timeout, e.g. took 2 s", "1 crashed, e.g. signal 11"));
}

TEST(Progress, AnEventWithFewerTasksThanTheModelIsNoError) {
  EXPECT_EQ(task_table(two_tasks(), wire::JobEvent(), 10).size(), 3u);
}

TEST(Progress, TasksWithoutATimeAreNamed) {
  wire::JobEvent early = event();
  early.tasks[1] = {};
  EXPECT_THAT(unmeasured_tasks(two_tasks(), early), testing::ElementsAre("dense 512>10"));
  EXPECT_THAT(unmeasured_tasks(two_tasks(), event()), testing::IsEmpty());
  EXPECT_EQ(unmeasured_tasks(two_tasks(), {}).size(), 2u);
}

TEST(Progress, SaysWhereTheTimeWent) {
  wire::JobEvent some = event();
  some.stages.build_ms = 21000;
  some.stages.idle_ms = 1540;
  some.stages.run_ms = 4620;
  const auto lines = stage_lines(some);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_THAT(lines[0], HasSubstr("build 21.0 s (100 %)"));
  EXPECT_THAT(lines[1], HasSubstr("run 4.6 s (75 %), idle 1.5 s (25 %)"));
  EXPECT_THAT(lines[2], HasSubstr("together"));
  EXPECT_EQ(stage_lines({}).size(), 2u) << "no rates of nothing";
}

TEST(TuneJson, HasTheFieldsThatScriptsReadOnOneLine) {
  const std::string text = tune_json("resnet", {two_tasks()}, event());
  EXPECT_EQ(text.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["trials"], 52);
  EXPECT_EQ(json["measured_before"], 10);
  EXPECT_EQ(json["failed"]["run_timeout"], 3);
  EXPECT_EQ(json["failed"]["crashed"], 1);
  EXPECT_EQ(json["seconds"], 21);
  ASSERT_EQ(json["best"].size(), 2u);
  EXPECT_EQ(json["best"][0]["key"], digest_of("k1").hex());
  EXPECT_DOUBLE_EQ(json["best"][0]["best_ms"], 0.01);
}

TEST(TuneJson, OfARunWithoutEventsIsStillAnObject) {
  const auto json = nlohmann::json::parse(tune_json("m", {two_tasks()}, {}));
  EXPECT_EQ(json["trials"], 0);
  EXPECT_TRUE(json["failed"].is_object());
}

TEST(Progress, ShowsEachModelOfBoardsByItself) {
  wire::JobEvent all = event();
  wire::JobLane near, far;
  near.board_model = "Rack board";
  near.boards = 3;
  near.tasks = all.tasks;
  far.board_model = "Slow board";
  far.boards = 1;
  far.tasks = all.tasks;
  for (wire::TaskProgress& task : far.tasks) task.best_ns = task.first_ns = 2e9;
  far.reason = "the log holds 7 trials";
  all.lanes = {near, far};
  const auto lines = lane_lines({two_tasks()}, all);
  EXPECT_THAT(lines.front(), HasSubstr("board  Rack board, 3 now"));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("board  Slow board, 1 now: the log holds 7 trials")));
  EXPECT_THAT(lines.back(), HasSubstr("total"));
  const auto json = nlohmann::json::parse(tune_json("m", {two_tasks()}, all));
  ASSERT_EQ(json["lanes"].size(), 2u);
  EXPECT_EQ(json["lanes"][1]["board_model"], "Slow board");
  EXPECT_GT(json["lanes"][1]["best_ms"], json["lanes"][0]["best_ms"]);
  EXPECT_EQ(lane_lines({two_tasks()}, event()).front(), task_table(two_tasks(), event(), 9).front())
      << "one model needs no heading";
}

std::vector<PlannedTask> six_tasks() {
  std::vector<PlannedTask> tasks;
  for (int n = 1; n <= 6; ++n) {
    PlannedTask task;
    task.candidate.task =
        make_task(*parse_graph("%x = input f32[1x" + std::to_string(8 * n) + "]\n%0 = relu %x\noutput %0\n"));
    task.count = n;
    tasks.push_back(std::move(task));
  }
  return tasks;
}

TEST(TaskList, HasANumberForEveryTask) {
  const auto lines = task_list(six_tasks());
  ASSERT_EQ(lines.size(), 7u);
  EXPECT_EQ(lines[6][0], '5');
  EXPECT_THAT(lines[6], HasSubstr("1x48"));
}

}  // namespace
}  // namespace hone::cli
