// Partition: groups of nodes that become one task each. An anchor takes the elementwise nodes that follow it,
// and a 1x1 convolution the gate before it (squeeze-and-excite) or its pre-activation (batch normalisation
// and relu); pure elementwise nodes form groups of their own. A group is grown node by node; it may pass
// through a diamond (x * sigmoid(x)) but always ends with one open value, so running it at the place of its
// last node is in order.
#include <algorithm>
#include <map>
#include <set>

#include "codegen/graph/task.h"

namespace hone {
namespace {

constexpr size_t kMaxDiamond = 6;  // nodes between a value and where its readers meet again
// Of images with fewer rows the activated values stay in cache anyway, weights are read again for every few
// rows, and few blocks of rows are hard to divide among threads: DenseNet's 1x1 convolutions on 7x7 took 5 to
// 19 % longer than apart.
constexpr int64_t kLeastRows = 28;
constexpr int64_t kMostRowBytes = 256 << 10;  // of one activated row, so that it stays in a core's cache

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
        producers_(graph.producers()),
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
        if (const NodeId gate = gate_of(i); gate >= 0)
          group.insert(group.begin(), gate);
        else
          group = before(i);
        for (const NodeId node : group) group_of_[node] = static_cast<int>(groups.size());
        if (takes_chain(graph_.nodes[i].op))
          while (grow(group)) {
          }
        groups.push_back(std::move(group));
      }
    std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a.back() < b.back(); });
    return groups;
  }

 private:
  /// The product that gives convolution `i` its operand, where its other factor is one number per channel and
  /// costs less as part of the weights than over all pixels; -1 if there is none.
  NodeId gate_of(NodeId i) const {
    const Node& conv = graph_.nodes[i];
    if (conv.op != Op::conv || is_output_[conv.inputs[0]] || readers_[conv.inputs[0]].size() != 1) return -1;
    const NodeId product = producers_[conv.inputs[0]];
    if (product < 0 || graph_.nodes[product].op != Op::mul || group_of_[product] >= 0) return -1;
    const Shape &x = shape(conv.inputs[0]), &w = shape(conv.inputs[1]), &y = shape(conv.output);
    if (x.size() != 4 || y.size() != 4 || x[0] != 1 || x[1] != w[1] || w[2] * w[3] != 1) return -1;
    if (x[2] != y[2] || x[3] != y[3] || 2 * y[1] > y[2] * y[3]) return -1;
    for (const int64_t stride : conv.integers("strides"))
      if (stride != 1) return -1;
    for (const ValueId operand : conv.inputs)
      if (graph_.values[operand].is_constant != (operand != conv.inputs[0])) return -1;
    const Node& node = graph_.nodes[product];
    for (const ValueId factor : node.inputs)
      if (graph_.values[factor].is_constant || graph_.values[factor].type.dtype != DType::f32) return -1;
    for (const size_t k : {size_t{0}, size_t{1}})
      if (shape(node.inputs[k]) == x && shape(node.inputs[1 - k]) == Shape{1, x[1], 1, 1}) return product;
    return -1;
  }

  /// Convolution `i` after the nodes, read by nobody else, that make its operand pixel by pixel from one
  /// value and constants per channel, where it pays to compute them inside the convolution.
  std::vector<NodeId> before(NodeId i) const {
    const Node& conv = graph_.nodes[i];
    std::vector<NodeId> group{i};
    if (conv.op != Op::conv || !activates_rows(conv)) return group;
    const Shape& x = shape(conv.inputs[0]);
    for (ValueId tip = conv.inputs[0]; group.size() <= kMaxDiamond;) {
      const NodeId maker = producers_[tip];
      if (maker < 0 || group_of_[maker] >= 0 || is_output_[tip] || readers_[tip].size() != 1) break;
      const ValueId from = operand_of_map(graph_.nodes[maker], x);
      if (from < 0) break;
      group.insert(group.begin(), maker);
      tip = from;
    }
    return group;
  }

  /// A convolution that looks at each pixel alone, of an image whose rows can be divided among threads with
  /// what is activated for them.
  bool activates_rows(const Node& conv) const {
    const Shape &x = shape(conv.inputs[0]), &w = shape(conv.inputs[1]), &y = shape(conv.output);
    if (x.size() != 4 || y.size() != 4 || x[1] != w[1] || w[2] * w[3] != 1) return false;
    if (x[2] != y[2] || x[3] != y[3]) return false;
    for (const int64_t stride : conv.integers("strides"))
      if (stride != 1) return false;
    for (size_t k = 0; k < conv.inputs.size(); ++k)
      if (graph_.values[conv.inputs[k]].is_constant != (k > 0)) return false;
    return y[2] >= kLeastRows && x[1] * x[3] * 4 <= kMostRowBytes;
  }

  /// The operand that an elementwise node maps pixel by pixel, its others being constants per channel; -1 if
  /// it is no such node, or may give what is not finite.
  ValueId operand_of_map(const Node& node, const Shape& x) const {
    const bool combines = node.op == Op::add || node.op == Op::sub || node.op == Op::mul ||
                          node.op == Op::maximum || node.op == Op::minimum;
    if (!combines && !keeps_finite(node.op)) return -1;
    ValueId from = -1;
    for (const ValueId id : node.inputs) {
      const Shape& s = shape(id);
      const bool known = graph_.values[id].is_constant && graph_.values[id].type.dtype == DType::f32 &&
                         (element_count(s) == 1 || s == Shape{1, x[1], 1, 1} || s == Shape{x[1], 1, 1});
      if (known) continue;
      if (from >= 0 || graph_.values[id].is_constant || s != x) return -1;
      from = id;
    }
    return from;
  }

  const Shape& shape(ValueId id) const { return graph_.values[id].type.shape; }

  /// Adds the next node, or the next diamond, to `group`; false if the group ends here.
  bool grow(std::vector<NodeId>& group) {
    if (group.size() + kMaxDiamond > kMostTaskNodes) return false;
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
  std::vector<NodeId> producers_;
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
