// One spelling for operators that can be written in several ways: whole means and pools become global pools,
// clips at zero become relu, x * hard_sigmoid(x) becomes hard_swish, a product and its bias become one dense
// layer.
#include <cmath>
#include <limits>

#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// A mean over height and width, or an average pool of just the input's size.
bool covers_plane(const Rewriter& rewriter, const Node& node) {
  const Shape& x = rewriter.value(node.inputs[0]).type.shape;
  if (x.size() != 4) return false;
  if (node.op == Op::reduce_mean) {
    const auto axes = node.integers("axes");
    return axes == std::vector<int64_t>{2, 3} || axes == std::vector<int64_t>{3, 2};
  }
  const Shape& y = rewriter.value(node.output).type.shape;
  for (const int64_t pad : node.integers("pads"))
    if (pad != 0) return false;
  return node.op == Op::average_pool && node.integers("kernel") == Shape{x[2], x[3]} && y[2] == 1 &&
         y[3] == 1;
}

void push_global_pool(Rewriter& rewriter, const Node& node) {
  TensorType kept = rewriter.value(node.inputs[0]).type;
  kept.shape[2] = kept.shape[3] = 1;
  const TensorType type = rewriter.value(node.output).type;
  if (type == kept) {
    rewriter.push({Op::global_average_pool, node.name, {node.inputs[0]}, node.output, {}});
    return;
  }
  const ValueId mean = rewriter.add_value(rewriter.value(node.output).name + ".mean", kept);
  rewriter.push({Op::global_average_pool, node.name, {node.inputs[0]}, mean, {}});
  rewriter.push({Op::reshape, node.name, {mean}, node.output, {{"shape", type.shape}}});
}

/// The operand that both `node` (a product) and its hard sigmoid with slope 1/6 read.
std::optional<ValueId> hard_swish_operand(Rewriter& rewriter, const Node& node) {
  if (node.op != Op::mul) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    const Node* gate = rewriter.maker(node.inputs[i]);
    if (gate && gate->op == Op::hard_sigmoid && gate->inputs[0] == node.inputs[1 - i] &&
        std::fabs(gate->real("alpha", 0.2) - 1.0 / 6) < 1e-6 && gate->real("beta", 0.5) == 0.5)
      return node.inputs[1 - i];
  }
  return std::nullopt;
}

/// An addition of a constant row to a dense layer without bias.
Node* dense_before_bias(Rewriter& rewriter, const Node& node, ValueId& bias) {
  if (node.op != Op::add) return nullptr;
  for (size_t i = 0; i < 2; ++i) {
    Node* layer = rewriter.only_for_us(node.inputs[i]);
    const Value& other = rewriter.value(node.inputs[1 - i]);
    if (!layer || layer->op != Op::dense || layer->inputs.size() != 2 || !other.is_constant) continue;
    if (rewriter.value(layer->output).type != rewriter.value(node.output).type) continue;
    bias = node.inputs[1 - i];
    return layer;
  }
  return nullptr;
}

}  // namespace

Graph canonicalise(Graph graph) {
  Rewriter rewriter(std::move(graph));
  const std::vector<Node> nodes = rewriter.nodes();
  for (Node node : nodes) {
    if ((node.op == Op::reduce_mean || node.op == Op::average_pool) && covers_plane(rewriter, node)) {
      push_global_pool(rewriter, node);
      continue;
    }
    if (const auto x = hard_swish_operand(rewriter, node)) {
      rewriter.push({Op::hard_swish, node.name, {*x}, node.output, {}});
      continue;
    }
    ValueId bias = -1;
    if (Node* layer = dense_before_bias(rewriter, node, bias)) {
      layer->inputs.push_back(bias);
      rewriter.rename_output(*layer, node.output);
      continue;
    }
    if (node.op == Op::clip && node.real("min", -kInfinity) == 0 &&
        node.real("max", kInfinity) == kInfinity) {
      node.op = Op::relu;
      node.attributes.clear();
    }
    rewriter.push(std::move(node));
  }
  return rewriter.finish();
}

}  // namespace hone
