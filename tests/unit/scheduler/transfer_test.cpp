// What is learned elsewhere: distances, points of like tasks, training rows of near targets, the target
// speed.
#include "scheduler/transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "scheduler/job.h"
#include "scheduler/training.h"
#include "tests/unit/scheduler/world.h"

namespace hone::scheduler {
namespace {

using test::make_request;
using test::World;
using testing::HasSubstr;

Record record_of(const std::string& summary, const std::string& parameters, double ns) {
  Record record;
  record.task_summary = summary;
  record.task_key = digest_of(summary);
  record.candidate.target = to_text(test::make_target());
  record.board.model = "Test board";
  record.candidate.formulation = "direct";
  record.candidate.parameters = parameters;
  record.candidate.ports = "ports";
  record.measurement.median_ns = ns;
  record.features = {1, 2};
  record.feature_version = 1;
  return record;
}

std::string cousin(const std::string& cpu, int bits) {
  Target target = test::make_target();
  target.cpu = cpu;
  target.vector_bits = bits;
  return to_text(target);
}

TEST(TaskDistance, CountsSizesAndWordsAndKnowsNoWayBetweenKinds) {
  EXPECT_EQ(task_distance("conv1x1 64>256 56x56", "conv1x1 64>256 56x56"), 0);
  EXPECT_EQ(task_distance("conv1x1 64>256 56x56", "conv1x1 128>256 56x56"), 0.5);
  EXPECT_EQ(task_distance("conv1x1 64>256 56x56", "conv1x1 64>256 56x56 +relu"), 0.5);
  EXPECT_TRUE(std::isinf(task_distance("conv1x1 64>256 56x56", "conv3x3 64>256 56x56")));
  EXPECT_TRUE(std::isinf(task_distance("conv1x1 64>256 56x56", "conv1x1 64>256")));
  EXPECT_TRUE(std::isinf(task_distance("conv1x1 64", "")));
}

TEST(NearTargets, HaveTheSameTripleAndVectorWidth) {
  NearTargets near(cousin("znver5", 512));
  EXPECT_TRUE(near(cousin("znver5", 512)));
  EXPECT_TRUE(near(cousin("sapphirerapids", 512)));
  EXPECT_FALSE(near(cousin("znver5", 256)));
  EXPECT_FALSE(near("no target at all"));
}

TEST(NearPoints, ComeFromLikeTasksNearestFirstAndFastestFirst) {
  const std::vector<Record> log = {
      record_of("conv1x1 512>256 28x28", "t=1", 900), record_of("conv1x1 128>256 28x28", "t=2", 900),
      record_of("conv1x1 128>256 28x28", "t=3", 800), record_of("conv1x1 128>256 28x28", "t=4", 990),
      record_of("conv3x3 64>256 28x28", "t=5", 1)};
  Conditions search;
  search.target = make_request(0, 0).parts[0].target;
  wire::JobTask task;
  task.summary = "conv1x1 64>256 28x28";
  task.ports = "ports";
  const auto points = near_points({&log}, search, task, digest_of(task.summary), {});
  ASSERT_EQ(points.size(), 3u) << "two of each task";
  EXPECT_EQ(points[0].point, "direct t=3");
  EXPECT_EQ(points[1].point, "direct t=2");
  EXPECT_EQ(points[2].point, "direct t=1");
  EXPECT_LT(points[0].distance, points[2].distance);
}

TEST(NearPoints, AreNotTheTasksOwnNorThoseThatFailedNorOfStrangeTargets) {
  Record own = record_of("conv1x1 64>256 28x28", "t=1", 10),
         failed = record_of("conv1x1 128>256 28x28", "t=2", 10),
         strange = record_of("conv1x1 128>256 28x28", "t=3", 10);
  failed.measurement.status = MeasureStatus::crashed;
  strange.candidate.target = cousin("generic", 512);
  const std::vector<Record> log = {own, failed, strange};
  Conditions search;
  search.target = make_request(0, 0).parts[0].target;
  search.board_model = "Test board";
  search.mode = own.measurement.mode;
  wire::JobTask task;
  task.summary = own.task_summary;
  task.ports = own.candidate.ports;
  EXPECT_THAT(near_points({&log}, search, task, own.task_key, {}), testing::IsEmpty());
  Record elsewhere = own;
  elsewhere.board.model = "Another board";
  const std::vector<Record> other = {elsewhere};
  EXPECT_EQ(near_points({&other}, search, task, own.task_key, {}).size(), 1u)
      << "another board's best is a hint";
  const std::vector<Record> copy = log;
  const auto again = near_points({&log, &copy}, search, task, own.task_key, {});
  ASSERT_EQ(again.size(), 1u) << "another log's best of the same task is a hint, on whatever board";
  EXPECT_EQ(again[0].distance, 0);
}

TEST(TrainingRows, TakeOtherLogsAndNearTargetsInGroupsOfTheirOwn) {
  Record near = record_of("conv1x1 8", "t=1", 100), strange = near;
  near.candidate.target = cousin("znver5", 256);
  strange.candidate.target = cousin("generic", 512);
  const std::vector<Record> own = {record_of("conv1x1 8", "t=1", 200)}, transfer = {near, strange};
  const auto rows = training_rows({&own, &transfer}, own[0].candidate.target, 1, {});
  ASSERT_TRUE(rows);
  EXPECT_THAT(rows->groups, testing::ElementsAre(0, 1));
  EXPECT_THAT(rows->scores, testing::ElementsAre(5000, 10000));
  Settings few;
  few.train_rows = 1;
  EXPECT_FALSE(training_rows({&own, &transfer}, own[0].candidate.target, 1, few))
      << "one time orders nothing";
}

TEST(TargetSpeed, EndsTheSearchOnceFinalsAgree) {
  World world({}, 21);
  world.add_tuner("tuner");
  world.add_runner("board");
  wire::JobRequest request = make_request(2, 0);
  request.target_ms = 0.13;  // candidates take 50 to 150 us, evenly spread: 65 us each
  world.submit(request);
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.last_event().state, "Completed");
  EXPECT_THAT(world.last_event().reason, HasSubstr("under the target of 0.13 ms"));
  double ms = 0;
  for (const auto& task : world.last_event().tasks) ms += task.best_ns * 1e-6;
  EXPECT_LE(ms, 0.13);
  EXPECT_LT(world.last_event().trials, 100u) << "no longer than that took";
  EXPECT_TRUE(std::any_of(world.disk().begin(), world.disk().end(),
                          [](const Record& record) { return record.from.final; }));
  EXPECT_THAT(world.broken, testing::IsEmpty());

