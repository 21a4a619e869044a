// The search spaces of one task as it is measured (target and ports), and what each of its points lowers to.
// Lowered features are kept for the life of the object: later rounds of the same task meet the same points.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codegen/task/kind.h"
#include "cost_model/features/features.h"
#include "tuner/search/search.h"

namespace hone {

/// Whether a point cannot be good, whatever a board would say: its tile spills registers, its loop body or
/// code is past the instruction cache, or with all data at hand its core alone would take three times the
/// cycles (StaticCost::core_cycles) of the least of its task's firsts. No recorded point that this drops came
/// within 10 % of its task's best (tests/replay).
bool cannot_be_good(const StaticCost& cost, double least_first_cycles, const Target& target);

class TaskSpace {
 public:
  /// Every formulation that covers the task and reads and writes these ports. Error: none does.
  static Result<TaskSpace> make(const AnyTask& task, Target target, const Ports& ports);

  const std::vector<PointSpace>& spaces() const { return spaces_; }
  /// Of this formulation's space; 0: it is none of them.
  int version_of(std::string_view formulation) const;
  /// Lowers the point and describes it; nothing if it does not lower or cannot be good (accumulators that do
  /// not fit the registers, loop bodies or code past the instruction cache, three times the arithmetic).
  std::optional<Described> describe(const Point& point);

 private:
  TaskSpace() = default;
  std::optional<Described> lower(const Point& point);

  Target target_;
  std::unique_ptr<TaskLowering> lowering_;
  std::vector<PointSpace> spaces_;
  double least_first_cycles_ = 0;
  std::map<std::string, std::optional<Described>> known_;
};

}  // namespace hone
