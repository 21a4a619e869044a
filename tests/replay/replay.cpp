// One task, one strategy, one seed: rounds of proposals whose times are looked up.
#include "tests/replay/replay.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <unordered_map>

#include "tuner/search/points.h"
#include "tuner/search/prior.h"

namespace hone::replay {
namespace {

class Table {
 public:
  explicit Table(const RecordedTask& task) : task_(task) {
    for (size_t i = 0; i < task.points.size(); ++i) places_.emplace(to_text(task.points[i].point), i);
  }
  const RecordedPoint* find(const Point& point) const {
    const auto place = places_.find(to_text(point));
    return place == places_.end() ? nullptr : &task_.points[place->second];
  }

 private:
  const RecordedTask& task_;
  std::unordered_map<std::string, size_t> places_;
};

/// Each formulation's first is its slowest point; the formulation that has the slowest of all leads.
std::vector<PointSpace> from_the_worst(const RecordedTask& task) {
  std::vector<PointSpace> spaces = task.spaces;
  std::map<std::string, double> slowest;
  for (const RecordedPoint& point : task.points) {
    double& ns = slowest[point.point.formulation];
    if (point.ns <= ns) continue;
    ns = point.ns;
    for (PointSpace& space : spaces)
      if (space.formulation == point.point.formulation) space.first = point.point.parameters;
  }
  std::ranges::stable_sort(spaces, std::greater<>(),
                           [&](const PointSpace& space) { return slowest.at(space.formulation); });
  return spaces;
}

int trials_in_order(const RecordedTask& task, const Table& table, double goal) {
  int trials = 0;
  for (const PointSpace& space : task.spaces)
    for (int64_t i = 0; i < search::point_count(space); ++i) {
      const RecordedPoint* point = table.find(search::point_at(space, i));
      if (point == nullptr) continue;
      ++trials;
      if (point->ns <= goal) return trials;
    }
  return trials;
}

/// A model of the lessons and of what was measured; an empty function while both are too few.
Predict trained(const std::vector<const RecordedPoint*>& measured, const Lessons& lessons,
                const ReplaySettings& settings) {
  FeatureMatrix rows = lessons.rows;
  std::vector<int> groups = lessons.groups;
  std::vector<double> scores = lessons.scores;
  if (groups.empty() && measured.size() < settings.least_to_train) return {};
  for (const RecordedPoint* point : measured) {
    HONE_CHECK(rows.add(point->features));
    groups.push_back(-1);
    scores.push_back(1e6 / point->ns);
  }
  const auto bytes = train_ranking(rows, groups, scores, settings.ranking);
  HONE_CHECK(bytes);
  const auto model = std::make_shared<RankingModel>(*RankingModel::load(*bytes));
  return [model](std::span<const std::vector<float>> of) {
    FeatureMatrix matrix;
    for (const auto& row : of) HONE_CHECK(matrix.add(row));
    auto scores = model->predict_with_spread(matrix);
    HONE_CHECK(scores);
    return Scores(std::move(scores->mean), std::move(scores->spread));
  };
}

/// Scores by the estimate of the nominal core alone.
Predict plain_estimate() {
  const auto& list = feature_descriptions();
  const auto place = std::ranges::find(list, "estimate", &FeatureDescription::name) - list.begin();
  return [place](std::span<const std::vector<float>> rows) {
    std::vector<float> scores;
    for (const auto& row : rows) scores.push_back(-row[static_cast<size_t>(place)]);
    return scores;
  };
}

}  // namespace

const char* to_text(Strategy strategy) {
  switch (strategy) {
    case Strategy::exhaustive:
      return "in order";
    case Strategy::random:
      return "random";
    case Strategy::blind:
      return "blind";
    case Strategy::estimate:
      return "estimate";
    case Strategy::guided:
      return "guided";
    case Strategy::transfer:
      return "transfer";
    case Strategy::board:
      return "board";
  }
  return "";
}

namespace {

Lessons lessons_of(const std::vector<RecordedTask>& tasks, size_t most,
                   const std::function<bool(const RecordedTask&)>& counts) {
  size_t all = 0;
  for (const RecordedTask& task : tasks) all += counts(task) ? task.points.size() : 0;
  const size_t every = std::max<size_t>(1, (all + most - 1) / std::max<size_t>(1, most));
  Lessons lessons;
  for (size_t t = 0, at = 0; t < tasks.size(); ++t) {
    if (!counts(tasks[t])) continue;
    for (const RecordedPoint& point : tasks[t].points) {
      if (at++ % every != 0) continue;
      HONE_CHECK(lessons.rows.add(point.features));
      lessons.groups.push_back(static_cast<int>(t));
      lessons.scores.push_back(1e6 / point.ns);
    }
  }
  return lessons;
}

}  // namespace

Lessons Lessons::of_others(const std::vector<RecordedTask>& tasks, const std::string& shape, size_t most) {
  return lessons_of(tasks, most, [&](const RecordedTask& task) { return task.shape != shape; });
}

Lessons Lessons::of_board(const std::vector<RecordedTask>& tasks, const Digest& key, size_t most) {
  Lessons lessons = lessons_of(tasks, most, [](const RecordedTask&) { return true; });
  for (const RecordedTask& task : tasks) {
    if (task.key != key) continue;
    std::vector<RecordedPoint> points = task.points;
    std::ranges::sort(points, {}, &RecordedPoint::ns);
    for (size_t i = 0; i < std::min<size_t>(2, points.size()); ++i) lessons.hints.push_back(points[i].point);
  }
  return lessons;
}

int trials_to_goal(const RecordedTask& task, Strategy strategy, uint64_t seed, const Lessons& lessons,
                   const ReplaySettings& settings) {
  const Table table(task);
  const double goal = task.best_ns / settings.part_of_best;
  if (strategy == Strategy::exhaustive) return trials_in_order(task, table, goal);
  const bool is_random = strategy == Strategy::random, is_blind = strategy == Strategy::blind;
  SearchInput input;
  input.spaces = from_the_worst(task);
  input.count = is_random ? 1 << 20 : settings.round_size;
  input.settings = settings.search;
  if (is_random) input.settings.enumerate_up_to = int64_t{1} << 40;
  if (is_blind) input.settings.enumerate_up_to = 0;
  const auto describe = [&](const Point& point) -> std::optional<Described> {
    const RecordedPoint* found = table.find(point);
    if (found == nullptr) return std::nullopt;
    return Described{found->features, found->program};
  };
  const Lessons none;
  // Models of the same lessons differ by their seed more than searches do: a mean is over both.
  ReplaySettings drawn = settings;
  drawn.ranking.seed += seed;
  const bool taught = strategy == Strategy::transfer || strategy == Strategy::board;
  if (taught) input.hints = lessons.hints;
  std::vector<const RecordedPoint*> measured;
  for (uint64_t round = 0; round < 1000 && measured.size() < task.points.size(); ++round) {
    input.seed = seed * 1000 + round;
    Predict model;
    if (!is_random && !is_blind) model = trained(measured, taught ? lessons : none, drawn);
    const Proposal proposal = is_random || is_blind || model ? propose(input, describe, model)
                              : strategy == Strategy::estimate
                                  ? propose_by_prior(input, describe, plain_estimate())
                                  : propose_by_prior(input, describe);
    for (const auto& entry : proposal.entries) {
      measured.push_back(table.find(entry.point));
      HONE_CHECK(measured.back() != nullptr);
      input.seen.insert(to_text(entry.point));
      if (measured.back()->ns <= goal) return static_cast<int>(measured.size());
    }
    if (proposal.exhausted) break;
    input.first_trial = measured.size();
    std::vector<const RecordedPoint*> best = measured;
    std::ranges::stable_sort(best, {}, &RecordedPoint::ns);
    input.top.clear();
    for (size_t i = 0; i < std::min<size_t>(16, best.size()); ++i) input.top.push_back(best[i]->point);
  }
  return static_cast<int>(measured.size());
}

}  // namespace hone::replay
