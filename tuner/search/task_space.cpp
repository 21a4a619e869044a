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

}  // namespace

bool cannot_be_good(const StaticCost& cost, double least_first_cycles, const Target& target) {
  return cost.live_registers > target.vector_registers || cost.body_operations > body_limit ||
         cost.code_operations > code_limit || cost.core_cycles > least_limit * least_first_cycles;
}

Result<TaskSpace> TaskSpace::make(const AnyTask& task, Target target, const Ports& ports) {
  const auto nothing = [&](const std::string& why) {
    return fail("nothing to search: " + why, task.summary());
  };
  TaskSpace result;
  auto lowering = task.on(target, ports);
  if (!lowering) return nothing(lowering.error().what);
  result.lowering_ = std::move(*lowering);
  std::string reason;
  for (const auto fit : {TaskLowering::Fit::own, TaskLowering::Fit::adapted}) {
    auto spaces = result.lowering_->spaces(fit);
    if (!spaces) {
      if (reason.empty()) reason = spaces.error().text();
      continue;
    }
    for (PointSpace& space : *spaces) {
      const Result<loop::Program> program = result.lowering_->lower({space.formulation, space.first});
      if (!program) {
        reason = program.error().text();
        continue;
      }
      const double cycles = static_cost(*program, target).core_cycles;
      result.least_first_cycles_ =
          result.spaces_.empty() ? cycles : std::min(result.least_first_cycles_, cycles);
      result.spaces_.push_back(std::move(space));
    }
    if (!result.spaces_.empty()) break;
  }
  if (result.spaces_.empty()) return nothing(reason);
  result.target_ = std::move(target);
  return result;
}

int TaskSpace::version_of(std::string_view formulation) const {
  const auto space = std::ranges::find(spaces_, formulation, &PointSpace::formulation);
  return space == spaces_.end() ? 0 : space->version;
}

std::optional<Described> TaskSpace::describe(const Point& point) {
  const std::string text = to_text(point);
  auto found = known_.find(text);
  if (found == known_.end()) found = known_.emplace(text, lower(point)).first;
  return found->second;
}

std::optional<Described> TaskSpace::lower(const Point& point) {
  if (version_of(point.formulation) == 0) return std::nullopt;
  const Result<loop::Program> program = lowering_->lower(point);
  if (!program) return std::nullopt;
  if (cannot_be_good(static_cost(*program, target_), least_first_cycles_, target_)) return std::nullopt;
  // Formulations do not share programs: the digest of the text alone says whether two points are the same.
  return Described{features_of(*program, target_), digest_of(loop::to_text(*program))};
}

}  // namespace hone
