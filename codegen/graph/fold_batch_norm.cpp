// Batch normalisation with constant parameters is a multiplication and an addition per channel; those then
// fold into the convolution or dense layer before them.
#include <cmath>

#include "codegen/graph/evaluate.h"
#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

bool has_data(const Rewriter& rewriter, const Node& node) {
  for (size_t i = 1; i < node.inputs.size(); ++i)
    if (!rewriter.value(node.inputs[i]).constant) return false;
  return rewriter.value(node.output).type.dtype == DType::f32;
}

/// y = x * a + c with a = scale / sqrt(variance + epsilon), c = bias - mean * a.
void spell_out(Rewriter& rewriter, const Node& node) {
  const auto parameter = [&](size_t i) { return floats(*rewriter.value(node.inputs[i]).constant); };
  const auto scale = parameter(1), bias = parameter(2), mean = parameter(3), variance = parameter(4);
  std::vector<double> factor, offset;
  for (size_t i = 0; i < scale.size(); ++i) {
    factor.push_back(scale[i] / std::sqrt(static_cast<double>(variance[i]) + node.real("epsilon", 1e-5)));
    offset.push_back(bias[i] - mean[i] * factor.back());
  }
  const TensorType type = rewriter.value(node.output).type;
  Shape shape(type.shape.size() - 1, 1);
  shape[0] = static_cast<int64_t>(scale.size());
  const std::string name = rewriter.value(node.output).name;
  const ValueId a = rewriter.add_constant(name + ".factor", shape, factor);
  const ValueId c = rewriter.add_constant(name + ".offset", shape, offset);
  const ValueId product = rewriter.add_value(name + ".product", type);
  rewriter.push({Op::mul, node.name, {node.inputs[0], a}, product, {}});
  rewriter.push({Op::add, node.name, {product, c}, node.output, {}});
}

}  // namespace

Graph fold_batch_norm(Graph graph) {
  Rewriter rewriter(std::move(graph));
  const std::vector<Node> nodes = rewriter.nodes();
  for (const Node& node : nodes) {
    if (node.op == Op::batch_norm && has_data(rewriter, node))
      spell_out(rewriter, node);
    else
      rewriter.push(node);
  }
  return fold_affine(rewriter.finish());
}

}  // namespace hone
