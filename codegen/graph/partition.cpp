// Partition: groups of nodes that become one task each. An anchor takes the elementwise nodes that follow it;
// pure elementwise nodes form groups of their own. A group is grown node by node; it may pass through a
// diamond (x * sigmoid(x)) but always ends with one open value, so running it at the place of its last node
// is in order.
#include <algorithm>
#include <map>
#include <set>

#include "codegen/graph/task.h"

namespace hone {
namespace {

constexpr size_t kMaxDiamond = 6;  // nodes between a value and where its readers meet again

bool takes_chain(Op op) {
  switch (op) {
    case Op::conv:
    case Op::dense:
    case Op::matmul:
    case Op::max_pool:
    case Op::average_pool:
    case Op::global_average_pool:
    case Op::global_max_pool:
      return true;
    default:
      return is_elementwise(op);
  }
}

class Grouping {
 public:
  explicit Grouping(const Graph& graph)
      : graph_(graph),
        readers_(graph.consumers()),
        group_of_(graph.nodes.size(), -1),
        is_output_(graph.values.size()) {
    for (const ValueId id : graph.outputs) is_output_[id] = true;
  }

  /// Node lists in ascending order, groups in order of their last nodes.
  std::vector<std::vector<NodeId>> run() {
    std::vector<std::vector<NodeId>> groups;
    for (const bool elementwise : {false, true})  // anchors choose first
      for (NodeId i = 0; i < static_cast<NodeId>(graph_.nodes.size()); ++i) {
        if (group_of_[i] >= 0 || is_elementwise(graph_.nodes[i].op) != elementwise) continue;
        std::vector<NodeId> group{i};
        group_of_[i] = static_cast<int>(groups.size());
        if (takes_chain(graph_.nodes[i].op))
          while (grow(group)) {
          }
        groups.push_back(std::move(group));
      }
    std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.back() < b.back(); });
    return groups;
  }

 private:
  /// Adds the next node, or the next diamond, to `group`; false if the group ends here.
  bool grow(std::vector<NodeId>& group) {
    const ValueId tip = graph_.nodes[group.back()].output;
    const int id = group_of_[group.back()];
    std::set<NodeId> waiting;  // readers of the new values
    std::vector<NodeId> added;
    const auto open = [&](ValueId value) {
      if (is_output_[value]) return false;
      for (const NodeId reader : readers_[value]) waiting.insert(reader);
      return true;
    };
    bool grown = false;
    if (open(tip)) {
      while (!waiting.empty() && added.size() < kMaxDiamond) {
        const NodeId next = *waiting.begin();
        waiting.erase(waiting.begin());
        if (!joins(next, tip)) break;
        added.push_back(next);
        grown = waiting.empty();
        if (grown || !open(graph_.nodes[next].output)) break;
      }
    }
    if (!grown) return false;
    for (const NodeId node : added) group_of_[node] = id;
    group.insert(group.end(), added.begin(), added.end());
    return true;
  }

  bool joins(NodeId node, ValueId tip) const {
    return group_of_[node] < 0 && is_elementwise(graph_.nodes[node].op) &&
           graph_.values[graph_.nodes[node].output].type == graph_.values[tip].type;
  }

  const Graph& graph_;
  std::vector<std::vector<NodeId>> readers_;
  std::vector<int> group_of_;
  std::vector<bool> is_output_;
};

/// The group as a graph of its own whose values are named by the whole graph's ids, so that the task can be
/// mapped back.
FusedOp fuse(const Graph& graph, const std::vector<NodeId>& group) {
  Graph part;
  std::map<ValueId, ValueId> ids;
  const auto move_value = [&](ValueId id, bool made) {
    if (const auto found = ids.find(id); found != ids.end()) return found->second;
    const Value& old = graph.values[id];
    const auto copy = static_cast<ValueId>(part.values.size());
    part.values.push_back({std::to_string(id), old.type, {}, old.is_constant, nullptr});
    if (!made && !old.is_constant) part.inputs.push_back(copy);
    return ids[id] = copy;
  };
  for (const NodeId i : group) {
    Node node = graph.nodes[i];
    for (ValueId& input : node.inputs) input = move_value(input, false);
    node.output = move_value(node.output, true);
    part.nodes.push_back(std::move(node));
  }
  part.outputs = {part.nodes.back().output};
  std::map<ValueId, ValueId> whole;
  for (const auto& [id, copy] : ids) whole[copy] = id;
  TaskBinding binding = bind_task(std::move(part));
  FusedOp op{std::move(binding.task), "", group, {}, {}, graph.nodes[group.back()].output};
  for (const ValueId id : binding.inputs) op.inputs.push_back(whole[id]);
  for (const ValueId id : binding.constants) op.constants.push_back(whole[id]);
  const auto anchor = &op.task.anchor() - op.task.graph.nodes.data();
  op.name = graph.nodes[group[anchor]].name;
  return op;
}

}  // namespace

std::vector<FusedOp> partition(const Graph& graph) {
  std::vector<FusedOp> result;
  for (const auto& group : Grouping(graph).run()) result.push_back(fuse(graph, group));
  return result;
}

}  // namespace hone
