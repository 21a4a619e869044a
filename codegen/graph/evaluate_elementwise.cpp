// Evaluation of unary and binary operators with NumPy broadcasting.
// Floats are computed in double and rounded once, integers exactly.
#include <algorithm>
#include <cmath>

#include "codegen/graph/evaluate_parts.h"

namespace hone::evaluation {
namespace {

double unary(const Node& node, double x) {
  switch (node.op) {
    case Op::relu:
      return std::max(x, 0.0);
    case Op::clip:
      return std::min(std::max(x, node.real("min", -INFINITY)), node.real("max", INFINITY));
    case Op::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Op::tanh:
      return std::tanh(x);
    case Op::exp:
      return std::exp(x);
    case Op::neg:
      return -x;
    case Op::abs:
      return std::fabs(x);
    case Op::sqrt:
      return std::sqrt(x);
    case Op::reciprocal:
      return 1 / x;
    case Op::hard_sigmoid:
      return std::max(0.0, std::min(1.0, node.real("alpha", 0.2) * x + node.real("beta", 0.5)));
    case Op::hard_swish:
      return x * std::max(0.0, std::min(1.0, x / 6 + 0.5));
    default:
      HONE_CHECK(!"unary");
      return 0;
  }
}

double binary(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return a + b;
    case Op::sub:
      return a - b;
    case Op::mul:
      return a * b;
    case Op::div:
      return a / b;
    case Op::maximum:
      return std::max(a, b);
    case Op::minimum:
      return std::min(a, b);
    default:
      HONE_CHECK(!"binary");
      return 0;
  }
}

/// Wraps around instead of overflowing; nothing for a division that has no result.
std::optional<int64_t> binary(Op op, int64_t a, int64_t b) {
  const auto ua = static_cast<uint64_t>(a), ub = static_cast<uint64_t>(b);
  switch (op) {
    case Op::add:
      return static_cast<int64_t>(ua + ub);
    case Op::sub:
      return static_cast<int64_t>(ua - ub);
    case Op::mul:
      return static_cast<int64_t>(ua * ub);
    case Op::div:
      return b == 0 || (b == -1 && a == INT64_MIN) ? std::nullopt : std::optional(a / b);
    case Op::maximum:
      return std::max(a, b);
    case Op::minimum:
      return std::min(a, b);
    default:
      return std::nullopt;
  }
}

std::optional<Constant> on_integers(const Call& call) {
  std::vector<int64_t> result;
  result.reserve(static_cast<size_t>(element_count(call.output.shape)));
  const auto a = integers(*call.operands[0]);
  if (call.operands.size() == 1) {
    for (const int64_t x : a) {
      const auto negative = static_cast<int64_t>(0 - static_cast<uint64_t>(x));
      if (call.node.op == Op::neg)
        result.push_back(negative);
      else if (call.node.op == Op::abs)
        result.push_back(x < 0 ? negative : x);
      else if (call.node.op == Op::relu)
        result.push_back(std::max<int64_t>(x, 0));
      else
        return std::nullopt;
    }
    return constant_of(result);
  }
  const auto b = integers(*call.operands[1]);
  bool known = true;
  for_each_point(call.output.shape,
                 {broadcast_strides(call.shape(0), call.output.shape),
                  broadcast_strides(call.shape(1), call.output.shape)},
                 [&](const int64_t* at) {
                   const auto value =
                       binary(call.node.op, a[static_cast<size_t>(at[0])], b[static_cast<size_t>(at[1])]);
                   known = known && value;
                   result.push_back(value.value_or(0));
                 });
  return known ? std::optional(constant_of(result)) : std::nullopt;
}

}  // namespace

std::optional<Constant> elementwise(const Call& call) {
  if (call.output.dtype == DType::i64) return on_integers(call);
  std::vector<float> result;
  result.reserve(static_cast<size_t>(element_count(call.output.shape)));
  const auto a = call.values(0);
  if (call.operands.size() == 1) {
    for (const float x : a) result.push_back(static_cast<float>(unary(call.node, x)));
    return constant_of(result);
  }
  const auto b = call.values(1);
  for_each_point(call.output.shape,
                 {broadcast_strides(call.shape(0), call.output.shape),
                  broadcast_strides(call.shape(1), call.output.shape)},
                 [&](const int64_t* at) {
                   result.push_back(static_cast<float>(
                       binary(call.node.op, static_cast<double>(a[static_cast<size_t>(at[0])]),
                              static_cast<double>(b[static_cast<size_t>(at[1])]))));
                 });
  return constant_of(result);
}

}  // namespace hone::evaluation
