// Dead code: nodes and values that no output needs, and nodes that change nothing. Two reshapes or transposes
// in a row become one. Inputs of the graph stay, read or not.
#include <algorithm>
#include <limits>

#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

bool changes_nothing(const Rewriter& rewriter, const Node& node) {
  if (node.inputs.size() != 1 || rewriter.value(node.inputs[0]).type != rewriter.value(node.output).type)
    return false;
  switch (node.op) {
    case Op::reshape:
    case Op::pad:
    case Op::slice:
    case Op::concat:
      return true;  // of the same shape
    case Op::transpose: {
      const auto permutation = node.integers("permutation");
      return std::is_sorted(permutation.begin(), permutation.end());
    }
    case Op::clip: {
      const double infinity = std::numeric_limits<double>::infinity();
      return node.real("min", -infinity) == -infinity && node.real("max", infinity) == infinity;
    }
    default:
      return false;
  }
}

/// Reads past a reshape before a reshape, a transpose before a transpose.
void join_with_last(Rewriter& rewriter, Node& node) {
  if (node.op != Op::reshape && node.op != Op::transpose) return;
  const Node* before = rewriter.maker(node.inputs[0]);
  if (!before || before->op != node.op) return;
  node.inputs[0] = before->inputs[0];
  if (node.op == Op::reshape) return;
  auto permutation = node.integers("permutation");
  const auto first = before->integers("permutation");
  for (int64_t& d : permutation) d = first[static_cast<size_t>(d)];
  node.attributes["permutation"] = permutation;
}

Graph drop_idle(Graph graph) {
  Rewriter rewriter(std::move(graph));
  const std::vector<Node> nodes = rewriter.nodes();
  for (Node node : nodes) {
    join_with_last(rewriter, node);
    if (!changes_nothing(rewriter, node) || !rewriter.replace(node.output, node.inputs[0]))
      rewriter.push(std::move(node));
  }
  return rewriter.finish();
}

}  // namespace

Graph remove_dead_code(Graph graph) {
  graph = drop_idle(std::move(graph));
  std::vector<bool> needed(graph.values.size(), false);
  for (const ValueId id : graph.outputs) needed[id] = true;
  std::vector<Node> kept;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (!needed[node->output]) continue;
    for (const ValueId id : node->inputs) needed[id] = true;
    kept.push_back(std::move(*node));
  }
  std::reverse(kept.begin(), kept.end());
  for (const ValueId id : graph.inputs) needed[id] = true;

  std::vector<ValueId> ids(graph.values.size(), -1);
  std::vector<Value> values;
  for (size_t i = 0; i < graph.values.size(); ++i) {
    if (!needed[i]) continue;
    ids[i] = static_cast<ValueId>(values.size());
    values.push_back(std::move(graph.values[i]));
  }
  for (Node& node : kept) {
    node.output = ids[node.output];
    for (ValueId& id : node.inputs) id = ids[id];
  }
  for (ValueId& id : graph.inputs) id = ids[id];
  for (ValueId& id : graph.outputs) id = ids[id];
  graph.nodes = std::move(kept);
  graph.values = std::move(values);
  return graph;
}

}  // namespace hone
