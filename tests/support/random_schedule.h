// Random legal schedules, for tests that hold lowering and code generation against the interpreter.
#pragma once

#include <cstdint>
#include <functional>

#include "codegen/schedule/schedule.h"

namespace hone::test {

/// Gives a number in [0, n).
using Choose = std::function<int64_t(int64_t n)>;

/// Random splits (with every tail), fusions, an order, a register tile, a vector axis, parallel axes and unrolling for
/// one stage: steps that `apply` refuses are left out. `max_lanes` bounds the vector's extent.
StageSchedule random_steps(const Computation& computation, int stage, int64_t max_lanes, const Choose& choose);

/// The same for every stage of a computation.
Schedule random_schedule(const Computation& computation, int64_t max_lanes, const Choose& choose);

/// A random schedule of the last stage, with all stages before it computed in one of its loops (if it has any).
Schedule random_inside(const Computation& computation, int64_t max_lanes, const Choose& choose);

/// Whether a schedule shifts a tail in, so that some elements are computed twice.
bool computes_twice(const Schedule& schedule);

}  // namespace hone::test
