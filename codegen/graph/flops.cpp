// Floating-point operations of one node: a multiply-add counts as two, any other scalar operation as one.
// Movement of data counts nothing.
#include <algorithm>

#include "codegen/graph/graph.h"

namespace hone {

double flops(const Graph& graph, const Node& node) {
  const auto elements = [&](ValueId id) {
    return static_cast<double>(element_count(graph.values[id].type.shape));
  };
  const double out = elements(node.output);
  const double in = node.inputs.empty() ? 0 : elements(node.inputs[0]);
  switch (node.op) {
    case Op::conv: {
      const Shape& w = graph.values[node.inputs[1]].type.shape;
      return 2 * out * static_cast<double>(w[1] * w[2] * w[3]) + (node.inputs.size() > 2 ? out : 0);
    }
    case Op::dense:
    case Op::matmul:
      return 2 * out * static_cast<double>(graph.values[node.inputs[0]].type.shape.back()) +
             (node.inputs.size() > 2 ? out : 0);
    case Op::max_pool:
    case Op::average_pool: {
      const auto kernel = node.integers("kernel");
      return kernel.size() == 2 ? out * static_cast<double>(kernel[0] * kernel[1]) : out;
    }
    case Op::global_average_pool:
    case Op::global_max_pool:
    case Op::reduce_mean:
      return in;
    case Op::batch_norm:
      return 2 * out;
    case Op::softmax:
    case Op::log_softmax:
      return 4 * out;  // maximum, exponential, sum, division
    case Op::lrn:
      return out * static_cast<double>(2 * node.integer("size", 1) + 3);
    case Op::clip:
    case Op::hard_sigmoid:
      return 2 * out;
    case Op::hard_swish:
      return 4 * out;
    case Op::concat:
    case Op::reshape:
    case Op::transpose:
    case Op::pad:
    case Op::slice:
    case Op::gather:
    case Op::channel_shuffle:
    case Op::transform:
      return 0;
    default:
      return out;  // other elementwise operators
  }
}

}  // namespace hone
