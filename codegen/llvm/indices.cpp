#include "codegen/llvm/indices.h"

#include <algorithm>

#include "codegen/base/result.h"

namespace hone {

using llvm::Value;

namespace {

int64_t floor_quotient(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

Value* Indices::whole(Integer integer) {
  if (!integer.dynamic) return b_.getInt64(static_cast<uint64_t>(integer.constant));
  if (integer.constant == 0) return integer.dynamic;
  return b_.CreateAdd(integer.dynamic, b_.getInt64(static_cast<uint64_t>(integer.constant)));
}

Integer Indices::add(Integer a, Integer b) {
  Integer sum{a.dynamic, a.constant + b.constant};
  if (b.dynamic) sum.dynamic = a.dynamic ? b_.CreateAdd(a.dynamic, b.dynamic) : b.dynamic;
  return sum;
}

Integer Indices::term(const Index::Term& term, const Variables& variables) {
  Integer value = atom(term.atom, variables);
  value.constant *= term.coefficient;
  if (value.dynamic && term.coefficient != 1) {
    value.dynamic = b_.CreateMul(value.dynamic, b_.getInt64(static_cast<uint64_t>(term.coefficient)));
  }
  return value;
}

Integer Indices::value(const Index& index, const Variables& variables) {
  Integer sum{nullptr, index.constant};
  for (const Index::Term& one : index.terms) sum = add(sum, term(one, variables));
  return sum;
}

Integer Indices::atom(const Atom& atom, const Variables& variables) {
  if (atom.kind == Atom::Kind::axis) {
    const auto found = variables.find(atom.axis);
    HONE_CHECK(found != variables.end());
    return found->second;
  }
  const Integer operand = value(*atom.operand, variables);
  const int64_t divisor = atom.divisor;
  if (!operand.dynamic) {
    const int64_t c = operand.constant;
    switch (atom.kind) {
      case Atom::Kind::floor_div:
        return {nullptr, floor_quotient(c, divisor)};
      case Atom::Kind::modulo:
        return {nullptr, c - floor_quotient(c, divisor) * divisor};
      case Atom::Kind::minimum:
        return {nullptr, std::min(c, divisor)};
      default:
        return {nullptr, std::max(c, divisor)};
    }
  }
  Value* x = whole(operand);
  Value* d = b_.getInt64(static_cast<uint64_t>(divisor));
  if (atom.kind == Atom::Kind::minimum) return {b_.CreateBinaryIntrinsic(llvm::Intrinsic::smin, x, d), 0};
  if (atom.kind == Atom::Kind::maximum) return {b_.CreateBinaryIntrinsic(llvm::Intrinsic::smax, x, d), 0};
  HONE_CHECK(divisor > 0);
  // Rounding down: one less where the remainder is negative.
  Value* remainder = b_.CreateSRem(x, d);
  Value* negative = b_.CreateICmpSLT(remainder, b_.getInt64(0));
  if (atom.kind == Atom::Kind::modulo) {
    return {b_.CreateSelect(negative, b_.CreateAdd(remainder, d), remainder), 0};
  }
  return {b_.CreateAdd(b_.CreateSDiv(x, d), b_.CreateSExt(negative, b_.getInt64Ty())), 0};
}

}  // namespace hone
