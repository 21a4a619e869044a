// Plans the model as `hone build` would, with nothing measured yet.
#include "tuner/session/tune_parts.h"

#include <optional>
#include <utility>

#include "tuner/session/task_list.h"

namespace hone::session {

Result<PartPlan> plan_part(const Graph& graph, const std::string& target,
                           const std::vector<std::string>& chosen) {
  PartPlan out;
  HONE_TRY(out.target, resolve_target(target));
  out.part.target = to_text(out.target);
  HONE_TRY(const Plan planned, plan(graph, out.target, [](const Task&) { return std::nullopt; }));
  HONE_TRY(const std::vector<PlannedTask> tasks, select_tasks(distinct_tasks(planned), chosen));
  for (const PlannedTask& task : tasks) {
    const Candidate& candidate = task.candidate;
    out.part.tasks.push_back({candidate.task.text, summary(candidate.task), to_text(candidate.ports),
                              static_cast<uint32_t>(task.count), candidate.task.flops()});
    out.tasks.push_back({summary(candidate.task), candidate.task.key, task.count, candidate.task.flops()});
    if (const MemoryNeed need = need_of_measuring(candidate.task); need.bytes > out.need.bytes)
      out.need = need;
    out.flops += candidate.task.flops() * task.count;
  }
  return out;
}

}  // namespace hone::session
