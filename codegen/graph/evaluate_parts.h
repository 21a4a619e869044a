// Private header. The evaluator's three groups of operators.
#pragma once

#include "codegen/graph/evaluate.h"

namespace hone::evaluation {

/// A node, the types around it and its operands' data.
struct Call {
  const Graph& graph;
  const Node& node;
  const TensorType& output;
  std::span<const Constant* const> operands;

  const TensorType& type(size_t i) const { return graph.values[node.inputs[i]].type; }
  const Shape& shape(size_t i) const { return type(i).shape; }
  std::span<const float> values(size_t i) const { return floats(*operands[i]); }
};

/// Row-major strides in elements.
std::vector<int64_t> strides_of(const Shape& shape);
/// Strides of an operand of `shape` seen at `rank` dimensions of `output`: 0 where it is broadcast.
std::vector<int64_t> broadcast_strides(const Shape& shape, const Shape& output);
/// Calls visit(offsets) for each point of `shape` in row-major order, with one offset per stride list.
template <size_t N, class Visit>
void for_each_point(const Shape& shape, const std::vector<int64_t> (&strides)[N], Visit visit) {
  std::vector<int64_t> index(shape.size(), 0);
  int64_t offsets[N] = {};
  for (;;) {
    visit(offsets);
    size_t d = shape.size();
    for (;;) {
      if (d-- == 0) return;
      for (size_t k = 0; k < N; ++k) offsets[k] += strides[k][d];
      if (++index[d] < shape[d]) break;
      for (size_t k = 0; k < N; ++k) offsets[k] -= strides[k][d] * shape[d];
      index[d] = 0;
    }
  }
}

std::optional<Constant> elementwise(const Call& call);
std::optional<Constant> movement(const Call& call);  ///< concat, reshape, transpose, pad, slice, gather
std::optional<Constant> arithmetic(
    const Call& call);  ///< convolutions, products, pools, reductions, normalisations

}  // namespace hone::evaluation
