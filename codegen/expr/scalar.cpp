// Constructors of scalar expressions, so that formulations read like the formulas they state.
#include "codegen/expr/computation.h"

namespace hone::scalar {
namespace {

ScalarPtr make(Scalar scalar) { return std::make_shared<const Scalar>(std::move(scalar)); }
Scalar node(ScalarOp op) {
  Scalar scalar;
  scalar.op = op;
  return scalar;
}

}  // namespace

ScalarPtr constant(double value) {
  Scalar scalar = node(ScalarOp::constant);
  scalar.value = value;
  return make(std::move(scalar));
}

ScalarPtr read(int tensor, std::vector<Index> index, std::optional<double> outside) {
  Scalar scalar = node(ScalarOp::read);
  scalar.tensor = tensor;
  scalar.index = std::move(index);
  scalar.outside = outside;
  return make(std::move(scalar));
}

ScalarPtr from_index(Index index) {
  Scalar scalar = node(ScalarOp::from_index);
  scalar.index.push_back(std::move(index));
  return make(std::move(scalar));
}

ScalarPtr accumulator() { return make(node(ScalarOp::accumulator)); }

ScalarPtr unary(ScalarOp op, ScalarPtr a) {
  Scalar scalar = node(op);
  scalar.args = {std::move(a)};
  return make(std::move(scalar));
}

ScalarPtr binary(ScalarOp op, ScalarPtr a, ScalarPtr b) {
  Scalar scalar = node(op);
  scalar.args = {std::move(a), std::move(b)};
  return make(std::move(scalar));
}

ScalarPtr select_less(ScalarPtr a, ScalarPtr b, ScalarPtr then, ScalarPtr otherwise) {
  Scalar scalar = node(ScalarOp::select_less);
  scalar.args = {std::move(a), std::move(b), std::move(then), std::move(otherwise)};
  return make(std::move(scalar));
}

}  // namespace hone::scalar
