// Multiplications and additions by one number per channel: folded into the weights and bias of the
// convolution or dense layer before them, else gathered into one multiplication and one addition.
#include "codegen/graph/evaluate.h"
#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

/// y = x * factor + offset, per channel.
struct Affine {
  ValueId x;
  std::vector<double> factor, offset;
};

/// `node` as an Affine of its non-constant operand, which must have the type of the output.
std::optional<Affine> affine(const Rewriter& rewriter, const Node& node) {
  if (node.op != Op::mul && node.op != Op::add && node.op != Op::sub && node.op != Op::div)
    return std::nullopt;
  const TensorType& type = rewriter.value(node.output).type;
  if (type.dtype != DType::f32) return std::nullopt;
  const bool swapped = rewriter.value(node.inputs[0]).is_constant;
  if (swapped && (node.op == Op::sub || node.op == Op::div)) return std::nullopt;
  const ValueId x = node.inputs[swapped ? 1 : 0];
  if (rewriter.value(x).is_constant || rewriter.value(x).type != type) return std::nullopt;
  const auto numbers = per_channel(rewriter.value(node.inputs[swapped ? 0 : 1]), type);
  if (!numbers) return std::nullopt;
  Affine result{x, std::vector<double>(numbers->size(), 1), std::vector<double>(numbers->size(), 0)};
  for (size_t i = 0; i < numbers->size(); ++i) {
    const double number = (*numbers)[i];
    switch (node.op) {
      case Op::mul:
        result.factor[i] = number;
        break;
      case Op::div:
        result.factor[i] = 1 / number;
        break;
      case Op::add:
        result.offset[i] = number;
        break;
      default:
        result.offset[i] = -number;
        break;
    }
  }
  return result;
}

/// Folds into a convolution or dense layer with constant weights and a constant (or no) bias per channel.
bool into_weights(Rewriter& rewriter, Node& layer, const Affine& affine, ValueId output) {
  if (layer.op != Op::conv && layer.op != Op::dense) return false;
  const Value weights = rewriter.value(layer.inputs[1]);
  if (!weights.constant) return false;
  const TensorType& type = rewriter.value(layer.output).type;
  std::vector<double> bias(affine.factor.size(), 0);
  if (layer.inputs.size() > 2) {
    Value old = rewriter.value(layer.inputs[2]);
    if (layer.op == Op::conv) old.type.shape.insert(old.type.shape.end(), 2, 1);
    const auto numbers = per_channel(old, type);
    if (!numbers) return false;
    bias = *numbers;
  }
  for (size_t i = 0; i < bias.size(); ++i) bias[i] = bias[i] * affine.factor[i] + affine.offset[i];

  const auto old = floats(*weights.constant);
  const bool outer = layer.op == Op::conv || layer.integer("transpose_b", 0) != 0;
  const size_t channels = bias.size(), inner = old.size() / channels;
  std::vector<double> scaled(old.begin(), old.end());
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] *= affine.factor[outer ? i / inner : i % channels];
  layer.inputs.resize(2);
  layer.inputs[1] = rewriter.add_constant(weights.name + ".scaled", weights.type.shape, scaled);
  layer.inputs.push_back(
      rewriter.add_constant(rewriter.value(output).name + ".bias", {static_cast<int64_t>(channels)}, bias));
  return true;
}

}  // namespace

Graph fold_affine(Graph graph) {
  Rewriter rewriter(std::move(graph));
  const std::vector<Node> nodes = rewriter.nodes();
  for (const Node& node : nodes) {
    const auto outer = affine(rewriter, node);
    Node* before = outer ? rewriter.only_for_us(outer->x) : nullptr;
    if (!before) {
      rewriter.push(node);
      continue;
    }
    if (into_weights(rewriter, *before, *outer, node.output)) {
      rewriter.rename_output(*before, node.output);
      continue;
    }
    const auto inner = affine(rewriter, *before);
    const bool same = inner && (before->op == node.op || (node.op == Op::mul && before->op == Op::add));
    if (!same) {
      rewriter.push(node);
      continue;
    }
    // (x * f + o) * F + O = x * (f F) + (o F + O)
    const TensorType type = rewriter.value(node.output).type;
    Shape shape(type.shape.size() - 1, 1);
    shape[0] = static_cast<int64_t>(outer->factor.size());
    std::vector<double> factor, offset;
    for (size_t i = 0; i < outer->factor.size(); ++i) {
      factor.push_back(inner->factor[i] * outer->factor[i]);
      offset.push_back(inner->offset[i] * outer->factor[i] + outer->offset[i]);
    }
    const std::string name = rewriter.value(node.output).name;
    if (before->op == Op::mul) {  // two multiplications
      before->inputs = {inner->x, rewriter.add_constant(name + ".factor", shape, factor)};
      rewriter.rename_output(*before, node.output);
    } else if (node.op == Op::mul) {  // an addition, then a multiplication: exchanged
      const ValueId f = rewriter.add_constant(name + ".factor", shape, factor);
      const ValueId o = rewriter.add_constant(name + ".offset", shape, offset);
      before->op = Op::mul;
      before->inputs = {inner->x, f};
      rewriter.push({Op::add, node.name, {before->output, o}, node.output, {}});
    } else if (before->op == Op::add) {  // two additions
      before->inputs = {inner->x, rewriter.add_constant(name + ".offset", shape, offset)};
      rewriter.rename_output(*before, node.output);
    } else {
      rewriter.push(node);
    }
  }
  return rewriter.finish();
}

}  // namespace hone
