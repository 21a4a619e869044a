// ONNX products, normalisations, softmax, means.
// Products with constant weights become `dense` with weights [N, K].
#include <algorithm>
#include <map>
#include <numeric>

#include "codegen/import/onnx_call.h"

namespace hone::onnx_import {
namespace {

Result<Outputs> one(Result<ValueId> value) {
  if (!value) return pass(std::move(value).error());
  return Outputs{*value};
}

/// x * number, or x itself for 1.
Result<ValueId> scaled(Call& c, ValueId x, double number, const char* suffix) {
  if (number == 1) return x;
  HONE_TRY(const ValueId factor, c.graph.scalar(c.name() + suffix + ".factor", static_cast<float>(number)));
  return c.graph.add(Op::mul, c.name() + suffix, {x, factor});
}

/// x[M,K] by w, [N,K] if `transposed` else [K,N].
Result<ValueId> product(Call& c, const std::string& name, ValueId x, ValueId w, bool transposed) {
  if (c.graph.data(w)) {
    if (!transposed) {
      HONE_TRY(w, c.graph.transpose(name + ".weights", w, {1, 0}));
    }
    return c.graph.add(Op::dense, name, {x, w}, {{"transpose_b", int64_t{1}}});
  }
  if (transposed) {
    HONE_TRY(w, c.graph.transpose(name + ".transposed", w, {1, 0}));
  }
  return c.graph.add(Op::matmul, name, {x, w});
}

Result<Outputs> gemm(Call& c) {
  HONE_TRY(ValueId a, c.operand(0));
  HONE_TRY(ValueId b, c.operand(1));
  HONE_TRY(const int64_t transpose_a, c.integer("transA", 0));
  HONE_TRY(const int64_t transpose_b, c.integer("transB", 0));
  HONE_TRY(const double alpha, c.real("alpha", 1));
  HONE_TRY(const double beta, c.real("beta", 1));
  if (c.graph.shape(a).size() != 2 || c.graph.shape(b).size() != 2) return fail("operands are not of rank 2");
  if (transpose_a) {
    HONE_TRY(a, c.graph.transpose(c.name() + ".a", a, {1, 0}));
  }
  const bool constant = c.graph.data(b) != nullptr;
  if (constant) {
    HONE_TRY(b, scaled(c, b, alpha, ".weights"));
  }
  const bool last = !c.has(2) && (constant || alpha == 1);
  HONE_TRY(ValueId y, product(c, last ? c.name() : c.name() + ".product", a, b, transpose_b != 0));
  if (!constant) {
    HONE_TRY(y, scaled(c, y, alpha, ".scaled"));
  }
  if (!c.has(2)) return Outputs{y};
  HONE_TRY(const ValueId bias, scaled(c, c.operands()[2], beta, ".bias"));
  return one(c.graph.add(Op::add, c.name(), {y, bias}));
}

Result<Outputs> matmul(Call& c) {
  HONE_TRY(ValueId a, c.operand(0));
  HONE_TRY(ValueId b, c.operand(1));
  Shape left = c.graph.shape(a), right = c.graph.shape(b);
  if (left.empty() || right.empty()) return fail("an operand is a scalar");
  const bool row = left.size() == 1, column = right.size() == 1;
  if (row) {
    HONE_TRY(a, c.graph.reshape(c.name() + ".row", a, {1, left[0]}));
  }
  if (column) {
    HONE_TRY(b, c.graph.reshape(c.name() + ".column", b, {right[0], 1}));
  }
  left = c.graph.shape(a);
  right = c.graph.shape(b);
  ValueId y = -1;
  if (right.size() == 2 && (left.size() == 2 || c.graph.data(b))) {  // the rows of all batches are one matrix
    const int64_t rows = std::accumulate(left.begin(), left.end() - 1, int64_t{1}, std::multiplies<>());
    HONE_TRY(a, c.graph.reshape(c.name() + ".rows", a, {rows, left.back()}));
    HONE_TRY(y,
             product(c, left.size() == 2 && !row && !column ? c.name() : c.name() + ".product", a, b, false));
    Shape shape = left;
    shape.back() = right[1];
    HONE_TRY(y, c.graph.reshape(c.name(), y, shape));
  } else {
    HONE_TRY(y, c.graph.add(Op::matmul, row || column ? c.name() + ".product" : c.name(), {a, b}));
  }
  Shape shape = c.graph.shape(y);
  if (column) shape.pop_back();
  if (row) shape.erase(shape.end() - (column ? 1 : 2));
  return one(c.graph.reshape(c.name(), y, shape));
}

Result<Outputs> batch_norm(Call& c) {
  std::vector<ValueId> operands;
  for (size_t i = 0; i < 5; ++i) {
    HONE_TRY(const ValueId id, c.operand(i));
    if (i > 0 && !c.graph.data(id)) return fail("its parameters are not constant");
    operands.push_back(id);
  }
  HONE_TRY(const int64_t inference, c.integer("is_test", c.opset < 7 ? 0 : 1));
  if (!inference) return fail("training mode", "is_test");
  c.ignore({"consumed_inputs"});
  HONE_TRY(const int64_t training, c.integer("training_mode", 0));
  if (training) return fail("training mode", "training_mode");
  HONE_TRY(const int64_t spatial, c.integer("spatial", 1));
  if (!spatial) return fail("one mean per element, not per channel", "spatial");
  for (size_t i = 1; i < 5; ++i)
    if (c.is_read(i)) return fail("output " + std::to_string(i) + " is read: training mode");
  c.ignore({"momentum"});
  HONE_TRY(const double epsilon, c.real("epsilon", 1e-5));
  return one(c.graph.add(Op::batch_norm, c.name(), std::move(operands), {{"epsilon", epsilon}}));
}

Result<Outputs> lrn(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const int64_t size, c.integer("size", 0));
  HONE_TRY(const double alpha, c.real("alpha", 1e-4));
  HONE_TRY(const double beta, c.real("beta", 0.75));
  HONE_TRY(const double bias, c.real("bias", 1));
  return one(c.graph.add(Op::lrn, c.name(), {x},
                         {{"size", size}, {"alpha", alpha}, {"beta", beta}, {"bias", bias}}));
}

/// Before opset 13 everything from the axis on is one dimension.
template <Op op>
Result<Outputs> softmax(Call& c) {
  HONE_TRY(ValueId x, c.operand(0));
  const Shape shape = c.graph.shape(x);
  HONE_TRY(const int64_t given, c.integer("axis", c.opset < 13 ? 1 : -1));
  if (c.opset < 13 && given == static_cast<int64_t>(shape.size()))
    return fail("axis behind the last dimension", "axis");
  HONE_TRY(int64_t axis, c.axis(given, shape.size()));
  const bool one_dimension =
      std::all_of(shape.begin() + axis + 1, shape.end(), [](int64_t e) { return e == 1; });
  const bool flatten = c.opset < 13 && !one_dimension;
  if (flatten) {
    const int64_t outer =
        std::accumulate(shape.begin(), shape.begin() + axis, int64_t{1}, std::multiplies<>());
    HONE_TRY(x, c.graph.reshape(c.name() + ".rows", x, {outer, element_count(shape) / outer}));
    axis = 1;
  }
  HONE_TRY(ValueId y, c.graph.add(op, flatten ? c.name() + ".flat" : c.name(), {x}, {{"axis", axis}}));
  return one(c.graph.reshape(c.name(), y, shape));
}

Result<std::vector<int64_t>> reduced_axes(Call& c, int64_t since_operand) {
  const size_t rank = c.graph.shape(c.operands()[0]).size();
  std::vector<int64_t> axes;
  bool none = false;
  if (c.opset < since_operand) {
    HONE_TRY(axes, c.integers("axes"));
  } else {
    HONE_TRY(auto given, c.constant_integers(1, "axes"));
    HONE_TRY(const int64_t noop, c.integer("noop_with_empty_axes", 0));
    if (given) axes = std::move(*given);
    none = noop != 0;
  }
  for (int64_t& axis : axes) {
    HONE_TRY(axis, c.axis(axis, rank, "axes"));
  }
  if (axes.empty() && !none) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  std::sort(axes.begin(), axes.end());
  axes.erase(std::unique(axes.begin(), axes.end()), axes.end());
  return axes;
}

template <bool kMean>
Result<Outputs> reduce(Call& c) {
  HONE_TRY(const ValueId x, c.operand(0));
  HONE_TRY(const auto axes, reduced_axes(c, kMean ? 18 : 13));
  HONE_TRY(const int64_t keep, c.integer("keepdims", 1));
  if (axes.empty()) return Outputs{x};
  double count = 1;
  for (const int64_t axis : axes) count *= static_cast<double>(c.graph.shape(x)[static_cast<size_t>(axis)]);
  HONE_TRY(const ValueId mean, c.graph.add(Op::reduce_mean, kMean ? c.name() : c.name() + ".mean", {x},
                                           {{"axes", axes}, {"keep_dims", keep ? int64_t{1} : int64_t{0}}}));
  return one(kMean ? Result<ValueId>(mean) : scaled(c, mean, count, ""));
}

}  // namespace

Handler find_arithmetic(const std::string& op) {
  static const std::map<std::string, Handler> kHandlers = {
      {"Gemm", gemm},
      {"MatMul", matmul},
      {"BatchNormalization", batch_norm},
      {"LRN", lrn},
      {"Softmax", softmax<Op::softmax>},
      {"LogSoftmax", softmax<Op::log_softmax>},
      {"ReduceMean", reduce<true>},
      {"ReduceSum", reduce<false>},
  };
  const auto found = kHandlers.find(op);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace hone::onnx_import
