// Who makes and who reads each value, and the verifier of graphs.
// The verifier runs before and after every pass in tests, and once on whatever came from a file or a wire.
#include "codegen/graph/graph.h"

#include <set>

namespace hone {
namespace {

Status verify_values(const Graph& graph) {
  std::set<std::string_view> names;
  for (const Value& value : graph.values) {
    if (value.name.empty()) return fail("a value has no name", graph.name);
    if (!names.insert(value.name).second)
      return fail("two values are called '" + value.name + "'", graph.name);
    if (const Status status = verify(value.type); !status) return fail(status.error().what, value.name);
    if (value.constant && !value.is_constant) return fail("a value with data is no constant", value.name);
    if (value.constant && static_cast<int64_t>(value.constant->bytes.size()) != byte_count(value.type))
      return fail("constant has " + std::to_string(value.constant->bytes.size()) +
                      " bytes, which do not fit " + to_text(value.type),
                  value.name);
  }
  return {};
}

}  // namespace

std::vector<NodeId> Graph::producers() const {
  std::vector<NodeId> result(values.size(), -1);
  for (size_t i = 0; i < nodes.size(); ++i) result[nodes[i].output] = static_cast<NodeId>(i);
  return result;
}

std::vector<std::vector<NodeId>> Graph::consumers() const {
  std::vector<std::vector<NodeId>> result(values.size());
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const ValueId input : nodes[i].inputs)
      if (result[input].empty() || result[input].back() != static_cast<NodeId>(i))
        result[input].push_back(static_cast<NodeId>(i));
  return result;
}

Status verify(const Graph& graph) {
  HONE_RETURN_IF_ERROR(verify_values(graph));
  const auto count = static_cast<ValueId>(graph.values.size());
  std::vector<bool> ready(graph.values.size(), false);
  for (ValueId id = 0; id < count; ++id) ready[id] = graph.values[id].is_constant;
  for (const ValueId id : graph.inputs) {
    if (id < 0 || id >= count) return fail("an input is no value of the graph", graph.name);
    if (ready[id]) return fail("input is also a constant or given twice", graph.values[id].name);
    ready[id] = true;
  }
  for (const Node& node : graph.nodes) {
    if (node.output < 0 || node.output >= count)
      return fail("the output is no value of the graph", node.name);
    const Value& output = graph.values[node.output];
    for (const ValueId id : node.inputs) {
      if (id < 0 || id >= count) return fail("an operand is no value of the graph", output.name);
      if (!ready[id])
        return fail("operand '" + graph.values[id].name + "' is read before it is made", output.name);
    }
    if (ready[node.output]) return fail("value is made twice", output.name);
    HONE_TRY(const TensorType type, infer_type(graph, node));
    if (type != output.type)
      return fail(std::string(to_text(node.op)) + " makes " + to_text(type) + ", not " + to_text(output.type),
                  output.name);
    ready[node.output] = true;
  }
  if (graph.outputs.empty()) return fail("the graph has no output", graph.name);
  for (const ValueId id : graph.outputs) {
    if (id < 0 || id >= count) return fail("an output is no value of the graph", graph.name);
    if (!ready[id]) return fail("output is never made", graph.values[id].name);
  }
  return {};
}

}  // namespace hone
