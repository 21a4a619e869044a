// Bytes that one tile touches, by role and by loop level: what traffic between caches is estimated from.
// Private to cost_model/features.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "cost_model/features/nest.h"

namespace hone::features {

/// Roles as the features tell them apart.
enum { input_group, constant_group, output_group, groups };

class Footprints {
 public:
  Footprints() = default;
  /// `program` and `nest` must outlive it.
  Footprints(const loop::Program& program, const Nest& nest);

  double at(size_t from, int group) const { return bytes_[from][static_cast<size_t>(group)]; }
  double all(size_t from) const { return bytes_[from][0] + bytes_[from][1] + bytes_[from][2]; }
  /// The outermost level inside which everything fits `cache`.
  size_t fitting_level(double cache) const;
  /// Bytes of a role that come from beyond `cache`: what is touched inside the fitting level, once per
  /// iteration around it.
  double traffic(double cache, int group) const;
  double traffic(double cache) const {
    return traffic(cache, input_group) + traffic(cache, constant_group) + traffic(cache, output_group);
  }
  /// Bytes touched between two uses of the same element: inside the innermost loop around the register tile
  /// that the role's accesses do not depend on; everything if there is none.
  double reuse_distance(int group) const;

 private:
  bool touched(int group, const std::string& variable) const;

  const loop::Program* program_ = nullptr;
  const Nest* nest_ = nullptr;
  std::vector<std::array<double, groups>> bytes_;
};

}  // namespace hone::features
