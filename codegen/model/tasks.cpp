// What of a plan is one task, and what is one kernel: operators are grouped by key, in order of the first of
// each group.
#include <functional>
#include <map>

#include "codegen/model/model.h"

namespace hone {

std::string candidate_key(const Candidate& candidate) {
  return candidate.task.key.hex() + " " + candidate.formulation + " " + to_text(candidate.ports) + " " +
         to_text(candidate.schedule);
}

namespace {

std::vector<PlannedTask> grouped(const Plan& plan, const std::function<std::string(const Candidate&)>& key) {
  std::vector<PlannedTask> groups;
  std::map<std::string, size_t> known;
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const auto [at, fresh] = known.try_emplace(key(plan.ops[i].candidate), groups.size());
    if (fresh) groups.push_back({plan.ops[i].candidate, 0, {}});
    ++groups[at->second].count;
    groups[at->second].ops.push_back(static_cast<int>(i));
  }
  return groups;
}

}  // namespace

std::vector<PlannedTask> distinct_tasks(const Plan& plan) {
  return grouped(plan, [](const Candidate& candidate) { return candidate.task.key.hex(); });
}

std::vector<PlannedTask> distinct_kernels(const Plan& plan) { return grouped(plan, candidate_key); }

}  // namespace hone
