// Tasks: the canonical form of a fused subgraph, its text and key.
// Canonical: operands of commutative operators with the chain first, attributes spelled out, values in order
// of first use and renamed, ranges implied by the operators that read them, no names and no data of the
// model.
#include "codegen/graph/task.h"

#include <algorithm>

namespace hone {
namespace {

constexpr std::string_view kHeader = "task v1\n";

bool commutes(Op op) { return op == Op::add || op == Op::mul || op == Op::maximum || op == Op::minimum; }

/// The range that test data of an operand needs: a variance or a divisor is positive.
std::optional<ValueRange> implied_range(const Node& node, size_t operand) {
  constexpr ValueRange kPositive{0.5f, 1.5f};
  const bool positive = (node.op == Op::batch_norm && operand == 4) || (node.op == Op::div && operand == 1) ||
                        node.op == Op::sqrt || node.op == Op::reciprocal;
  return positive ? std::optional(kPositive) : std::nullopt;
}

NodeId anchor_index(const Graph& graph) {
  HONE_CHECK(!graph.nodes.empty());
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (!is_elementwise(graph.nodes[i].op)) return static_cast<NodeId>(i);
  return 0;
}

/// Puts the operand that the subgraph itself makes first, then an input before a constant.
void order_operands(Graph& graph, const std::vector<NodeId>& producers) {
  const auto rank = [&](ValueId id) { return producers[id] >= 0 ? 0 : graph.values[id].is_constant ? 2 : 1; };
  for (Node& node : graph.nodes)
    if (commutes(node.op) && rank(node.inputs[1]) < rank(node.inputs[0]))
      std::swap(node.inputs[0], node.inputs[1]);
}

/// Names for constants: w and b of the anchor, else c, c1, ...
std::string constant_name(const Node& anchor, ValueId id, int& others) {
  const bool weighted = anchor.op == Op::conv || anchor.op == Op::dense || anchor.op == Op::matmul;
  if (weighted && anchor.inputs[1] == id) return "w";
  if (weighted && anchor.inputs.size() > 2 && anchor.inputs[2] == id) return "b";
  return others++ == 0 ? "c" : "c" + std::to_string(others - 1);
}

/// Writes out what an attribute that is absent means, so that texts agree and code generation need not know.
void spell_out(Node& node) {
  const bool pool = node.op == Op::max_pool || node.op == Op::average_pool;
  if (node.op == Op::conv || pool) {
    node.attributes.try_emplace("strides", std::vector<int64_t>{1, 1});
    node.attributes.try_emplace("dilations", std::vector<int64_t>{1, 1});
    node.attributes.try_emplace("pads", std::vector<int64_t>{0, 0, 0, 0});
  }
  if (node.op == Op::conv) node.attributes.try_emplace("groups", int64_t{1});
  if (node.op == Op::average_pool) node.attributes.try_emplace("include_pad", int64_t{0});
  if (node.op == Op::dense) node.attributes.try_emplace("transpose_b", int64_t{0});
}

/// The canonical graph; `inputs` and `constants` receive the values of `graph` that its own ones stand for.
Graph canonical(Graph graph, std::vector<ValueId>& inputs, std::vector<ValueId>& constants) {
  const auto producers = graph.producers();
  order_operands(graph, producers);
  Graph result;
  std::vector<ValueId> ids(graph.values.size(), -1);
  const auto move_value = [&](ValueId id, std::string name) {
    ids[id] = static_cast<ValueId>(result.values.size());
    const Value& old = graph.values[id];
    result.values.push_back({std::move(name), old.type, {}, old.is_constant, nullptr});
  };
  for (const Node& node : graph.nodes)
    for (const ValueId id : node.inputs) {
      if (ids[id] >= 0 || producers[id] >= 0) continue;
      if (graph.values[id].is_constant) {
        if (std::find(constants.begin(), constants.end(), id) == constants.end()) constants.push_back(id);
        continue;
      }
      const auto n = result.inputs.size();
      move_value(id, n == 0 ? "x" : "x" + std::to_string(n));
      result.inputs.push_back(ids[id]);
      inputs.push_back(id);
    }
  int others = 0;
  const Node& anchor = graph.nodes[anchor_index(graph)];
  for (const ValueId id : constants) move_value(id, constant_name(anchor, id, others));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    Node node = graph.nodes[i];
    for (size_t k = 0; k < node.inputs.size(); ++k) {
      node.inputs[k] = ids[node.inputs[k]];
      auto& range = result.values[node.inputs[k]].range;
      if (producers[graph.nodes[i].inputs[k]] < 0 && !range) range = implied_range(node, k);
    }
    move_value(node.output, i + 1 == graph.nodes.size() ? "y" : std::to_string(i));
    node.name.clear();
    spell_out(node);
    if (node.op == Op::reshape) node.attributes["shape"] = graph.values[node.output].type.shape;
    node.output = ids[node.output];
    result.nodes.push_back(std::move(node));
  }
  result.outputs = {ids[graph.outputs[0]]};
  return result;
}

}  // namespace

const Node& Task::anchor() const { return graph.nodes[anchor_index(graph)]; }

double Task::flops() const {
  double sum = 0;
  for (const Node& node : graph.nodes) sum += hone::flops(graph, node);
  return sum;
}

Task make_task(Graph graph) { return bind_task(std::move(graph)).task; }

TaskBinding bind_task(Graph graph) {
  HONE_CHECK(graph.outputs.size() == 1 && !graph.nodes.empty());
  HONE_CHECK(graph.nodes.back().output == graph.outputs[0]);
  TaskBinding binding;
  Task& task = binding.task;
  task.graph = canonical(std::move(graph), binding.inputs, binding.constants);
  task.text = std::string(kHeader) + to_text(task.graph);
  task.key = digest_of(task.text);
  return binding;
}

Result<Task> parse_task(std::string_view text) {
  if (!text.starts_with(kHeader)) return fail("a task begins with 'task v1'", "line 1");
  HONE_TRY(Graph graph, parse_graph(text.substr(kHeader.size())));
  if (graph.nodes.empty()) return fail("a task needs a node");
  if (graph.nodes.size() > kMostTaskNodes)
    return fail("a task of " + std::to_string(graph.nodes.size()) + " nodes, more than " +
                std::to_string(kMostTaskNodes));
  if (graph.outputs.size() != 1 || graph.outputs[0] != graph.nodes.back().output)
    return fail("a task has one output, that of its last node");
  return make_task(std::move(graph));
}

ValueRange range_for(const Task& task, ValueId id) {
  if (task.graph.value(id).range) return *task.graph.value(id).range;
  for (const Node& node : task.graph.nodes)
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != id) continue;
      if (node.op == Op::sqrt || node.op == Op::reciprocal || (node.op == Op::div && i == 1) ||
          (node.op == Op::batch_norm && i == 4))
        return ValueRange{0.5f, 2.0f};
      if (node.op == Op::gather && i == 1) {
        const auto& data = task.graph.value(node.inputs[0]).type.shape;
        return ValueRange{0.0f, static_cast<float>(data[node.integer("axis", 0)])};
      }
    }
  return ValueRange{};
}

}  // namespace hone
