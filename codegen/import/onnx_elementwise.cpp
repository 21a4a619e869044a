// ONNX operators that work element by element, from opset 7 on.
// Variadic ones become chains of two-operand nodes.
#include <limits>
#include <map>

#include "codegen/import/onnx_call.h"

namespace hone::onnx_import {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Result<Outputs> one(Result<ValueId> value) {
  if (!value) return pass(std::move(value).error());
  return Outputs{*value};
}

template <Op op>
Result<Outputs> unary(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  return one(c.graph.add(op, c.name(), {x}));
}

template <Op op>
Result<Outputs> variadic(Call& c) {
  HONE_TRY(ValueId sum, c.operand(0));
  for (size_t i = 1; i < c.count(); ++i) {
    HONE_TRY(const ValueId x, c.operand(i));
    HONE_TRY(sum, c.graph.add(op, i + 1 == c.count() ? c.name() : c.name() + ".part", {sum, x}));
  }
  return Outputs{sum};
}

template <Op op>
Result<Outputs> binary(Call& c) {
  if (c.count() != 2) return fail("needs two operands");
  return variadic<op>(c);
}

Result<Outputs> mean(Call& c) {
  HONE_TRY(const Outputs sum, variadic<Op::add>(c));
  HONE_TRY(const ValueId count, c.graph.scalar(c.name() + ".count", static_cast<float>(c.count())));
  return one(c.graph.add(Op::div, c.name(), {sum[0], count}));
}

Result<Outputs> clip(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  double lo = -kInfinity, hi = kInfinity;
  if (c.opset < 11) {
    HONE_TRY(lo, c.real("min", lo));
    HONE_TRY(hi, c.real("max", hi));
  } else {
    HONE_TRY(const auto min, c.constant_number(1, "min"));
    HONE_TRY(const auto max, c.constant_number(2, "max"));
    lo = min.value_or(lo);
    hi = max.value_or(hi);
  }
  if (c.graph.type(x).dtype != DType::f32) return fail("clips integers");
  return one(c.graph.add(Op::clip, c.name(), {x}, {{"min", lo}, {"max", hi}}));
}

Result<Outputs> hard_sigmoid(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const double alpha, c.real("alpha", 0.2));
  HONE_TRY(const double beta, c.real("beta", 0.5));
  return one(c.graph.add(Op::hard_sigmoid, c.name(), {x}, {{"alpha", alpha}, {"beta", beta}}));
}

/// relu(x) + slope * min(x, 0)
Result<ValueId> leaky(Call& c, ValueId x, ValueId slope) {
  const double zero = 0;
  HONE_TRY(const ValueId above, c.graph.add(Op::relu, c.name() + ".above", {x}));
  HONE_TRY(const ValueId below,
           c.graph.add(Op::clip, c.name() + ".below", {x}, {{"min", -kInfinity}, {"max", zero}}));
  HONE_TRY(const ValueId scaled, c.graph.add(Op::mul, c.name() + ".scaled", {below, slope}));
  return c.graph.add(Op::add, c.name(), {above, scaled});
}

Result<Outputs> leaky_relu(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const double alpha, c.real("alpha", 0.01));
  HONE_TRY(const ValueId slope, c.graph.scalar(c.name() + ".slope", static_cast<float>(alpha)));
  return one(leaky(c, x, slope));
}

Result<Outputs> prelu(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const ValueId slope, c.operand(1));
  return one(leaky(c, x, slope));
}

Result<Outputs> pow(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const auto exponent, c.constant_number(1, "exponent"));
  if (c.graph.type(x).dtype == DType::f32 && exponent == 2)
    return one(c.graph.add(Op::mul, c.name(), {x, x}));
  if (c.graph.type(x).dtype == DType::f32 && exponent == 0.5)
    return one(c.graph.add(Op::sqrt, c.name(), {x}));
  return fail("the exponent is neither 2 nor 0.5", "exponent");
}

}  // namespace

Handler find_elementwise(const std::string& op) {
  static const std::map<std::string, Handler> kHandlers = {
      {"Relu", unary<Op::relu>},
      {"Sigmoid", unary<Op::sigmoid>},
      {"Tanh", unary<Op::tanh>},
      {"Exp", unary<Op::exp>},
      {"Neg", unary<Op::neg>},
      {"Abs", unary<Op::abs>},
      {"Sqrt", unary<Op::sqrt>},
      {"Reciprocal", unary<Op::reciprocal>},
      {"HardSwish", unary<Op::hard_swish>},
      {"HardSigmoid", hard_sigmoid},
      {"Clip", clip},
      {"LeakyRelu", leaky_relu},
      {"PRelu", prelu},
      {"Pow", pow},
      {"Add", binary<Op::add>},
      {"Sub", binary<Op::sub>},
      {"Mul", binary<Op::mul>},
      {"Div", binary<Op::div>},
      {"Sum", variadic<Op::add>},
      {"Max", variadic<Op::maximum>},
      {"Min", variadic<Op::minimum>},
      {"Mean", mean},
  };
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace hone::onnx_import
