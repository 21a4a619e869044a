// A mean over pixels and a 1x1 convolution may change places, since both are linear and neither sees padding:
// the convolution then has the pool's few pixels to compute (DenseNet's transitions: a quarter).
#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

bool all(const std::vector<int64_t>& list, int64_t value) {
  for (const int64_t one : list)
    if (one != value) return false;
  return true;
}

int64_t pixels(const Rewriter& rewriter, ValueId id) {
  const Shape& shape = rewriter.value(id).type.shape;
  return shape.size() == 4 ? shape[2] * shape[3] : 0;
}

/// A convolution that looks at each pixel alone.
bool is_pointwise(const Rewriter& rewriter, const Node& node) {
  if (node.op != Op::conv) return false;
  const Shape& weights = rewriter.value(node.inputs[1]).type.shape;
  return weights.size() == 4 && weights[2] == 1 && weights[3] == 1 && all(node.integers("strides"), 1) &&
         all(node.integers("pads"), 0);
}

/// A mean whose windows lie inside the image and leave less than half of its pixels.
bool is_shrinking_mean(const Rewriter& rewriter, const Node& node) {
  if (node.op != Op::average_pool && node.op != Op::global_average_pool) return false;
  if (!all(node.integers("pads"), 0)) return false;
  return 2 * pixels(rewriter, node.output) <= pixels(rewriter, node.inputs[0]);
}

}  // namespace

Graph pool_first(Graph graph) {
  Rewriter rewriter(std::move(graph));
  const std::vector<Node> nodes = rewriter.nodes();
  for (const Node& node : nodes) {
    rewriter.push(node);
    for (Node* pool = rewriter.maker(node.output); is_shrinking_mean(rewriter, *pool);) {
      Node* before = rewriter.only_for_us(pool->inputs[0]);
      if (!before || !is_pointwise(rewriter, *before)) break;
      Node conv = *before;
      TensorType type = rewriter.value(pool->output).type;
      type.shape[1] = rewriter.value(conv.inputs[0]).type.shape[1];
      const ValueId pooled =
          rewriter.add_value(rewriter.value(conv.output).name + ".pooled", std::move(type));
      *before = {pool->op, pool->name, {conv.inputs[0]}, conv.output, pool->attributes};
      rewriter.rename_output(*before, pooled);
      conv.inputs[0] = pooled;
      conv.output = pool->output;
      *pool = std::move(conv);
      pool = before;  // and past the convolution before that
    }
  }
  return rewriter.finish();
}

}  // namespace hone
