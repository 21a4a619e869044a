// ONNX operators that make constants, and those that exist at import only: the arithmetic of shapes.
// What cannot be evaluated here is not covered.
#include <cmath>
#include <map>

#include "codegen/graph/evaluate.h"
#include "codegen/import/onnx_call.h"
#include "codegen/import/onnx_tensor.h"

namespace hone::onnx_import {
namespace {

using Integers = std::vector<int64_t>;
constexpr int64_t kMaxElements = int64_t{1} << 29;

Result<Outputs> one(Result<ValueId> value) {
  if (!value) return pass(std::move(value).error());
  return Outputs{*value};
}

Result<Outputs> integers_of(Call& c, Shape shape, const Integers& values) {
  return one(c.graph.constant(c.name(), {DType::i64, std::move(shape)}, constant_of(values)));
}

Result<Outputs> constant(Call& c) {
  if (const auto* value = c.tensor("value")) {
    HONE_TRY(DecodedTensor tensor, decode(*value, {}));
    return one(c.graph.constant(c.name(), std::move(tensor.type), std::move(tensor.data)));
  }
  if (c.has_attribute("value_int")) {
    HONE_TRY(const int64_t value, c.integer("value_int", 0));
    return integers_of(c, {}, {value});
  }
  if (c.has_attribute("value_ints")) {
    HONE_TRY(const Integers values, c.integers("value_ints"));
    return integers_of(c, {static_cast<int64_t>(values.size())}, values);
  }
  const auto* number = c.attribute("value_float");
  const auto* numbers = c.attribute("value_floats");
  if (number) return one(c.graph.scalar(c.name(), number->f()));
  if (!numbers) return fail("has no value of a kind that is covered", c.left_over());
  const std::vector<float> values(numbers->floats().begin(), numbers->floats().end());
  return one(
      c.graph.constant(c.name(), {DType::f32, {static_cast<int64_t>(values.size())}}, constant_of(values)));
}

Result<Outputs> constant_of_shape(Call& c) {
  HONE_TRY(const auto shape, c.constant_integers(0, "shape"));
  if (!shape) return fail("shape is missing", "shape");
  int64_t count = 1;
  for (const int64_t extent : *shape) {
    if (extent < 0 || (extent > 0 && count > kMaxElements / extent))
      return fail("shape " + to_text(*shape) + " is not possible", "shape");
    count *= extent;
  }
  const auto size = static_cast<size_t>(count);
  const auto* given = c.tensor("value");
  if (!given)
    return one(c.graph.constant(c.name(), {DType::f32, *shape}, constant_of(std::vector<float>(size, 0.0f))));
  HONE_TRY(const DecodedTensor value, decode(*given, {}));
  if (element_count(value.type.shape) != 1) return fail("value is not one element", "value");
  Constant data = value.type.dtype == DType::f32
                      ? constant_of(std::vector<float>(size, floats(value.data)[0]))
                      : constant_of(Integers(size, integers(value.data)[0]));
  return one(c.graph.constant(c.name(), {value.type.dtype, *shape}, std::move(data)));
}

Result<Outputs> shape(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  const Shape& all = c.graph.shape(x);
  const auto rank = static_cast<int64_t>(all.size());
  HONE_TRY(int64_t start, c.integer("start", 0));
  HONE_TRY(int64_t end, c.integer("end", rank));
  const auto resolve = [&](int64_t at) {
    return std::min(std::max<int64_t>(at < 0 ? at + rank : at, 0), rank);
  };
  start = resolve(start);
  end = std::max(start, resolve(end));
  return integers_of(c, {end - start}, Integers(all.begin() + start, all.begin() + end));
}

Result<Outputs> size(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  return integers_of(c, {}, {element_count(c.graph.shape(x))});
}

Result<Outputs> cast(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const int64_t to, c.integer("to", 0));
  c.ignore({"saturate"});
  const auto dtype = widened(static_cast<int>(to));
  if (!dtype) return fail(dtype.error().what, "to");
  const DType from = c.graph.type(x).dtype;
  const bool truth = to == onnx::TensorProto::BOOL;
  if (from == *dtype && !truth && from == DType::f32) return Outputs{x};
  if (!c.graph.data(x)) return fail("casts a tensor that is not constant from or to integers", "to");
  const TensorType type{*dtype, c.graph.shape(x)};
  Integers whole;
  std::vector<float> real;
  const auto put = [&](auto value) {
    if (*dtype == DType::f32)
      real.push_back(static_cast<float>(value));
    else if (truth)
      whole.push_back(value != 0);
    else
      whole.push_back(std::fabs(static_cast<double>(value)) < 9e18 ? static_cast<int64_t>(value) : 0);
  };
  if (from == DType::f32)
    for (const float value : floats(*c.graph.data(x))) put(value);
  else
    for (const int64_t value : integers(*c.graph.data(x))) put(value);
  return one(c.graph.constant(c.name(), type, *dtype == DType::f32 ? constant_of(real) : constant_of(whole)));
}

template <double (*kRound)(double)>
Result<Outputs> rounded(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  if (!c.graph.data(x) || c.graph.type(x).dtype != DType::f32) return fail("is covered for constants only");
  std::vector<float> values;
  for (const float value : floats(*c.graph.data(x))) values.push_back(static_cast<float>(kRound(value)));
  return one(c.graph.constant(c.name(), c.graph.type(x), constant_of(values)));
}

Result<Outputs> range(Call& c) {
  Integers bounds;
  for (size_t i = 0; i < 3; ++i) {
    HONE_TRY(const ValueId id, c.operand(i));
    const auto value = c.graph.known_integers(id);
    if (!value || value->size() != 1) return fail("is covered for constant integers only");
    bounds.push_back(value->front());
  }
  Integers values;
  if (bounds[2] == 0) return fail("delta is 0", "delta");
  for (int64_t at = bounds[0]; bounds[2] > 0 ? at < bounds[1] : at > bounds[1]; at += bounds[2]) {
    if (values.size() == 1 << 20) return fail("has more than a million elements");
    values.push_back(at);
  }
  return integers_of(c, {static_cast<int64_t>(values.size())}, values);
}

/// Broadcasting to a shape: an addition of zeros, evaluated at once if `x` is constant.
Result<Outputs> expand(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const auto target, c.constant_integers(1, "shape"));
  if (!target) return fail("shape is missing", "shape");
  int64_t count = 1;
  for (const int64_t extent : *target) {
    if (extent < 1 || count > kMaxElements / extent)
      return fail("shape " + to_text(*target) + " is not possible", "shape");
    count *= extent;
  }
  const auto size = static_cast<size_t>(count);
  const DType dtype = c.graph.type(x).dtype;
  Constant zeros = dtype == DType::f32 ? constant_of(std::vector<float>(size)) : constant_of(Integers(size));
  HONE_TRY(const ValueId zero, c.graph.constant(c.name() + ".zeros", {dtype, *target}, std::move(zeros)));
  return one(c.graph.add(Op::add, c.name(), {x, zero}));
}

}  // namespace

Handler find_constant(const std::string& op) {
  static const std::map<std::string, Handler> kHandlers = {
      {"Constant", constant},
      {"ConstantOfShape", constant_of_shape},
      {"Shape", shape},
      {"Size", size},
      {"Cast", cast},
      {"Floor", rounded<std::floor>},
      {"Ceil", rounded<std::ceil>},
      {"Range", range},
      {"Expand", expand},
  };
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace hone::onnx_import
