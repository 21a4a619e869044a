// Task: one fused operator of a graph; shapes and dtypes, no target, no layout, no constant data.
// Its text is canonical: values are renamed in order, so equal layers of different models are one task.
#pragma once

#include <string>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/graph/graph.h"

namespace hone {

/// A task has at most so many nodes: what walks a chain of them may recurse.
inline constexpr size_t kMostTaskNodes = 128;

/// "task v1" and the graph's text. One anchor (conv, dense, pool, softmax, transform, ... or none for pure
/// elementwise chains) followed by elementwise nodes; one output. Before the anchor stand only nodes that
/// make what a 1x1 convolution reads: the product x * gate, or a pre-activation (unary nodes, and binary ones
/// with one constant per channel).
struct Task {
  Graph graph;  ///< values named x, x1, ... (inputs), w, b, c, c1, ... (constants), 0, 1, ... (nodes), y (the
                ///< output)
  std::string text;
  Digest key;  ///< digest of `text`

  /// The node that decides the formulation: the first that is not elementwise, else the first.
  const Node& anchor() const;
  double flops() const;
};
/// Renames, orders and prints. `graph` is a fused subgraph with exactly one output.
Task make_task(Graph graph);
/// As make_task, and which values of `graph` the task's inputs and constants stand for, in the task's order.
struct TaskBinding {
  Task task;
  std::vector<ValueId> inputs, constants;
};
TaskBinding bind_task(Graph graph);
/// A text from anywhere: everything about it is checked.
Result<Task> parse_task(std::string_view text);
/// Range of test data for an input or constant: the graph's own, or one that keeps its readers defined
/// (positive where divided by).
ValueRange range_for(const Task& task, ValueId id);
/// Short, for tables: "conv3x3 s2 3>64 111x111 +relu".
std::string summary(const Task& task);

/// One node of a partitioned graph: a task and the values of the whole graph that it binds.
struct FusedOp {
  Task task;
  std::string name;                ///< of the anchor in the model
  std::vector<NodeId> nodes;       ///< of the whole graph that it covers
  std::vector<ValueId> inputs;     ///< whole-graph values, in the order of task.graph.inputs
  std::vector<ValueId> constants;  ///< whole-graph values, in the order of the task graph's constants
  ValueId output = -1;
};
/// Partitions a simplified graph: every node is in exactly one FusedOp; the result is in execution order.
/// Reshapes that only rename a plain value are kept as ops whose task anchor is `reshape`. conv, dense,
/// matmul, pools and elementwise nodes take the elementwise nodes after them whose output has the shape of
/// their own, as long as nothing else reads what lies between (x * sigmoid(x) is taken whole); of two anchors
/// that meet in a residual addition the earlier one takes it, and runs after the other.
std::vector<FusedOp> partition(const Graph& graph);
/// A partition for people, two lines per operator:
///
///   0  conv3x3 3>16 32x32 +relu     stem     task 6fd0a96b1c0e
///      %2 from x=%x w=%w b=%b: conv %0, add %1, relu %2
std::string to_text(const Graph& graph, const std::vector<FusedOp>& ops);

}  // namespace hone
