// A guess of how long a nest takes on a nominal core: two vector multiply-adds, two loads and one store a
// cycle (half of it where a vector takes two passes, see vector_passes), six instructions, four cycles from
// one multiply-add to the next that needs it. Nobody believes the figure; the learner starts from it and
// learns its error, which is the same kind of error for every shape. Private to cost_model/features.
#pragma once

#include "codegen/base/target.h"
#include "cost_model/features/features.h"
#include "cost_model/features/footprints.h"
#include "cost_model/features/nest.h"

namespace hone::features {

/// Cycles of a nest, all its iterations together, by what they are spent on.
struct Estimate {
  double arithmetic = 0;  ///< vector operations of the reduction, at two passes a cycle
  double loads = 0;       ///< loads of the reduction, at two passes a cycle; a gather's lanes one by one
  double latency = 0;     ///< the chains of the accumulators, four cycles a reduce point
  double front = 0;       ///< instructions of the reduction at six a cycle, loop counters included
  double edges = 0;       ///< entering and leaving reduce loops: zeroing, branches guessed wrong
  double epilogue = 0;    ///< what is done to each element once, and its store
  double l2 = 0;          ///< lines from beyond the L1d cache, at 32 bytes a cycle
  double llc = 0;         ///< lines from beyond the L2 cache, at 12 bytes a cycle
  double memory = 0;      ///< lines from beyond the last-level cache, at 6 bytes a cycle
  /// The slowest unit of the reduction, with what goes before and after it.
  double core() const;
  /// Memory overlaps with most of the core's work.
  double cycles() const;
  Estimate& operator+=(const Estimate& other);
};

Estimate estimate_of(const Nest& nest, const Footprints& bytes, const Target& target,
                     const CacheSizes& caches);

/// Vector registers per vector of the tile.
double registers_per_vector(const Nest& nest, const Target& target);
/// Product of the reduce loops' unroll factors.
double unroll_of_reduce(const Nest& nest);

}  // namespace hone::features
