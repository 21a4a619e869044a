// Loop IR: what a scheduled Computation lowers to, and what LLVM code is emitted from.
//
// Every stage is loops around register tiles. A Tile computes `copies x lanes` output elements at once: its accumulators
// are SSA values, carried by the phis of its reduce loops, so no accumulator ever goes through memory.
//
//   phase 0 parallel 112                        one index, split over threads
//     for ow.o 4
//       tile oc.t 2, ow.i 14, vector oc.v 16    28 accumulators
//         reduce ic 64 unroll 4, kh 3, kw 3
//           acc = acc + x[...] * w[...]
//         y[...] = max(acc + b[...], 0)
//     (peeled tail: the same with ow.i 1)
#pragma once

#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/expr/computation.h"
#include "codegen/schedule/schedule.h"

namespace hone::loop {

/// An access with its address worked out: element offset into the tensor's buffer as an Index over loop variables.
/// In lowered scalars, Scalar::index holds exactly one Index, this offset, and `guards` say when it is inside.
struct Guard {
  Index index;          ///< logical index of one dimension
  int64_t lo, hi;       ///< inside when lo <= index < hi
};

struct Access {
  int tensor;
  Index offset;
  std::vector<Guard> guards;  ///< only those that ranges do not prove; empty for unguarded accesses
  double outside = 0;
};

struct TileLoop {
  std::string variable;
  int64_t extent;
  int64_t unroll = 1;  ///< for reduce loops: copies per iteration (a rest is peeled)
};

/// In `update` and `value` a `read` holds an index into `accesses` in Scalar::tensor. Scalars are DAGs: shared nodes are
/// meant to be computed once.
struct Tile {
  std::string stage;
  std::vector<TileLoop> copies;   ///< fully unrolled, outermost first
  std::string vector_variable;    ///< empty: scalar code
  int64_t lanes = 1;              ///< extent of the vector variable
  int64_t active_lanes = 1;       ///< < lanes: the tail of a guarded vector axis, masked
  std::vector<TileLoop> reduce;   ///< outermost first; empty without a reduction, else at least one
  Combiner combiner = Combiner::sum;
  ScalarPtr update;               ///< null without a reduction
  ScalarPtr value;
  Access store;
  std::vector<Access> accesses;   ///< of all reads in update and value
};

/// Statement: a sequence of loops and tiles.
struct Statement;
struct Loop {
  std::string variable;
  int64_t extent;
  int64_t unroll = 1;
  std::vector<Statement> body;
};
struct Statement {
  std::vector<Loop> loop;  ///< exactly one of `loop` and `tile` holds exactly one element
  std::vector<Tile> tile;
};

/// One phase: `parallel` variables are decoded, row-major, from one index in [0, extent).
struct Phase {
  std::vector<TileLoop> parallel;
  int64_t extent = 1;
  double flops = 0;
  std::vector<Statement> body;
  /// Tensors that live inside one iteration of this phase's loops (compute_at): `geometries[t].elements` elements, 64-byte
  /// aligned, on the stack of the emitted function, one per call and used again by every iteration. Their entry in
  /// `buffers` is never touched and may be null.
  std::vector<int> locals;
};

/// Variables are named after their axes; those of a stage computed inside another are "stage.axis".
struct Program {
  std::vector<Tensor> tensors;       ///< as in the Computation
  std::vector<Geometry> geometries;  ///< one per tensor; a local's is that of the region one iteration needs
  std::vector<Phase> phases;
  DType arithmetic = DType::f32;
};

/// The list of passes, read it as a table of contents: addresses, guards, tails, tiles.
Result<Program> lower(const Computation& computation, const Schedule& schedule);

/// Variables defined once in their scope and used in scope, offsets within each buffer for every iteration (interval
/// analysis; guarded accesses inside their guards), stores of parallel iterations disjoint where provable, at most 1,024
/// tile copies and 256 lanes.
Status verify(const Program& program);
std::string to_text(const Program& program);

}  // namespace hone::loop
