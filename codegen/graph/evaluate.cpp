// Dispatch of the evaluator and the interpreter of whole graphs.
// Operators live in evaluate_elementwise.cpp, evaluate_movement.cpp and evaluate_arithmetic.cpp.
#include "codegen/graph/evaluate.h"

#include <algorithm>

#include "codegen/graph/evaluate_parts.h"

namespace hone {
namespace {

template <class T>
Constant bytes_of(std::span<const T> values) {
  const auto bytes = std::as_bytes(values);
  return {{bytes.begin(), bytes.end()}};
}

}  // namespace

Constant constant_of(std::span<const float> values) { return bytes_of(values); }
Constant constant_of(std::span<const int64_t> values) { return bytes_of(values); }

std::span<const float> floats(const Constant& constant) {
  return {reinterpret_cast<const float*>(constant.bytes.data()), constant.bytes.size() / sizeof(float)};
}
std::span<const int64_t> integers(const Constant& constant) {
  return {reinterpret_cast<const int64_t*>(constant.bytes.data()), constant.bytes.size() / sizeof(int64_t)};
}

namespace evaluation {

std::vector<int64_t> strides_of(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

std::vector<int64_t> broadcast_strides(const Shape& shape, const Shape& output) {
  std::vector<int64_t> strides = strides_of(shape);
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] == 1) strides[d] = 0;
  strides.insert(strides.begin(), output.size() - shape.size(), 0);
  return strides;
}

}  // namespace evaluation

std::optional<Constant> evaluate(const Graph& graph, const Node& node, const TensorType& output,
                                 std::span<const Constant* const> operands) {
  const evaluation::Call call{graph, node, output, operands};
  if (output.dtype != DType::f32 && output.dtype != DType::i64) return std::nullopt;
  switch (node.op) {
    case Op::concat:
    case Op::reshape:
    case Op::transpose:
    case Op::transform:
    case Op::pad:
    case Op::slice:
    case Op::gather:
    case Op::channel_shuffle:
      return evaluation::movement(call);
    default:
      break;
  }
  if (is_elementwise(node.op)) return evaluation::elementwise(call);
  if (output.dtype != DType::f32) return std::nullopt;
  return evaluation::arithmetic(call);
}

Result<std::vector<Constant>> interpret(const Graph& graph, std::span<const Constant> inputs) {
  std::vector<std::shared_ptr<const Constant>> data(graph.values.size());
  for (size_t i = 0; i < graph.values.size(); ++i) data[i] = graph.values[i].constant;
  if (inputs.size() != graph.inputs.size())
    return fail(std::to_string(inputs.size()) + " inputs for a graph of " +
                std::to_string(graph.inputs.size()));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Value& value = graph.values[graph.inputs[i]];
    const auto needed = static_cast<size_t>(element_count(value.type.shape) * size_of(value.type.dtype));
    if (inputs[i].bytes.size() != needed) return fail("data does not fit " + to_text(value.type), value.name);
    data[graph.inputs[i]] = std::make_shared<Constant>(inputs[i]);
  }
  const auto readers = graph.consumers();
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    std::vector<const Constant*> operands;
    for (const ValueId id : node.inputs) {
      if (!data[id]) return fail("constant has no data", graph.values[id].name);
      operands.push_back(data[id].get());
    }
    auto result = evaluate(graph, node, graph.values[node.output].type, operands);
    if (!result) return fail("node is not evaluated", graph.values[node.output].name);
    data[node.output] = std::make_shared<Constant>(std::move(*result));
    for (const ValueId id : node.inputs)  // frees what is read no more
      if (readers[id].back() == static_cast<NodeId>(i) && !graph.values[id].is_constant &&
          std::find(graph.outputs.begin(), graph.outputs.end(), id) == graph.outputs.end())
        data[id].reset();
  }
  std::vector<Constant> outputs;
  for (const ValueId id : graph.outputs) outputs.push_back(*data[id]);
  return outputs;
}

}  // namespace hone
