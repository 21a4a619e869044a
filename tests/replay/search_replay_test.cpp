// The search against a table of times: no clock, no board. It must reach the neighbourhood of the best in
// fewer trials than drawing at random does.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tuner/search/search.h"

namespace hone {
namespace {

/// A made-up convolution: register tiles of columns x channel blocks, two loop orders, cache blocks and
/// unrolling, with the cliffs that real ones have (registers, instruction cache, tails).
PointSpace table_space() {
  return {"direct",
          {{"block", {1, 2, 4, 8, 16, 32}},
           {"columns", {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}},
           {"oc", {1, 2, 3, 4}},
           {"order", {0, 1, 2}},
           {"unroll", {1, 2, 4, 8, 16}}},
          {{"block", 1}, {"columns", 7}, {"oc", 2}, {"order", 0}, {"unroll", 1}}};
}

double table_time(const Point& point) {
  const auto at = [&](const char* name) { return static_cast<double>(point.parameters.at(name)); };
  const double accumulators = at("columns") * at("oc");
  const double loads = 1 / at("oc") + 1 / at("columns");
  double time = 1 + 0.8 * loads + 4 / std::max(accumulators, 4.0);
  if (accumulators > 28) time *= 1 + 0.1 * (accumulators - 28);
  time *= 1 + (std::fmod(56, at("columns")) / 56);
  if (at("unroll") * accumulators > 256) time *= 1.3;
  time *= 1 + 0.06 / at("unroll");
  const double cache = at("block") * at("oc") * (at("order") == 1 ? 2 : 1);
  time *= 1 + 0.1 * std::abs(std::log2(cache / 16));
  return time * (at("order") == 2 ? 1.2 : 1);
}

std::optional<Described> table_features(const Point& point) {
  std::vector<float> row;
  for (const auto& [name, value] : point.parameters)
    row.push_back(std::log2(1.0f + static_cast<float>(value)));
  row.push_back(std::log2(static_cast<float>(point.parameters.at("columns") * point.parameters.at("oc"))));
  return Described{row};
}

/// Scores by the nearest measured rows, weighted by distance: what a learned model does, without one.
Predict nearest(std::vector<std::pair<std::vector<float>, double>> measured) {
  if (measured.size() < 8) return {};
  return [measured = std::move(measured)](std::span<const std::vector<float>> rows) {
    std::vector<float> scores;
    for (const auto& row : rows) {
      double sum = 0, weights = 0;
      for (const auto& [known, time] : measured) {
        double distance = 0.05;
        for (size_t i = 0; i < row.size(); ++i) distance += std::pow(row[i] - known[i], 2);
        sum += time / (distance * distance);
        weights += 1 / (distance * distance);
      }
      scores.push_back(static_cast<float>(-sum / weights));
    }
    return scores;
  };
}

double best_of_table() {
  double best = 1e300;
  const PointSpace space = table_space();
  SearchInput input;
  input.spaces = {space};
  input.count = 100000;
  input.settings.enumerate_up_to = 100000;
  for (const auto& entry : propose(input, table_features, {}).entries)
    best = std::min(best, table_time(entry.point));
  return best;
}

/// Trials until a time within 5 % of the best is measured; `guided`: with the model and the best so far.
int trials_to_95_percent(uint64_t seed, bool guided, double best) {
  SearchInput input;
  input.spaces = {table_space()};
  input.count = 16;
  // Without a model, a space that is looked at whole is gone through in random order: that is random search.
  if (!guided) {
    input.settings.enumerate_up_to = 100000;
    input.count = 100000;
  }
  std::vector<std::pair<std::vector<float>, double>> measured;
  std::vector<std::pair<double, Point>> times;
  for (int round = 0; round < 400; ++round) {
    input.seed = seed * 1000 + static_cast<uint64_t>(round);
    const Proposal proposal = propose(input, table_features, guided ? nearest(measured) : Predict());
    for (const auto& entry : proposal.entries) {
      const double time = table_time(entry.point);
      times.emplace_back(time, entry.point);
      measured.emplace_back(table_features(entry.point)->features, time);
      input.seen.insert(to_text(entry.point));
      if (time <= best / 0.95) return static_cast<int>(times.size());
    }
    input.first_trial = times.size();
    std::sort(times.begin(), times.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    input.top.clear();
    for (size_t i = 0; i < std::min<size_t>(8, times.size()); ++i) input.top.push_back(times[i].second);
  }
  return static_cast<int>(times.size());
}

int median_trials(bool guided) {
  const double best = best_of_table();
  std::vector<int> trials;
  for (uint64_t seed = 1; seed <= 15; ++seed) trials.push_back(trials_to_95_percent(seed, guided, best));
  std::sort(trials.begin(), trials.end());
  return trials[trials.size() / 2];
}

TEST(SearchReplay, ReachesTheBestInAThirdOfTheTrialsOfRandomSearch) {
  const int guided = median_trials(true), random = median_trials(false);
  RecordProperty("guided", guided);
  RecordProperty("random", random);
  EXPECT_LT(guided * 3, random) << "guided " << guided << ", random " << random;
}

TEST(SearchReplay, IsTheSameOnEveryReplay) {
  const double best = best_of_table();
  for (const uint64_t seed : {3u, 4u}) {
    EXPECT_EQ(trials_to_95_percent(seed, true, best), trials_to_95_percent(seed, true, best));
  }
}

}  // namespace
}  // namespace hone
