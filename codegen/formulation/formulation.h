// Formulations: ways to compute a task, each with the layouts it reads and writes, a search space, and a
// function from (Target, Placement, parameters) to a Schedule. Trial 0 is what the Target alone implies, and
// is already good.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/signature.h"
#include "codegen/base/target.h"
#include "codegen/expr/computation.h"
#include "codegen/graph/task.h"
#include "codegen/schedule/schedule.h"

namespace hone {

/// Layout and placement of one tensor that crosses a task's border.
struct Port {
  Layout layout;
  Placement placement;
  bool operator==(const Port&) const = default;
};

/// Of every activation a task reads, in order, and of its output.
struct Ports {
  std::vector<Port> inputs;
  Port output;
  bool operator==(const Ports&) const = default;
};

std::string to_text(const Ports& ports);  ///< canonical one-line text; parses back
Result<Ports> parse_ports(std::string_view text);

/// Where a formulation wants margins: elements before and after each logical dimension of each input, and
/// their value.
struct HaloNeed {
  std::vector<int64_t> before, after;  ///< empty: none
  float value = 0;
};

/// The parameter vector of a schedule: names in a fixed order, small integers. The log keeps it beside the
/// steps.
using Parameters = std::map<std::string, int64_t>;
std::string to_text(const Parameters& parameters);  ///< "oc_tile=2 ow_tile=14 unroll=4"
Result<Parameters> parse_parameters(std::string_view text);

struct ParameterRange {
  std::string name;
  std::vector<int64_t> choices;  ///< legal values for this task and target, ascending
};
using SearchSpace = std::vector<ParameterRange>;

/// What a formulation makes of a task: the hot computation, and how its constants are packed for it.
struct Formulated {
  Computation run;  ///< tensors: inputs, packed constants, output, scratch, in this order = order of the
                    ///< signature's buffers
  /// One stage per packed constant; tensors: logical constants (plain, role input), then packed ones (role
  /// output). No stages if the task has no constants.
  Computation prepare;
  ErrorBound bound;
};

struct Formulation {
  std::string_view
      name;  ///< "direct", "depthwise", "pool", "dense", "elementwise", "softmax", "transform", ...
  int space_version = 1;  ///< rises whenever `space` or `schedule` changes meaning
  /// Sums are of transformed values (Winograd): other rounding than the task's own sums. Left out in strict
  /// mode.
  bool transforms = false;
  /// Whether it covers the task on this target.
  bool (*applies)(const Task&, const Target&);
  /// The layouts it reads and writes when it may choose (default placement), see CONTRACTS.md, layouts.
  Ports (*layouts)(const Task&, const Target&);
  /// Margins of each input under those layouts.
  std::vector<HaloNeed> (*halo)(const Task&, const Target&);
  /// `ports` has those layouts, and placements with at least those margins.
  Result<Formulated> (*formulate)(const Task&, const Target&, const Ports& ports);
  SearchSpace (*space)(const Task&, const Target&, const Ports& ports);
  /// Trial 0.
  Parameters (*default_parameters)(const Task&, const Target&, const Ports& ports);
  Result<Schedule> (*schedule)(const Task&, const Target&, const Ports& ports, const Parameters&);
  /// Roughly how many cycles trial 0 takes on one core with constants from memory, from the Target alone: for
  /// the choice among formulations. Null: no estimate, the order of the table decides.
  double (*cycles)(const Task&, const Target&) = nullptr;
};

/// All formulations, the preferred one first where several apply.
const std::vector<Formulation>& formulations();
/// Those that cover the task on this target, the one that trial 0 uses first: in the order of the table, but
/// among those with an estimate of their cycles the one with the fewest comes first.
std::vector<const Formulation*> formulations_for(const Task& task, const Target& target);
/// By name; null if there is none.
const Formulation* find_formulation(std::string_view name);
/// The first of `formulations_for`: the one trial 0 uses. Error: no formulation covers the task on this
/// target.
Result<const Formulation*> default_formulation(const Task& task, const Target& target);
/// `formulation`'s own layouts with exactly the margins it needs: what a task is measured with when it stands
/// alone.
Ports default_ports(const Formulation& formulation, const Task& task, const Target& target);

/// The reference: unscheduled arithmetic in float64 on plain layouts, with a second output "y.magnitude"
/// (CONTRACTS.md, checks).
struct Reference {
  Computation run, prepare;
  Schedule run_schedule;
};
Result<Reference> reference(const Task& task, const Target& target);

/// Same for `prepare`: how packing is scheduled (not searched).
Schedule packing_schedule(const Computation& prepare, const Target& target);

}  // namespace hone
