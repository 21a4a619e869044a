// Schedules for stages that are not worth a search (packing, moving, reference): vector over what is
// contiguous in the output, a register tile under reductions, the outer axes in parallel. Also the steps that
// other schedules are made of.
#pragma once

#include <string>
#include <vector>

#include "codegen/base/target.h"
#include "codegen/expr/computation.h"
#include "codegen/schedule/schedule.h"

namespace hone {

namespace steps {
Step split(std::string from, int64_t factor, std::string outer, std::string inner, Tail tail = Tail::exact);
Step fuse(std::string a, std::string b, std::string fused);
Step reorder(std::vector<std::string> axes);
Step unroll(std::string axis, int64_t copies);
Step tile(std::vector<std::string> axes);
Step vectorize(std::string axis);
Step parallel(std::vector<std::string> axes);
}  // namespace steps

struct PlainOptions {
  int64_t tile = 6;  ///< outputs per register tile beside the vector, for stages with a reduction
  std::string inner_axis =
      {};  ///< without a reduction: this axis is split by `inner_block`, the inner part innermost
  int64_t inner_block = 1;
  int64_t most_copies = 1;  ///< without a reduction: axes that no read depends on become register copies, so
                            ///< that they share what is read, as long as these are not more in all
};

/// A good schedule of one stage on its own.
StageSchedule plain_stage_schedule(const Computation& computation, const Stage& stage, const Target& target,
                                   const PlainOptions& options = {});
Schedule plain_schedule(const Computation& computation, const Target& target,
                        const PlainOptions& options = {});

/// The smallest of the powers of two that holds `extent`, at most `lanes`.
int64_t vector_width(int64_t extent, int64_t lanes);

}  // namespace hone
