// A scheduled stage becomes a loop nest: loops outside the tile in their order, a copy for every tail, and the stages
// that are computed inside it at their loops.
#pragma once

#include <vector>

#include "codegen/loop/loop.h"
#include "codegen/loop/tile.h"

namespace hone::loop {

/// Which regions the attached stages' tensors were given in any copy: the largest per dimension.
using RegionExtents = std::map<int, Shape>;

/// The phases of the root stage `root`: one, or more if a parallel axis has a tail. `attached` are the stages computed
/// inside it, in the order of the computation.
struct NestInput {
  const Computation& computation;
  const ScheduledStage& root;
  std::vector<const ScheduledStage*> attached;
  const std::vector<Geometry>& geometries;
  RegionExtents& regions;  ///< grows
  bool measure_only;       ///< only finds the regions: no tiles
};
Result<std::vector<Phase>> make_phases(const NestInput& input);

}  // namespace hone::loop
