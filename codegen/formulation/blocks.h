// Channel blocks: how wide the channel block of an activation is on a Target, and the layout that follows.
// The planner and every formulation take V from here, so that neighbours agree without negotiation (see
// codegen/CONTRACTS.md, layouts).
#pragma once

#include <cstdint>

#include "codegen/base/target.h"
#include "codegen/base/tensor.h"

namespace hone {

/// V of NCHW[V]c: the fp32 lanes, or for at most half as many channels the next power of two.
int64_t channel_block(const Target& target, int64_t channels);

/// The layout that activations of this shape have where a formulation can choose: NCHW[V]c for rank 4 (plain
/// where V is 1), else plain.
Layout activation_layout(const Target& target, const Shape& shape);

/// The block of logical dimension 1 in `layout`; 1 if it has none.
int64_t block_of(const Layout& layout, int dimension);

inline int64_t round_up(int64_t value, int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace hone
