// What is known of a stage's axes at one place in its loop nest. Tails make several copies of a nest; each copy has its
// own extents, and in the tail's copy the outer axis is a constant.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "codegen/schedule/schedule.h"

namespace hone::loop {

struct AxisState {
  std::map<std::string, int64_t> extents;  ///< of axes that are decided
  std::map<std::string, int64_t> values;   ///< outer axes that are constant in this copy
  std::set<std::string> dropped;           ///< parts of a constant axis: no loop
  std::map<std::string, int64_t> starts;   ///< axes whose last tile was shifted in: where it begins
  std::map<std::string, int64_t> lanes;    ///< guarded vector axes: lanes of the whole vector
};

/// The state at the root of the nest: every extent that follows without deciding on a tail.
AxisState initial_state(const ScheduledStage& scheduled, const std::vector<Axis>& root_axes);

/// The first undecided split with a tail whose outer axis has `loop` among its loops; any if `loop` is empty; or null.
const SplitRelation* undecided_tail(const ScheduledStage& scheduled, const AxisState& state, const std::string& loop);

/// The copies a tail makes: full iterations (unless there are none), then the rest.
std::vector<AxisState> cut(const ScheduledStage& scheduled, const AxisState& state, const SplitRelation& split);

/// Values of root axes as indices over loop variables (`prefix` + axis). An axis below an undecided tail stands for
/// itself.
class AxisValues {
 public:
  AxisValues(const ScheduledStage& scheduled, const AxisState& state, std::string prefix);
  Index value(const std::string& axis) const;
  /// The ranges of the variables that `value` may name.
  const std::map<std::string, Interval>& ranges() const { return ranges_; }

 private:
  Index variable(const std::string& axis) const;
  const ScheduledStage& scheduled_;
  const AxisState& state_;
  std::string prefix_;
  std::map<std::string, Interval> ranges_;
};

/// AxisRanges of a map; asking for an unknown variable is a bug.
AxisRanges ranges_in(const std::map<std::string, Interval>& ranges);

}  // namespace hone::loop
