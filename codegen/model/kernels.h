// Every distinct candidate of a plan, lowered and emitted once; its packing compiled for the machine that
// builds.
#pragma once

#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/model/model.h"
#include "codegen/runtime/host/host.h"

namespace hone {

struct CompiledKernel {
  std::string symbol;
  Signature signature;
  std::vector<std::byte> object;
  int64_t code_bytes = 0;
  hone_prepare_function* prepare = nullptr;  ///< null: nothing to pack
};

struct Kernels {
  std::vector<CompiledKernel> kernels;
  std::vector<size_t> of_op;             ///< kernel of each operator of the plan
  std::vector<LoadedImage> preparation;  ///< keeps the `prepare` functions mapped; at most one
};

/// On `threads` threads. Error: where code generation fails, with the task.
Result<Kernels> compile_kernels(const Plan& plan, int threads);

/// The constants of every operator, packed, one after the other at multiples of 64; `offsets[op][k]` says
/// where.
struct PackedWeights {
  std::vector<std::byte> bytes;
  std::vector<std::vector<int64_t>> offsets;
};
Result<PackedWeights> pack_weights(const Plan& plan, const Kernels& kernels);

}  // namespace hone
