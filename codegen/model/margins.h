// Buffers as the executor sees them: their size, their margins as strided fills, their values as strided
// copies.
#pragma once

#include <vector>

#include "codegen/formulation/formulation.h"
#include "codegen/runtime/model/table.h"

namespace hone {

/// Whole buffer, with margins, padding lanes, and one vector of slack; a multiple of 64.
int64_t buffer_bytes(const TensorType& type, const Port& port);

/// Takes out of `port` as much of where a part begins in its buffer as is a multiple of 64 bytes, and gives
/// these bytes: a kernel for the port that is left computes the same with its pointer so far on.
int64_t take_shift(const TensorType& type, Port& port);

/// What fills the margin of a buffer at `base` (bytes in the arena). None if it has none.
std::vector<hone_fill> margin_fills(const TensorType& type, const Port& port, float value, int64_t base);

/// How a dense row-major array maps to a plain version in the arena.
hone_copy boundary_copy(const TensorType& type, const Port& port, int64_t base);

}  // namespace hone
