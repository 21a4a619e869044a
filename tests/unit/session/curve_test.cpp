// The curve file, and the selection of tasks.
#include "tuner/session/curve.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tuner/session/task_list.h"
#include "tuner/session/tune.h"

namespace hone::session {
namespace {

using testing::HasSubstr;

std::vector<TunedTask> two_tasks() {
  return {{"conv", digest_of("k1"), 2, 1e6}, {"dense", digest_of("k2"), 1, 1e6}};
}

wire::JobEvent event(uint64_t trials, double first, double second) {
  wire::JobEvent event;
  event.trials = trials;
  event.tasks = {{1, 1, first, first, false}, {1, 1, second, second, false}};
  return event;
}

TEST(Curve, HasARowPerChangeAndNoTimeWhileATaskHasNone) {
  const auto path = std::filesystem::temp_directory_path() / "hone-curve-test.csv";
  {
    auto curve = CurveFile::create(path);
    ASSERT_TRUE(curve) << curve.error().text();
    curve->add(0.5, two_tasks(), event(1, 1e6, 0));
    curve->add(1.0, two_tasks(), event(2, 1e6, 5e5));
    curve->add(1.5, two_tasks(), event(2, 1e6, 5e5));
    wire::JobEvent last = event(9, 8e5, 5e5);
    for (auto& task : last.tasks) task.finished = true;
    curve->add(2, two_tasks(), last);
  }
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  EXPECT_EQ(text.str(), "seconds,trials,model_ms,finals\n0.500,1,,0\n1.000,2,2.50000,0\n2.000,9,2.10000,1\n");
  std::filesystem::remove(path);
}

TEST(Curve, ThatCannotBeWrittenIsAnError) {
  const auto curve = CurveFile::create("/nowhere/at/all/curve.csv");
  ASSERT_FALSE(curve);
  EXPECT_THAT(curve.error().text(), HasSubstr("cannot be written"));
  EXPECT_THAT(curve.error().text(), HasSubstr("/nowhere/at/all/curve.csv"));
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

std::vector<int> counts(const Result<std::vector<PlannedTask>>& tasks) {
  std::vector<int> result;
  if (tasks)
    for (const PlannedTask& task : *tasks) result.push_back(task.count);
  return result;
}

TEST(SelectTasks, TakesNumbersAndRangesInTheOrderOfTheModel) {
  EXPECT_THAT(counts(select_tasks(six_tasks(), {"4,0-1"})), testing::ElementsAre(1, 2, 5));
  EXPECT_THAT(counts(select_tasks(six_tasks(), {"0", "1x48"})), testing::ElementsAre(1, 6));
}

TEST(SelectTasks, RefusesNumbersThatAreNotThere) {
  EXPECT_THAT(select_tasks(six_tasks(), {"6"}).error().text(),
              HasSubstr("there is no task 6: the model has 6"));
  EXPECT_THAT(select_tasks(six_tasks(), {"2-9"}).error().text(), HasSubstr("there is no task 9"));
  EXPECT_THAT(select_tasks(six_tasks(), {"3-1"}).error().text(), HasSubstr("3-1 ends before it begins"));
  EXPECT_THAT(select_tasks(six_tasks(), {"1-"}).error().text(), HasSubstr("called like '1-'"));
  EXPECT_THAT(select_tasks(six_tasks(), {","}).error().text(), HasSubstr("names no task"));
}

TEST(TargetSpeed, IsATimeAboveZero) {
  EXPECT_TRUE(check_target_speed(2.5));
  for (const double bad : {0.0, -1.0, std::nan(""), double{INFINITY}})
    EXPECT_THAT(check_target_speed(bad).error().text(), HasSubstr("is no time in milliseconds"));
}

}  // namespace
}  // namespace hone::session
