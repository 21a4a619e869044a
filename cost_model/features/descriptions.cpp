// The list of features, in the order of the vector. Change it only together with feature_version.
#include "cost_model/features/features.h"

namespace hone {

const std::vector<FeatureDescription>& feature_descriptions() {
  static const std::vector<FeatureDescription> list = {
      // whole program
      {"work", "log2 operations",
       "arithmetic of all tiles, combiner included; a copied element counts as one"},
      {"phases", "count", "phases of the program"},
      {"tiles", "count", "tiles in all phases, peeled ones included"},
      {"main_share", "ratio", "work of the main tile / work of all"},
      {"tail_share", "ratio", "work of the main stage that lies outside its main tile"},
      {"code", "log2 operations", "unrolled vector operations of all tiles: size of the machine code"},
      // register tile
      {"accumulators", "vector registers", "copies x registers per vector"},
      {"register_share", "ratio", "accumulators / registers of the target"},
      {"copies_inner", "count", "extent of the innermost tiled axis"},
      {"copies_outer", "count", "extent of the next tiled axis"},
      {"vectors", "ratio", "lanes of the tile / lanes of the target"},
      {"lane_use", "ratio", "active lanes / lanes"},
      {"vector_loads", "per fma", "contiguous loads at one reduce point / copies"},
      {"broadcasts", "per fma", "lane-invariant loads at one reduce point / copies"},
      {"gathers", "per fma", "strided loads at one reduce point / copies"},
      {"guarded_loads", "per fma", "loads with guards at one reduce point / copies"},
      {"transcendentals", "per element", "exp, log, tanh, sigmoid, sqrt and div"},
      {"contiguous_store", "0 or 1", "lanes of the store lie side by side"},
      {"body", "log2 operations", "operations of one unrolled iteration of the reduce loops"},
      {"reduce_unroll", "count", "product of the reduce loops' unroll factors"},
      // loops
      {"reduce_points", "log2 count", "product of the reduce extents"},
      {"reduce_0", "log2 extent", "innermost reduce loop"},
      {"reduce_1", "log2 extent", "next reduce loop"},
      {"reduce_2", "log2 extent", "next reduce loop"},
      {"outer_iterations", "log2 count", "product of the loops around the tile"},
      {"outer_0", "log2 extent", "innermost loop around the tile"},
      {"outer_1", "log2 extent", "next loop"},
      {"outer_2", "log2 extent", "next loop"},
      {"outer_3", "log2 extent", "next loop"},
      {"parallel", "log2 count", "product of the parallel extents"},
      {"depth", "count", "loops around the tile"},
      // memory
      {"tile_input", "log2 bytes", "inputs touched by one tile with its reduction"},
      {"tile_constant", "log2 bytes", "constants touched by one tile with its reduction"},
      {"tile_output", "log2 bytes", "outputs and scratch touched by one tile with its reduction"},
      {"tile_all", "log2 bytes", "sum of the three"},
      {"loop_all", "log2 bytes", "touched by one run of the innermost loop around the tile"},
      {"innermost_all", "log2 bytes", "touched by one run of the innermost reduce loop"},
      {"l1_input", "log2 bytes per operation", "inputs that come from beyond the L1d cache"},
      {"l1_constant", "log2 bytes per operation", "constants that come from beyond the L1d cache"},
      {"l1_output", "log2 bytes per operation", "outputs that go beyond the L1d cache"},
      {"l2_input", "log2 bytes per operation", "as above, L2 cache"},
      {"l2_constant", "log2 bytes per operation", "as above, L2 cache"},
      {"l2_output", "log2 bytes per operation", "as above, L2 cache"},
      {"llc_input", "log2 bytes per operation", "as above, last-level cache"},
      {"llc_constant", "log2 bytes per operation", "as above, last-level cache"},
      {"llc_output", "log2 bytes per operation", "as above, last-level cache"},
      {"reuse_input", "log2 bytes", "touched between two uses of one input element"},
      {"reuse_constant", "log2 bytes", "touched between two uses of one constant"},
      {"reuse_output", "log2 bytes", "touched between two uses of one output element"},
      {"l1_iterations", "log2 count",
       "element operations inside the outermost level that fits the L1d cache"},
      {"l2_iterations", "log2 count", "element operations inside the outermost level that fits the L2 cache"},
      {"all_input", "log2 bytes", "inputs touched in all"},
      {"all_constant", "log2 bytes", "constants touched in all"},
      {"all_output", "log2 bytes", "outputs touched in all"},
      {"intensity", "log2 operations per byte", "work of the main tile / all that it touches"},
  };
  return list;
}

}  // namespace hone