  const size_t records = world.disk().size();
  world.submit(request);
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.disk().size(), records) << "it is as fast already";
}

TEST(TargetSpeed, OutOfReachEndsWhenEveryTaskIsFinished) {
  Settings settings;
  settings.settle_trials = 12;
  World world(settings, 22);
  world.add_tuner("tuner");
  world.add_runner("board");
  wire::JobRequest request = make_request(2, 0);
  request.target_ms = 0.01;
  world.submit(request);
  ASSERT_TRUE(world.run(Time(120000)));
  EXPECT_EQ(world.last_event().reason, "every task is finished");
}

TEST(SpaceVersion, ANewerOneIsMeasuredAgainAndTheOldTimeForgotten) {
  TaskState task;
  Record old = record_of("conv1x1 8", "t=1", 100);
  old.candidate.space_version = 1;
  task.observe(old, false);
  EXPECT_TRUE(task.knows("direct t=1", 1));
  EXPECT_FALSE(task.knows("direct t=1", 2));
  Record young = record_of("conv1x1 8", "t=1", 300);
  young.candidate.space_version = 2;
  young.artifact = digest_of("another");
  task.observe(young, true);
  EXPECT_TRUE(task.knows("direct t=1", 2));
  EXPECT_EQ(task.best_ns, 300);
}

TEST(Hints, ComeFromLikeTasksOfTheJobUntilTheTaskHasTrialsOfItsOwn) {
  Lane lane;
  for (const char* summary : {"conv1x1 64 28x28", "conv1x1 128 28x28", "conv3x3 64 28x28"}) {
    TaskState task;
    task.task.summary = summary;
    lane.tasks.push_back(std::move(task));
  }
  for (size_t task : {size_t{1}, size_t{2}})
    for (int i = 0; i < 10; ++i) {
      Record record = record_of(lane.tasks[task].task.summary,
                                "t=" + std::to_string(100 * task + static_cast<size_t>(i)), 1000 - i);
      record.artifact = digest_of(std::to_string(task) + "/" + std::to_string(i));
      lane.tasks[task].observe(record, true);
    }
  EXPECT_THAT(hints_for(lane, 0, {}), testing::ElementsAre("direct t=109", "direct t=108"));
  Settings settings;
  settings.settle_trials = 16;
  EXPECT_THAT(hints_for(lane, 1, settings), testing::IsEmpty());
}

}  // namespace
}  // namespace hone::scheduler
