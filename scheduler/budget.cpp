// Follows the gradient idea of Ansor's task scheduler (Zheng et al. 2020, section 6), with rounds instead of
// single trials.
#include "scheduler/budget.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string_view>

namespace hone::scheduler {
namespace {

constexpr double kBackward = 0.5;   // weight of what was seen against what may be hoped for
constexpr double kFirstHope = 0.3;  // part of its time that a task without a like one may hope to lose
constexpr double kMostHope = 0.7;   // no hope is larger than that

/// "conv3x3 s2 3>64" is like every conv3x3.
std::string_view kind_of(const TaskState& task) {
  const std::string_view summary = task.task.summary;
  return summary.substr(0, summary.find(' '));
}

/// The best FLOP/s (in FLOP/ns) of the tasks of one kind, and of all of them but the best.
struct Fastest {
  double best = 0, second = 0;
  size_t holder = 0;
};
using FastestByKind = std::map<std::string_view, Fastest>;

FastestByKind fastest_by_kind(const Lane& lane) {
  FastestByKind fastest;
  for (size_t i = 0; i < lane.tasks.size(); ++i) {
    const TaskState& task = lane.tasks[i];
    if (!task.has_time() || task.task.flops <= 0) continue;
    const double speed = task.task.flops / task.best_ns;
    Fastest& kind = fastest[kind_of(task)];
    if (speed > kind.best)
      kind = {speed, kind.best, i};
    else
      kind.second = std::max(kind.second, speed);
  }
  return fastest;
}

/// Part of its best time that a task may hope to lose, from the best FLOP/s among the others like it.
double hope(const Lane& lane, size_t index, const FastestByKind& fastest) {
  const TaskState& task = lane.tasks[index];
  const double best = task.best_ns;
  const auto kind = fastest.find(kind_of(task));
  if (kind == fastest.end() || task.task.flops <= 0) return kFirstHope;
  const double speed = kind->second.holder == index ? kind->second.second : kind->second.best;
  if (speed <= 0) return kFirstHope;
  const double reachable = task.task.flops / speed;
  return std::clamp((best - reachable) / best, 0.02, kMostHope);
}

/// Milliseconds that building and measuring one candidate of `task` take; like the others while it has none.
/// What still waits for a board has cost none yet: counted as if it had, a task would seem the cheaper the
/// more of it waits, and a thousand boards would work on a few tasks.
double cost_of(const Lane& lane, const TaskState& task) {
  const auto mean = [](double ms, uint64_t count) { return count > 0 ? ms / static_cast<double>(count) : 0; };
  double building = mean(task.building_ms, task.built);
  double measuring = mean(task.boards_ms, task.settled_candidates());
  if (building <= 0 || measuring <= 0) {
    double building_ms = 0, boards_ms = 0;
    uint64_t built = 0, measured = 0;
    for (const TaskState& other : lane.tasks) {
      building_ms += other.building_ms;
      boards_ms += other.boards_ms;
      built += other.built;
      measured += other.settled_candidates();
    }
    if (building <= 0) building = mean(building_ms, built);
    if (measuring <= 0) measuring = mean(boards_ms, measured);
  }
  return building + measuring > 0 ? building + measuring : 1;
}

double gain_of(const Lane& lane, size_t index, const Settings& settings, const FastestByKind& fastest);

}  // namespace

double expected_gain(const Lane& lane, size_t index, const Settings& settings) {
  return gain_of(lane, index, settings, fastest_by_kind(lane));
}

namespace {
double gain_of(const Lane& lane, size_t index, const Settings& settings, const FastestByKind& fastest) {
  const TaskState& task = lane.tasks[index];
  if (!task.has_time()) return std::numeric_limits<double>::infinity();
  const double best = task.best_ns, size = settings.round_size;
  const size_t trials = task.best_after.size(), window = 3 * static_cast<size_t>(settings.round_size);
  double seen = 0;
  if (trials > 1) {
    const size_t from = trials > window ? trials - window - 1 : 0;
    const double earlier = task.best_after[from], last = task.best_after.back();
    if (earlier > last) seen = (earlier - last) / static_cast<double>(trials - 1 - from) * size;
  }
  const double hoped = best * hope(lane, index, fastest) * size / (size + static_cast<double>(trials));
  return task.task.weight * (kBackward * seen + (1 - kBackward) * hoped);
}
}  // namespace

double share_of_model(const Lane& lane, size_t index) {
  double whole = 0;
  for (const TaskState& task : lane.tasks) whole += task.task.weight * task.best_ns;
  return whole > 0 ? lane.tasks[index].task.weight * lane.tasks[index].best_ns / whole : 1;
}

bool is_settled(const TaskState& task, const Settings& settings, double share) {
  if (!task.has_time()) return task.failures >= settings.hopeless;
  const double part = std::clamp(share / settings.small_share, 0.25, 1.0);
  const auto window = static_cast<size_t>(std::ceil(settings.settle_trials * part));
  const size_t trials = task.best_after.size();
  if (trials <= window) return false;
  const double before = task.best_after[trials - 1 - window], last = task.best_after.back();
  return before > 0 && before - last <= settings.noise * before;
}

std::optional<size_t> choose_task(const Lane& lane, const Settings& settings) {
  std::optional<size_t> chosen;
  double most = -1;
  const FastestByKind fastest = fastest_by_kind(lane);
  for (size_t i = 0; i < lane.tasks.size(); ++i) {
    const TaskState& task = lane.tasks[i];
    if (task.phase != TaskPhase::search || task.exhausted || task.settled) continue;
    const bool is_first = !task.has_time();
    // Without a time there is nothing to race against or learn from: one round at a time.
    if (is_first && (task.rounds > 0 || task.measuring > 0)) continue;
    const double in_flight = task.asked + task.measuring;
    const double gain = is_first ? std::numeric_limits<double>::max()
                                 : gain_of(lane, i, settings, fastest) / cost_of(lane, task) /
                                       (1 + in_flight / settings.round_size);
    if (gain > most) {
      most = gain;
      chosen = i;
    }
  }
  return chosen;
}

}  // namespace hone::scheduler
