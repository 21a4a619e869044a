// The search against tables of real times: spaces that were measured whole on an AMD Zen 5 core with AVX-512
// (data/README.md says how). The cost model is the one that a scheduler trains.
#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/loop/loop.h"
#include "codegen/task/graph_task.h"
#include "tests/replay/replay.h"
#include "tuner/search/task_space.h"

namespace hone::replay {
namespace {

const std::vector<RecordedTask>& recorded() {
  static const std::vector<RecordedTask> tasks = [] {
    auto read = read_recorded({std::string(HONE_SOURCE_DIR) + "/tests/replay/data/exhaustive.h5"});
    if (!read) ADD_FAILURE() << read.error().text();
    return read ? *read : std::vector<RecordedTask>();
  }();
  return tasks;
}

/// Few and different enough for a test: tests/performance/search_comparison runs them all.
std::vector<RecordedTask> some() {
  std::vector<RecordedTask> tasks;
  for (const RecordedTask& task : recorded())
    if (task.name == "conv1x1 512>128 28x28 +relu" || task.name == "conv3x3 512>512 7x7 +relu" ||
        task.name == "conv3x3 112>224 14x14 +relu")
      tasks.push_back(task);
  EXPECT_EQ(tasks.size(), 3u);
  return tasks;
}

/// Those of which less than a tenth of the points is at the goal: elsewhere no search has much to gain. All
/// of them, since any one is a matter of luck.
std::vector<RecordedTask> hard() {
  std::vector<RecordedTask> tasks;
  for (const RecordedTask& task : recorded()) {
    const auto good = std::ranges::count_if(
        task.points, [&](const RecordedPoint& point) { return point.ns <= task.best_ns / 0.95; });
    if (static_cast<size_t>(good) * 10 < task.points.size()) tasks.push_back(task);
  }
  EXPECT_GE(tasks.size(), 7u);
  return tasks;
}

/// Fewer trees than a scheduler grows, so that the test is quick.
ReplaySettings quick() {
  ReplaySettings settings;
  settings.ranking.members = 2;
  settings.ranking.trees = 40;
  return settings;
}

double mean_trials(const std::vector<RecordedTask>& tasks, Strategy strategy, int seeds,
                   const ReplaySettings& settings = quick()) {
  double sum = 0, count = 0;
  for (const RecordedTask& task : tasks) {
    const Lessons lessons =
        strategy == Strategy::transfer ? Lessons::of_others(recorded(), task.shape, 3000) : Lessons();
    for (int seed = 1; seed <= seeds; ++seed, ++count)
      sum += trials_to_goal(task, strategy, static_cast<uint64_t>(seed), lessons, settings);
  }
  return sum / count;
}

TEST(RecordedLog, HoldsTasksThatWereMeasuredWhole) {
  EXPECT_GE(recorded().size(), 10u);
  for (const RecordedTask& task : recorded()) {
    EXPECT_TRUE(task.whole) << task.name;
    EXPECT_GT(task.points.size(), 200u) << task.name;
    EXPECT_GT(task.best_ns, 0) << task.name;
  }
}

TEST(RecordedLog, SaysWhichLogItCannotRead) {
  const auto read = read_recorded({"/nonexistent/log.h5"});
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().text().find("/nonexistent/log.h5"), std::string::npos) << read.error().text();
}

/// Cycles of the least of what each formulation's default would be today; 0 if none lowers.
double least_first_cycles(const RecordedTask& task) {
  double least = 0;
  const auto space = TaskSpace::make(*any_task(task.task), task.target, task.ports);
  if (!space) return 0;
  for (const PointSpace& one : space->spaces()) {
    const Formulation* formulation = find_formulation(one.formulation);
    const auto formulated = formulation->formulate(task.task, task.target, task.ports);
    const auto schedule = formulation->schedule(task.task, task.target, task.ports, one.first);
    const auto program = loop::lower(formulated->run, *schedule);
    const double cycles = static_cost(*program, task.target).core_cycles;
    least = least == 0 ? cycles : std::min(least, cycles);
  }
  return least;
}

TEST(RecordedLog, NoPointThatStaticRulesDropCameWithinATenthOfItsTasksBest) {
  const std::string folder = std::string(HONE_SOURCE_DIR) + "/tests/replay/data/";
  auto read = read_recorded({folder + "exhaustive.h5", folder + "pools.h5", folder + "zen4.h5"});
  ASSERT_TRUE(read) << read.error().text();
  size_t points = 0, dropped = 0;
  for (const RecordedTask& task : *read) {
    const double least = least_first_cycles(task);
    ASSERT_GT(least, 0) << task.name;
    for (const RecordedPoint& point : task.points) {
      ++points;
      if (!cannot_be_good(point.cost, least, task.target)) continue;
      ++dropped;
      EXPECT_GT(point.ns, 1.1 * task.best_ns) << task.name << ": " << to_text(point.point);
    }
  }
  RecordProperty("points", std::to_string(points));
  RecordProperty("dropped", std::to_string(dropped));
  EXPECT_GT(dropped * 50, points) << dropped << " of " << points << ": rules that drop nothing";
}

TEST(RecordedSearch, NeedsHalfTheTrialsOfRandomOrder) {
  const double guided = mean_trials(some(), Strategy::guided, 2);
  const double random = mean_trials(some(), Strategy::random, 20);
  RecordProperty("guided", std::to_string(guided));
  RecordProperty("random", std::to_string(random));
  EXPECT_LT(guided * 2, random) << "guided " << guided << ", random " << random;
}

/// Mean trials over the hard tasks; the model is a scheduler's own: fewer trees make little of many lessons.
double of_hard(Strategy strategy, int seeds) { return mean_trials(hard(), strategy, seeds, {}); }

TEST(RecordedSearch, NeedsFewerTrialsWithALogOfOtherShapesThanWithoutOneAndHalfThoseOfAPlainEstimate) {
  // The same search, as a tuner does it, with and without earlier logs: both begin with the fitted estimate,
  // whose weights came from records of these very tasks and others. At most half is the goal, and is not met:
  // about 0.8 (tests/performance/results).
  const double transfer = of_hard(Strategy::transfer, 2), without = of_hard(Strategy::guided, 4);
  // And a search that no record at all had a part in: the plain estimate is arithmetic by hand.
  const double plain = of_hard(Strategy::estimate, 4);
  RecordProperty("transfer", std::to_string(transfer));
  RecordProperty("without", std::to_string(without));
  RecordProperty("plain", std::to_string(plain));
  EXPECT_LT(transfer, 0.9 * without) << "without " << without << ", transfer " << transfer;
  EXPECT_LE(transfer, 12);
  EXPECT_LE(transfer * 2, plain) << "plain estimate " << plain << ", transfer " << transfer;
}

TEST(RecordedSearch, NeedsFewerTrialsFromTheFittedEstimateOn) {
  const double plain = mean_trials(some(), Strategy::estimate, 2);
  const double fitted = mean_trials(some(), Strategy::guided, 2);
  RecordProperty("plain", std::to_string(plain));
  RecordProperty("fitted", std::to_string(fitted));
  EXPECT_LT(fitted, plain);
}

TEST(RecordedSearch, IsTheSameOnEveryReplay) {
  const RecordedTask task = some().front();
  EXPECT_EQ(trials_to_goal(task, Strategy::guided, 7, {}, quick()),
            trials_to_goal(task, Strategy::guided, 7, {}, quick()));
}

}  // namespace
}  // namespace hone::replay
