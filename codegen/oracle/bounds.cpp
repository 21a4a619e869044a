// The loosest error bounds that formulations claim, by the operator that decides: a test holds this table
// against all of them.
#include <algorithm>

#include "codegen/oracle/plan.h"

namespace hone::oracle {
namespace {

int64_t product_of(const Shape& shape, size_t first) {
  int64_t product = 1;
  for (size_t d = first; d < shape.size(); ++d) product *= shape[d];
  return product;
}

ErrorBound looser(ErrorBound a, ErrorBound b) {
  return {std::max(a.relative_l2, b.relative_l2), std::max(a.element_factor, b.element_factor)};
}

/// Winograd's transforms lose more than plain sums do; channels are summed in whole blocks.
ErrorBound conv_bound(const Step& s) {
  constexpr int64_t kWidestBlock = 16;
  constexpr ErrorBound kWinograd{2e-5, 64};
  const Shape& w = s.shapes[1];
  const int64_t channels = (w[1] + kWidestBlock - 1) / kWidestBlock * kWidestBlock;
  const ErrorBound plain = sum_bound(channels * w[2] * w[3]);
  const bool strided = std::max({s.strides[0], s.strides[1], s.dilations[0], s.dilations[1], s.groups}) > 1;
  return strided || w[2] * w[3] == 1 ? plain : looser(plain, kWinograd);
}

}  // namespace

ErrorBound loosest_bound(const Step& s) {
  switch (s.op) {
    case Op::conv:
      return conv_bound(s);
    case Op::dense:
    case Op::matmul:
      return sum_bound(s.shapes[0].back());
    case Op::global_average_pool:
    case Op::global_max_pool:
      return sum_bound(product_of(s.shapes[0], 2));
    case Op::reduce_mean:
      return sum_bound(element_count(s.shapes[0]) / element_count(s.shape));
    case Op::max_pool:
    case Op::average_pool:
      return {2e-6, 4};
    case Op::softmax:
    case Op::log_softmax:
    case Op::lrn:
      return {4e-6, 16};
    case Op::concat:
    case Op::reshape:
    case Op::transpose:
    case Op::pad:
    case Op::slice:
    case Op::gather:
      return {1e-6, 8};
    case Op::channel_shuffle:
    case Op::transform:
      return {1e-7, 1};
    default:  // chains of elementwise operators, and what normalises
      return {2e-6, 8};
  }
}

}  // namespace hone::oracle
