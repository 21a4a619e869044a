// The relative L2 distance of two outputs, as tests of whole models bound it.
#pragma once

#include <cmath>
#include <vector>

namespace hone::test {

/// |got - wanted| / |wanted| over all elements; infinite if the sizes differ, nothing is wanted or a value is
/// not finite.
inline double relative_error(const std::vector<float>& got, const std::vector<float>& wanted) {
  if (got.size() != wanted.size() || wanted.empty()) return INFINITY;
  double difference = 0, norm = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    difference += std::pow(static_cast<double>(got[i]) - wanted[i], 2);
    norm += std::pow(static_cast<double>(wanted[i]), 2);
  }
  if (!std::isfinite(difference)) return INFINITY;
  return difference == 0 ? 0 : std::sqrt(difference / norm);
}

}  // namespace hone::test
