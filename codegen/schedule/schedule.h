// Schedule: a list of small checked rewrites of a Computation's loops, with axes by name.
//
//   stage conv
//   split oc 16 -> oc.b oc.v; split oc.b 2 -> oc.o oc.t
//   split ow 14 peel -> ow.o ow.i
//   reorder oc.o oh ow.o ic kh kw oc.t ow.i oc.v
//   unroll ic 4; register_tile oc.t ow.i; vectorize oc.v; parallel oc.o oh
//
// `stage NAME` opens the steps of one stage; it may be left out when there is only one. Steps end with ';' or a new
// line; '#' starts a comment. Prints, parses, compares and replays.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/expr/computation.h"

namespace hone {

/// What happens to the last, partial tile of a split whose factor does not divide the extent.
enum class Tail : uint8_t {
  exact,     ///< factor divides: an error otherwise
  peel,      ///< a second copy of the loops inside, with the rest as extent
  shift_in,  ///< the last tile moves back to end at the edge, so some elements are computed twice: spatial axes only
  guard,     ///< vector axes only: masked loads and stores
};
std::string_view to_text(Tail tail);

enum class StepKind : uint8_t {
  split,          // axes {from, outer, inner}, factor = extent of inner, tail
  fuse,           // axes {a, b, fused}: adjacent, a outside b
  reorder,        // axes: all loops of the stage, outermost first
  unroll,         // axes {a}, factor: copies per iteration; reduce axes and outer spatial axes
  register_tile,  // axes: spatial, innermost but for the vector axis: fully unrolled, accumulators are SSA values
  vectorize,      // axes {a}: innermost spatial axis, extent = lanes
  parallel,       // axes: outermost spatial axes, divided among threads at run time; a tail becomes a phase of its own
  compute_at,     // first step of its stage; axes {consumer axis}, of the later stage named in `target`: this stage is
                  // computed inside that loop, for the region that one iteration reads; its other steps see that region.
                  // Several stages may be computed in one place, in their order: a chain
};
std::string_view to_text(StepKind kind);

struct Step {
  StepKind kind;
  std::vector<std::string> axes;
  int64_t factor = 0;
  Tail tail = Tail::exact;
  std::string target;  ///< compute_at: the consumer stage
  bool operator==(const Step&) const = default;
};

std::string to_text(const Step& step);  ///< "split ow 14 peel -> ow.o ow.i"

struct StageSchedule {
  std::string stage;
  std::vector<Step> steps;
  bool operator==(const StageSchedule&) const = default;
};

struct Schedule {
  std::vector<StageSchedule> stages;  ///< stages not named keep their plain loops
  bool operator==(const Schedule&) const = default;
};

std::string to_text(const Schedule& schedule);
Result<Schedule> parse_schedule(std::string_view text);

// --- applying -------------------------------------------------------------------------------------

/// One loop of a scheduled stage, outermost first.
struct ScheduledLoop {
  enum class Mark : uint8_t { serial, vector, tile };
  std::string axis;
  int64_t extent;      ///< of full iterations; an axis inside a split with a tail has its inner extent here
  bool reduce = false;
  Mark mark = Mark::serial;
  int64_t unroll = 1;  ///< copies per iteration of a serial loop
};

/// How a root or split axis is recomputed from the loops: `axis` = outer * factor + inner.
struct SplitRelation {
  std::string axis, outer, inner;
  int64_t extent, factor;
  Tail tail;
};
/// `outer` = fused / inner_extent, `inner` = fused % inner_extent.
struct FuseRelation {
  std::string fused, outer, inner;
  int64_t inner_extent;
};

/// A stage with its steps applied: still symbolic; loop::lower turns it into a loop nest.
struct ScheduledStage {
  int stage = -1;  ///< index into Computation::stages
  std::vector<ScheduledLoop> loops;  ///< parallel ones first
  int parallel_loops = 0;            ///< how many of the outermost loops are divided among threads
  std::vector<SplitRelation> splits; ///< in the order they were made
  std::vector<FuseRelation> fuses;
  /// Not empty: computed inside another stage's loop. `loops` is then empty until the region is known, and `steps` holds
  /// what is left to apply to it.
  std::string compute_at_stage, compute_at_axis;
  std::vector<Step> steps;
};

/// Applies every step, checking each: an illegal one is an Error that names stage, step and reason.
/// Rules that hold afterwards: tile and vector loops are innermost; reduce loops lie between the other spatial loops and
/// the tile; so every stage is outer loops, then a register tile that carries a reduction. Splits inside a partial axis
/// (the inner one of a split with a tail) are checked for its full extent; in the tail they peel what is left over.
Result<std::vector<ScheduledStage>> apply(const Computation& computation, const Schedule& schedule);

/// Applies `steps`, which hold no compute_at, to one stage whose spatial axes have other extents than its own: the region
/// that a consumer needs.
Result<ScheduledStage> apply_steps(const Computation& computation, int stage, const std::vector<Axis>& spatial_axes,
                                   const std::vector<Step>& steps);

/// The loops that `axis` was split and fused into, outermost first; itself if it is a loop.
std::vector<std::string> loops_of(const ScheduledStage& stage, const std::string& axis);

}  // namespace hone
