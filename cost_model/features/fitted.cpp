// Least squares on log2(time) - estimate within each task of tests/replay/data (33,264 records of an AMD Zen
// 5 core with AVX-512), near the best counting most; features taken in one by one as they helped
// (tests/performance/fit_estimate.py). Orders 0.89 of the pairs right where the estimate alone has 0.74.
#include "cost_model/features/fitted.h"

#include <string_view>
#include <vector>

#include "codegen/base/result.h"
#include "cost_model/features/features.h"

namespace hone::features {
namespace {

struct Weight {
  std::string_view feature;
  double weight;
};

// The first two say that the estimate makes too little of arithmetic and of dependent multiply-adds, and so
// too much of memory; the rest are small.
constexpr Weight kWeights[] = {
    {"estimate", 1},
    {"share_arithmetic", 1.9558},
    {"share_latency", 1.0321},
    {"second_core", 0.5046},
    {"copies_inner", 0.0036},
    {"excess_memory", -0.2201},
    {"l2_constant_rate", -0.0115},
    {"reuse_output", 0.0375},
    {"code", 0.0494},
    {"phases", 0.1211},
    {"inner_trips", 0.0364},
};

struct Place {
  size_t feature;
  double weight;
};

std::vector<Place> places() {
  std::vector<Place> result;
  const auto& list = feature_descriptions();
  for (const Weight& weight : kWeights) {
    size_t at = 0;
    while (at < list.size() && list[at].name != weight.feature) ++at;
    HONE_CHECK(at < list.size());
    result.push_back({at, weight.weight});
  }
  return result;
}

}  // namespace

float fitted_of(std::span<const float> values) {
  static const std::vector<Place> of_features = places();
  double sum = 0;
  for (const Place& place : of_features) sum += place.weight * static_cast<double>(values[place.feature]);
  return static_cast<float>(sum);
}

}  // namespace hone::features
