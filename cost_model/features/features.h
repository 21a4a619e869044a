// Features of a lowered loop nest: a fixed-length vector of floats that the cost model ranks candidates by.
// A pure function of (Program, Target, CacheSizes). Most describe the main tile (the one that does most of
// the work).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "codegen/base/target.h"
#include "codegen/loop/loop.h"

namespace hone {

/// Rises whenever the meaning, the order or the number of features changes: rows of different versions never
/// mix.
constexpr int feature_version = 4;

/// What traffic is estimated for. The default is nominal, so that rows of different boards stay comparable.
struct CacheSizes {
  int64_t l1d_bytes = 32 << 10, l2_bytes = 1 << 20, llc_bytes = 32 << 20;
};

/// One feature: position in the vector = position in the list.
struct FeatureDescription {
  std::string_view name;
  std::string_view unit;
  std::string_view source;  ///< how it is worked out
};
const std::vector<FeatureDescription>& feature_descriptions();

/// Exactly feature_descriptions().size() finite numbers. The program must verify.
std::vector<float> features_of(const loop::Program& program, const Target& target,
                               const CacheSizes& caches = {});

/// What a search can refuse before it compiles.
struct StaticCost {
  int64_t accumulator_registers = 0;  ///< vector registers that the largest tile's accumulators fill
  int64_t live_registers = 0;         ///< with the operands that several of its copies share, and one more
  int64_t body_operations = 0;        ///< unrolled operations in the largest innermost loop
  int64_t code_operations = 0;        ///< unrolled operations in the whole program
  double core_cycles = 0;             ///< of all tiles on the nominal core, were all data at hand
};
StaticCost static_cost(const loop::Program& program, const Target& target);

}  // namespace hone
