// Bounds inference for compute_at: which box of a tensor do the stages at one place read?
#pragma once

#include <set>
#include <string>
#include <vector>

#include "codegen/loop/tile.h"

namespace hone::loop {

/// A stage that reads, with the values of its axes at the place.
struct Reader {
  const Stage* stage;
  Scope scope;
};

/// The region of `tensor` that `readers` need while the variables in `outer` are fixed. Exact for reads that are affine
/// in those; else it covers all their values. Where a dimension is blocked, it begins at a multiple of the block.
Result<Region> region_read(const Computation& computation, int tensor, const std::vector<Reader>& readers,
                           const std::set<std::string>& outer);

}  // namespace hone::loop
