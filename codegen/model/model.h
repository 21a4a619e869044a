// Best schedules -> CompiledModel: layouts and memory are planned over the whole graph, every fused operator is compiled with
// the candidate chosen for it, and the whole becomes one shared object that needs nothing.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "codegen/artifact/artifact.h"
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

/// One operator of the plan, in execution order.
struct PlannedOp {
  FusedOp op;
  Candidate candidate;       ///< with the ports that the plan gives it
  bool tuned = false;
  std::vector<int> buffers;  ///< planned buffer of each activation input, then of the output
};

struct PlannedBuffer {
  int64_t bytes = 0;
  int64_t offset = 0;  ///< in the arena; buffers whose lives overlap do not
  int first_use = 0, last_use = 0;
  std::string name;
};

struct Plan {
  Graph graph;
  Target target;
  std::vector<PlannedOp> ops;
  std::vector<PlannedBuffer> buffers;
  int64_t arena_bytes = 0;
  std::vector<int> inputs, outputs;  ///< planned buffers of the graph's own inputs and outputs (plain layout)
};
/// Simplified graph in; layout transforms are inserted where neighbours disagree.
Result<Plan> plan(const Graph& graph, const Target& target, const Lookup& lookup);
/// Distinct tasks of a plan with how often each occurs and the ports that tuning should measure it with.
struct PlannedTask {
  Candidate candidate;  ///< trial 0 (or the lookup's choice)
  int count = 0;
  std::vector<int> ops; ///< indices into Plan::ops
};
std::vector<PlannedTask> distinct_tasks(const Plan& plan);

/// Said by flags at build and kept in the artifact: how pictures become the input tensor.
struct Preprocessing {
  std::vector<float> mean, deviation;  ///< per channel, after scaling; empty: none
  float scale = 1.0f / 255;            ///< applied to 0..255
  std::string resize = "";             ///< "256,224": resize the shorter side, then crop the centre
  std::string channel_order = "rgb";
};

struct BuildOptions {
  std::optional<Preprocessing> preprocessing;
  std::string model_name;
  bool check = true;      ///< against the reference, on seeded data
  int check_threads = 1;
};
struct BuildReport {
  double max_rel_error = 0;
  bool top1_equal = true;
  int64_t code_bytes = 0, weight_bytes = 0, arena_bytes = 0, file_bytes = 0;
  int tasks = 0, tuned = 0;
  std::vector<std::string> untuned;  ///< task summaries
};
Result<BuildReport> build(const Plan& plan, const std::filesystem::path& output, const BuildOptions& options);

/// The graph evaluated op by op with the reference artifacts, in float64: what `build` and tests check against.
Result<std::vector<std::vector<double>>> evaluate_reference(const Graph& graph, const std::vector<std::vector<float>>& inputs);

}  // namespace hone
