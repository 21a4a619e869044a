// Best schedules -> CompiledModel: layouts and memory are planned over the whole graph, every fused operator
// is compiled with the candidate chosen for it, and the whole becomes one shared object that needs nothing.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/base/preprocessing.h"
#include "codegen/graph/graph.h"
#include "codegen/graph/task.h"

namespace hone {

/// Best known choice for a task, or nothing: then trial 0 is used and the task is reported as untuned.
struct Choice {
  std::string formulation;
  Parameters parameters;
  double seconds = 0;  ///< measured
};
using Lookup = std::function<std::optional<Choice>(const Task&)>;

/// What a plan may use.
struct PlanOptions {
  bool strict = false;  ///< no formulation that computes through transforms (Winograd)
  /// Bytes of packed constants over those of the logical ones, at most; 0: any. Where no formulation keeps to
  /// it (channels padded to vectors), the one that grows them least is taken.
  double max_weight_growth = 0;
};
/// Whether the formulation covers the task and the options permit it.
bool may_use(const Formulation& formulation, const Task& task, const Target& target,
             const PlanOptions& options);
/// The first formulation that may be used, without regard to tuning. Error: none covers the task.
Result<const Formulation*> choose_formulation(const Task& task, const Target& target,
                                              const PlanOptions& options);
/// Bytes of the formulation's packed constants over those of the task's own; 1 where there are none.
double weight_growth(const Formulation& formulation, const Task& task, const Target& target);

/// One operator of the plan, in execution order. Reshapes and concatenations in place need none.
struct PlannedOp {
  FusedOp op;           ///< of a layout transform: no nodes; its input and output are the same value
  Candidate candidate;  ///< with the ports that the plan gives it
  bool tuned = false;
  double seconds = 0;        ///< measured by tuning; 0 if untuned
  std::vector<int> buffers;  ///< planned buffer of each activation input, then of the output
  /// Bytes into each of them, a multiple of 64, where the kernel's buffer begins: operators that differ only
  /// in which channels of a wider buffer they read or write share a kernel.
  std::vector<int64_t> shifts;
  std::vector<int> scratch;  ///< planned buffer of each scratch tensor; -1 for those on the kernel's stack
};

/// A piece of the arena. Values that share it (parts of a concatenation, reshapes) are placed in it by their
/// Ports.
struct PlannedBuffer {
  TensorType type;  ///< of the widest value in it; without a shape: scratch
  Port port;        ///< its layout and halo
  float halo_value = 0;
  int64_t bytes = 0;
  int64_t offset = 0;  ///< in the arena; buffers whose lives overlap do not
  int first_use = 0, last_use = 0;
  std::string name;  ///< of the value that it was made for
};

struct Plan {
  Graph graph;  ///< simplified; with the constants' data
  Target target;
  PlanOptions options;
  std::vector<PlannedOp> ops;
  std::vector<PlannedBuffer> buffers;
  int64_t arena_bytes = 0;
  std::vector<int> inputs, outputs;  ///< planned buffers of the graph's own inputs and outputs (plain layout)
  std::vector<Port> output_ports;    ///< where each output lies in its buffer
};
/// Simplified graph in; layout transforms are inserted where neighbours disagree. A choice of `lookup` that
/// the options do not permit is not taken.
Result<Plan> plan(const Graph& graph, const Target& target, const Lookup& lookup,
                  const PlanOptions& options = {});
/// A plan for people: the buffers with their steps and places, the steps with their buffers, the borders.
std::string to_text(const Plan& plan);
/// Memory that something takes, known before any is taken; saturating. `largest`: the largest tensor, with
/// its type.
struct MemoryNeed {
  int64_t bytes = 0;
  std::string largest;
  int64_t largest_bytes = 0;
};
MemoryNeed need_of_run(const Plan& plan);    ///< the arena, and a caller's arrays for inputs and outputs
MemoryNeed need_of_check(const Plan& plan);  ///< and the float64 reference
/// What checking and measuring candidates of a task takes on a board.
MemoryNeed need_of_measuring(const Task& task);
/// Error: "`what` takes 256.1 GiB of memory, tensor 'x' f32[...] alone 128.0 GiB; there are 15.5 GiB".
Status fits_memory(const MemoryNeed& need, int64_t memory_bytes, const std::string& what,
                   const std::string& hint);

/// Operators of a plan that are one task, or share one kernel.
struct PlannedTask {
  Candidate candidate;  ///< trial 0 (or the lookup's choice)
  int count = 0;
  std::vector<int> ops;  ///< indices into Plan::ops
};
/// One per task: what tuning measures, with the ports that the first of its operators has. The same task may
/// occur in other placements (e.g. as a part of several concatenations); one record serves them all.
std::vector<PlannedTask> distinct_tasks(const Plan& plan);
/// One per kernel that must be compiled: task, formulation, ports and schedule are the same.
std::vector<PlannedTask> distinct_kernels(const Plan& plan);
/// Text that is equal for operators which one kernel serves.
std::string candidate_key(const Candidate& candidate);

struct BuildOptions {
  std::optional<Preprocessing> preprocessing;  ///< kept in the artifact's description
  std::string model_name;
  bool check = true;         ///< against the reference, on seeded data
  double max_error = 1e-3;   ///< relative L2 of each output; beyond it nothing is written
  int threads = 1;           ///< for compiling and checking
  int64_t memory_bytes = 0;  ///< that checking may take; 0: usable_memory_bytes()
};
struct BuildReport {
  bool checked = false;      ///< false: not asked for, or the target's code does not run here
  bool correct = true;       ///< false: further from the reference than `max_error`, and nothing was written
  double max_rel_error = 0;  ///< relative L2 of the worst output
  bool top1_equal = true;    ///< the largest element of the first output is at the same place
  int64_t code_bytes = 0, weight_bytes = 0, arena_bytes = 0, file_bytes = 0;
  int tasks = 0, tuned = 0;
  std::vector<std::string> untuned;  ///< task summaries
};
/// Compiles, packs constants, links, checks, and renames the finished file into place. Errors: unwritable
/// output, ...
Result<BuildReport> build(const Plan& plan, const std::filesystem::path& output, const BuildOptions& options);

/// The graph evaluated op by op with the reference artifacts, in float64: what `build` and tests check
/// against.
/// One row-major array per graph input, and back one per output.
Result<std::vector<std::vector<double>>> evaluate_reference(const Graph& graph,
                                                            const std::vector<std::vector<float>>& inputs,
                                                            int threads = 1);

}  // namespace hone
