// Positions of the features used are looked up by name once.
#include "tuner/search/prior.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "cost_model/features/features.h"

namespace hone {
namespace {

size_t position(std::string_view name) {
  const auto& list = feature_descriptions();
  const auto found = std::ranges::find(list, name, &FeatureDescription::name);
  HONE_CHECK(found != list.end());
  return static_cast<size_t>(found - list.begin());
}

struct Positions {
  size_t accumulators = position("accumulators"), register_share = position("register_share");
  size_t vector_loads = position("vector_loads"), broadcasts = position("broadcasts"),
         gathers = position("gathers");
  size_t body = position("body"), tail_share = position("tail_share");
};

float score(const std::vector<float>& row, const Positions& at) {
  const float loads = row[at.vector_loads] + row[at.broadcasts] + 8 * row[at.gathers];
  float cycles = std::max({0.5f, loads / 2, 4 / std::max(1.0f, row[at.accumulators])});
  cycles *= 1 + row[at.tail_share] / 2;
  cycles += 4 / std::exp2(row[at.body]);
  if (row[at.register_share] > 0.94f) cycles *= 1.5f;
  return -cycles;
}

}  // namespace

Predict prior_predictor() {
  return [at = Positions()](std::span<const std::vector<float>> rows) {
    std::vector<float> scores;
    for (const auto& row : rows) scores.push_back(score(row, at));
    return scores;
  };
}

}  // namespace hone
