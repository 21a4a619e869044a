// Which formulations a task may be measured with, and the static rules that drop points before they are
// compiled.
#include "tuner/search/task_space.h"

#include <algorithm>

#include "codegen/base/digest.h"
#include "codegen/loop/loop.h"
#include "cost_model/features/features.h"

namespace hone {
namespace {

/// Operations in one loop body, and in the whole kernel, past which the instruction cache is surely lost.
constexpr int64_t body_limit = 6000, code_limit = 40000;
/// How many times the cycles of the least first a point may need with all data at hand. Twice is too strict:
/// a tile of four accumulators waits for its multiply-adds on the nominal core, but not where a 512-bit one
/// takes two passes (Zen 4: within 4 % of the best).
constexpr double least_limit = 3;

bool same_layouts(const Ports& a, const Ports& b) {
  return a.output.layout == b.output.layout &&
         std::ranges::equal(a.inputs, b.inputs, {}, &Port::layout, &Port::layout);
}

}  // namespace

bool cannot_be_good(const StaticCost& cost, double least_first_cycles, const Target& target) {
  return cost.live_registers > target.vector_registers || cost.body_operations > body_limit ||
         cost.code_operations > code_limit || cost.core_cycles > least_limit * least_first_cycles;
}

Result<TaskSpace> TaskSpace::make(Task task, Target target, Ports ports) {
  if (ports.inputs.size() != task.graph.inputs.size()) {
    return fail("nothing to search: ports for " + std::to_string(ports.inputs.size()) +
                    " inputs, but the task has " + std::to_string(task.graph.inputs.size()),
                summary(task));
  }
  TaskSpace result;
  std::string reason = "no formulation covers it";
  // Transforms and elementwise chains take whatever layouts their neighbours have: second pass.
  for (const bool own_layouts : {true, false}) {
    for (const Formulation* one : formulations_for(task, target)) {
      const Formulation& formulation = *one;
      if (own_layouts != same_layouts(formulation.layouts(task, target), ports)) continue;
      Result<Formulated> formulated = formulation.formulate(task, target, ports);
      if (!formulated) {
        reason = formulated.error().text();
        continue;
      }
      const Parameters first = formulation.default_parameters(task, target, ports);
      const Result<Schedule> schedule = formulation.schedule(task, target, ports, first);
      const Result<loop::Program> program =
          schedule ? loop::lower(formulated->run, *schedule) : pass(schedule.error());
      if (!program) {
        reason = program.error().text();
        continue;
      }
      const double cycles = static_cost(*program, target).core_cycles;
      result.least_first_cycles_ =
          result.spaces_.empty() ? cycles : std::min(result.least_first_cycles_, cycles);
      result.spaces_.push_back(
          {std::string(formulation.name), formulation.space(task, target, ports), first});
      result.formed_.push_back({&formulation, std::move(*formulated)});
      result.space_version_ = std::max(result.space_version_, formulation.space_version);
    }
    if (!result.spaces_.empty()) break;
  }
  if (result.spaces_.empty()) return fail("nothing to search: " + reason, summary(task));
  result.task_ = std::move(task);
  result.target_ = std::move(target);
  result.ports_ = std::move(ports);
  return result;
}

std::optional<Described> TaskSpace::describe(const Point& point) {
  const std::string text = to_text(point);
  auto found = known_.find(text);
  if (found == known_.end()) found = known_.emplace(text, lower(point)).first;
  return found->second;
}

std::optional<Described> TaskSpace::lower(const Point& point) const {
  const auto formed = std::ranges::find_if(
      formed_, [&](const Formed& formed) { return formed.formulation->name == point.formulation; });
  if (formed == formed_.end()) return std::nullopt;
  const Result<Schedule> schedule = formed->formulation->schedule(task_, target_, ports_, point.parameters);
  if (!schedule) return std::nullopt;
  const Result<loop::Program> program = loop::lower(formed->formulated.run, *schedule);
  if (!program) return std::nullopt;
  if (cannot_be_good(static_cost(*program, target_), least_first_cycles_, target_)) return std::nullopt;
  // Formulations do not share programs: the digest of the text alone says whether two points are the same.
  return Described{features_of(*program, target_), digest_of(loop::to_text(*program))};
}

}  // namespace hone
