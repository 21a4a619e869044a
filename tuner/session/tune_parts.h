// A model for each target of a tuning job: layouts follow the target, so each has tasks of its own.
#pragma once

#include <string>
#include <vector>

#include "codegen/base/target.h"
#include "codegen/graph/graph.h"
#include "codegen/model/model.h"
#include "measure/wire.h"
#include "tuner/session/tuned.h"

namespace hone::session {

/// What the model is for one target.
struct PartPlan {
  Target target;
  wire::JobPart part;
  std::vector<TunedTask> tasks;
  double flops = 0;
  MemoryNeed need;  ///< of the task that takes most to measure
};

/// `target`: host, a short name or a full text; `chosen`: as --tasks takes them, empty: all. Errors: a target
/// that is not understood, a model that cannot be planned for it, no such task.
Result<PartPlan> plan_part(const Graph& graph, const std::string& target,
                           const std::vector<std::string>& chosen);

}  // namespace hone::session
