// Distances are taken between summaries, since tasks are opaque texts to the scheduler.
#include "scheduler/transfer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "codegen/base/target.h"
#include "scheduler/job.h"

namespace hone::scheduler {
namespace {

constexpr double kFar = std::numeric_limits<double>::infinity();
constexpr double kMostDistance = 6;  // 2^12 in all sizes together
constexpr double kOtherTarget = 0.5, kOtherConditions = 0.25;
constexpr size_t kPointsOfOne = 2;  // best points that one like task gives

struct Words {
  std::string kind;
  std::vector<double> sizes;
  std::set<std::string> rest;
};

Words words_of(std::string_view summary) {
  Words words;
  while (!summary.empty()) {
    const size_t end = std::min(summary.find(' '), summary.size());
    const std::string word(summary.substr(0, end));
    summary.remove_prefix(std::min(end + 1, summary.size()));
    if (word.empty()) continue;
    if (words.kind.empty()) {
      words.kind = word;
    } else if (word[0] < '0' || word[0] > '9') {
      words.rest.insert(word);
    } else {
      for (size_t i = 0; i < word.size();) {
        double number = 0;
        for (; i < word.size() && word[i] >= '0' && word[i] <= '9'; ++i)
          number = number * 10 + (word[i] - '0');
        words.sizes.push_back(std::max(number, 1.0));
        while (i < word.size() && (word[i] < '0' || word[i] > '9')) ++i;
      }
    }
  }
  return words;
}

bool has_good_time(const Record& record) {
  return record.measurement.status == MeasureStatus::ok && record.measurement.median_ns > 0;
}

void sort_and_cut(std::vector<NearPoint>& points, size_t most) {
  std::stable_sort(points.begin(), points.end(),
                   [](const NearPoint& a, const NearPoint& b) { return a.distance < b.distance; });
  std::set<std::string> seen;
  std::erase_if(points, [&](const NearPoint& point) { return !seen.insert(point.point).second; });
  if (points.size() > most) points.resize(most);
}

}  // namespace

NearTargets::NearTargets(std::string target) : target_(std::move(target)) {}

bool NearTargets::operator()(const std::string& other) {
  if (other == target_) return true;
  const auto [place, is_new] = known_.try_emplace(other, false);
  if (!is_new) return place->second;
  const auto a = parse_target(target_), b = parse_target(other);
  return place->second = a && b && a->triple == b->triple && a->vector_bits == b->vector_bits;
}

double task_distance(std::string_view a, std::string_view b) {
  const Words x = words_of(a), y = words_of(b);
  if (x.kind != y.kind || x.sizes.size() != y.sizes.size()) return kFar;
  double distance = 0;
  for (size_t i = 0; i < x.sizes.size(); ++i) distance += std::abs(std::log2(x.sizes[i] / y.sizes[i])) / 2;
  for (const std::string& word : x.rest) distance += y.rest.contains(word) ? 0 : 0.5;
  for (const std::string& word : y.rest) distance += x.rest.contains(word) ? 0 : 0.5;
  return distance;
}

std::vector<NearPoint> near_points(const std::vector<const std::vector<Record>*>& logs,
                                   const Conditions& search, const wire::JobTask& task, const Digest& key,
                                   const Settings& settings) {
  NearTargets is_near(search.target);
  std::map<std::string, double> distances;  // by summary
  struct Group {
    double distance;
    std::map<std::string, double> points;  ///< best time of each, ns
  };
  std::map<std::string, Group> groups;
  for (const std::vector<Record>* log : logs)
    for (const Record& record : *log) {
      if (!has_good_time(record)) continue;
      const auto [place, is_new] = distances.try_emplace(record.task_summary, 0);
      if (is_new) place->second = task_distance(task.summary, record.task_summary);
      double distance = place->second;
      if (distance > kMostDistance || !is_near(record.candidate.target)) continue;
      const bool same_place = record.candidate.target == search.target &&
                              (search.board_model.empty() || record.board.model == search.board_model);
      const bool same_use = record.candidate.ports == task.ports && record.measurement.mode == search.mode &&
                            record.measurement.threads == static_cast<int>(search.threads);
      // What the job's own log holds of the task is measured already; what another log does is worth a try.
      if (log == logs.front() && same_place && same_use && record.task_key == key) continue;
      distance +=
          (record.candidate.target == search.target ? 0 : kOtherTarget) + (same_use ? 0 : kOtherConditions);
      const std::string group = record.task_key.hex() + record.candidate.ports + record.candidate.target +
                                record.board.model + std::to_string(record.measurement.threads) +
                                std::string(to_text(record.measurement.mode));
      Group& points = groups.try_emplace(group, Group{distance, {}}).first->second;
      double& best = points.points.try_emplace(candidate_key(record.candidate), kFar).first->second;
      best = std::min(best, record.measurement.median_ns);
    }
  std::vector<NearPoint> result;
  for (const auto& [name, group] : groups) {
    std::vector<std::pair<double, std::string>> order;
    for (const auto& [point, ns] : group.points) order.emplace_back(ns, point);
    std::sort(order.begin(), order.end());
    for (size_t i = 0; i < std::min(order.size(), kPointsOfOne); ++i)
      result.push_back({group.distance, order[i].second});
  }
  sort_and_cut(result, settings.hints);
  return result;
}

std::vector<std::string> hints_for(const Lane& lane, size_t index, const Settings& settings) {
  const TaskState& task = lane.tasks[index];
  if (task.trials() >= settings.settle_trials / 2) return {};
  std::vector<NearPoint> points = task.near;
  for (size_t i = 0; i < lane.tasks.size(); ++i) {
    const TaskState& other = lane.tasks[i];
    if (i == index || other.trials() < settings.round_size) continue;
    const double distance = task_distance(task.task.summary, other.task.summary);
    if (distance > kMostDistance) continue;
    for (const Shown* shown : other.top(kPointsOfOne))
      points.push_back({distance, candidate_key(shown->record.candidate)});
  }
  sort_and_cut(points, settings.hints);
  std::vector<std::string> result;
  for (NearPoint& point : points) result.push_back(std::move(point.point));
  return result;
}

}  // namespace hone::scheduler
