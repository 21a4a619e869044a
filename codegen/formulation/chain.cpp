// Elementwise chains as scalar expressions, see chain.h.
#include "codegen/formulation/chain.h"

#include <algorithm>
#include <map>

namespace hone {
namespace {

bool is_anchor_op(Op op) { return !is_elementwise(op); }

NodeId anchor_id(const Task& task) {
  for (size_t i = 0; i < task.graph.nodes.size(); ++i)
    if (is_anchor_op(task.graph.nodes[i].op)) return static_cast<NodeId>(i);
  return -1;
}

ScalarPtr clamp(const ScalarPtr& x, double lo, double hi) {
  using namespace scalar;
  return binary(ScalarOp::minimum, binary(ScalarOp::maximum, x, constant(lo)), constant(hi));
}

}  // namespace

std::vector<ValueId> constants_of(const Task& task) {
  std::vector<ValueId> ids;
  for (size_t i = 0; i < task.graph.values.size(); ++i)
    if (task.graph.values[i].is_constant) ids.push_back(static_cast<ValueId>(i));
  return ids;
}

const TensorType& output_type(const Task& task) { return task.graph.value(task.graph.outputs.front()).type; }
const Shape& anchor_shape(const Task& task) { return task.graph.value(task.anchor().output).type.shape; }
const Shape& operand_shape(const Task& task, size_t operand) {
  return task.graph.value(task.anchor().inputs[operand]).type.shape;
}
bool anchor_is(const Task& task, Op op) { return !task.graph.nodes.empty() && task.anchor().op == op; }

bool fits(const Task& task, size_t activations, size_t max_constants) {
  if (task.graph.nodes.empty() || task.graph.outputs.size() != 1) return false;
  const Node& anchor = task.anchor();
  for (const Value& value : task.graph.values)
    if (value.type.dtype != DType::f32 && !(value.is_constant && value.type.dtype == DType::i64))
      return false;
  if (anchor.inputs.size() < activations || anchor.inputs.size() > activations + max_constants) return false;
  for (size_t i = 0; i < anchor.inputs.size(); ++i)
    if (task.graph.value(anchor.inputs[i]).is_constant != (i >= activations)) return false;
  const auto& inputs = task.graph.inputs;
  for (size_t i = 0; i < activations; ++i)
    if (std::find(inputs.begin(), inputs.end(), anchor.inputs[i]) == inputs.end()) return false;
  return anchor_shape(task) == output_type(task).shape;
}

ScalarPtr elementwise_scalar(const Node& node, const std::vector<ScalarPtr>& a) {
  using namespace scalar;
  switch (node.op) {
    case Op::relu:
      return binary(ScalarOp::maximum, a[0], constant(0));
    case Op::clip:
      return clamp(a[0], node.real("min", -3.4028234663852886e38), node.real("max", 3.4028234663852886e38));
    case Op::sigmoid:
      return unary(ScalarOp::sigmoid, a[0]);
    case Op::tanh:
      return unary(ScalarOp::tanh, a[0]);
    case Op::exp:
      return unary(ScalarOp::exp, a[0]);
    case Op::neg:
      return unary(ScalarOp::neg, a[0]);
    case Op::abs:
      return unary(ScalarOp::abs, a[0]);
    case Op::sqrt:
      return unary(ScalarOp::sqrt, a[0]);
    case Op::reciprocal:
      return binary(ScalarOp::div, constant(1), a[0]);
    case Op::hard_sigmoid:
      return clamp(binary(ScalarOp::add, binary(ScalarOp::mul, a[0], constant(node.real("alpha", 0.2))),
                          constant(node.real("beta", 0.5))),
                   0, 1);
    case Op::hard_swish: {
      auto inner = binary(ScalarOp::add, binary(ScalarOp::mul, a[0], constant(1.0 / 6)), constant(0.5));
      return binary(ScalarOp::mul, a[0], clamp(inner, 0, 1));
    }
    case Op::add:
      return binary(ScalarOp::add, a[0], a[1]);
    case Op::sub:
      return binary(ScalarOp::sub, a[0], a[1]);
    case Op::mul:
      return binary(ScalarOp::mul, a[0], a[1]);
    case Op::div:
      return binary(ScalarOp::div, a[0], a[1]);
    case Op::maximum:
      return binary(ScalarOp::maximum, a[0], a[1]);
    case Op::minimum:
      return binary(ScalarOp::minimum, a[0], a[1]);
    default:
      check_failed("an elementwise operator", __FILE__, __LINE__);
  }
}

ScalarPtr chain_value(const Task& task, const ScalarPtr& anchor_value, const OperandReader& read) {
  std::map<ValueId, ScalarPtr> known;
  const NodeId anchor = anchor_value ? anchor_id(task) : -1;
  if (anchor_value) known[task.anchor().output] = anchor_value;
  for (size_t i = 0; i < task.graph.nodes.size(); ++i) {
    const Node& node = task.graph.nodes[i];
    if (static_cast<NodeId>(i) <= anchor) continue;
    std::vector<ScalarPtr> args;
    for (const ValueId id : node.inputs) {
      auto& value = known[id];
      if (!value) value = read(id);
      args.push_back(value);
    }
    known[node.output] = elementwise_scalar(node, args);
  }
  return known.at(task.graph.outputs.front());
}

ScalarPtr value_before(const Task& task, const ScalarPtr& x, const OperandReader& read) {
  std::map<ValueId, ScalarPtr> known;
  ScalarPtr value = x;
  for (const Node* node = task.graph.nodes.data(); node != &task.anchor(); ++node) {
    std::vector<ScalarPtr> args;
    for (const ValueId id : node->inputs) {
      if (const auto made = known.find(id); made != known.end())
        args.push_back(made->second);
      else
        args.push_back(task.graph.value(id).is_constant ? read(id) : x);
    }
    known[node->output] = value = elementwise_scalar(*node, args);
  }
  return value;
}

bool chain_needs_mask(const Task& task) {
  for (const Node& node : task.graph.nodes)
    if (is_elementwise(node.op) && &node >= &task.anchor() && !keeps_finite(node.op)) return true;
  return false;
}

std::vector<Index> broadcast_index(const Shape& shape, const std::vector<Index>& output) {
  HONE_CHECK(shape.size() <= output.size());
  std::vector<Index> index(shape.size());
  const size_t skip = output.size() - shape.size();
  for (size_t d = 0; d < shape.size(); ++d) index[d] = shape[d] == 1 ? Index(0) : output[skip + d];
  return index;
}

}  // namespace hone
