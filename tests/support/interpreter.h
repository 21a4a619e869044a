// Interpreters of Computations and of lowered Programs on double buffers: what they compute must be equal. They find
// bugs of lowering without LLVM, and check every access on the way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/loop/loop.h"

namespace hone::test {

/// One buffer per tensor, each of `geometry(...).elements` doubles, halo and padding lanes included.
using Buffers = std::vector<std::vector<double>>;

/// Buffers with inputs and constants filled from `seed` (halo: its value, padding lanes: random too) and NaN elsewhere.
Buffers make_buffers(const Computation& computation, uint64_t seed);

/// Computes every stage point by point, straight from its definition.
void interpret(const Computation& computation, Buffers& buffers);

/// What an execution of a Program did wrong; empty if nothing.
struct Execution {
  std::string problem;                     ///< an access outside its buffer or guards, a read of a value never written
  std::vector<std::vector<int>> written;   ///< per tensor and element: how often
};
Execution interpret(const loop::Program& program, Buffers& buffers);

}  // namespace hone::test
