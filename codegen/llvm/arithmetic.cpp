#include "codegen/llvm/arithmetic.h"

#include <llvm/IR/Constants.h>
#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <cmath>
#include <limits>

namespace hone {

using llvm::Type;
using llvm::Value;
using llvm::Intrinsic::ID;

namespace {

bool is_double(const Type* type) { return type->getScalarType()->isDoubleTy(); }

/// The integer type of the same width and lanes.
Type* bits_of(Type* type) {
  Type* integer = llvm::IntegerType::get(type->getContext(), type->getScalarSizeInBits());
  if (auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type)) {
    return llvm::FixedVectorType::get(integer, vector->getNumElements());
  }
  return integer;
}

int mantissa_bits(const Type* type) { return is_double(type) ? 52 : 23; }
int exponent_bias(const Type* type) { return is_double(type) ? 1023 : 127; }

}  // namespace

Value* Arithmetic::constant(Type* type, double value) const { return llvm::ConstantFP::get(type, value); }

Value* Arithmetic::multiply_add(Value* a, Value* b, Value* c) {
  if (!set_.fma) return b_.CreateFAdd(b_.CreateFMul(a, b), c);
  return b_.CreateIntrinsic(llvm::Intrinsic::fma, {a->getType()}, {a, b, c});
}

// x86's maxps gives its second operand if either is NaN, which is `first > second ? first : second`. So a
// constant goes first, and two variables need one more comparison.
Value* Arithmetic::extremum(Value* a, Value* b, bool maximum) {
  const bool constant = llvm::isa<llvm::Constant>(a) || llvm::isa<llvm::Constant>(b);
  if (set_.native_maximum && !constant) {
    const ID id = maximum ? llvm::Intrinsic::maximum : llvm::Intrinsic::minimum;
    return b_.CreateIntrinsic(id, {a->getType()}, {a, b});
  }
  if (!constant && has_x86_maximum(a->getType())) {
    // What both comparisons would become by themselves takes four instructions instead of two.
    return b_.CreateSelect(b_.CreateFCmpORD(a, a), x86_extremum(a, b, maximum), a);
  }
  if (llvm::isa<llvm::Constant>(b)) std::swap(a, b);
  Value* first = maximum ? b_.CreateFCmpOGT(a, b) : b_.CreateFCmpOLT(a, b);
  Value* result = b_.CreateSelect(first, a, b);
  if (constant) return result;
  return b_.CreateSelect(b_.CreateFCmpUNO(a, a), a, result);
}

bool Arithmetic::has_x86_maximum(const Type* type) const {
  const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
  if (!vector || is_double(type)) return false;
  const int lanes = static_cast<int>(vector->getNumElements());
  return lanes <= set_.x86_maximum && (lanes == 4 || lanes == 8 || lanes == 16);
}

Value* Arithmetic::x86_extremum(Value* a, Value* b, bool maximum) {
  namespace intrinsic = llvm::Intrinsic;
  const unsigned lanes = llvm::cast<llvm::FixedVectorType>(a->getType())->getNumElements();
  constexpr unsigned kCurrentRounding = 4;
  if (lanes == 16)
    return b_.CreateIntrinsic(maximum ? intrinsic::x86_avx512_max_ps_512 : intrinsic::x86_avx512_min_ps_512,
                              {}, {a, b, b_.getInt32(kCurrentRounding)});
  const ID id = lanes == 8 ? (maximum ? intrinsic::x86_avx_max_ps_256 : intrinsic::x86_avx_min_ps_256)
                           : (maximum ? intrinsic::x86_sse_max_ps : intrinsic::x86_sse_min_ps);
  return b_.CreateIntrinsic(id, {}, {a, b});
}

Value* Arithmetic::maximum(Value* a, Value* b) { return extremum(a, b, true); }
Value* Arithmetic::minimum(Value* a, Value* b) { return extremum(a, b, false); }

Value* Arithmetic::clamp_below(Value* x, double least) {
  return extremum(constant(x->getType(), least), x, true);
}
Value* Arithmetic::clamp_above(Value* x, double most) {
  return extremum(constant(x->getType(), most), x, false);
}

Value* Arithmetic::sqrt(Value* x) { return b_.CreateUnaryIntrinsic(llvm::Intrinsic::sqrt, x); }
Value* Arithmetic::abs(Value* x) { return b_.CreateUnaryIntrinsic(llvm::Intrinsic::fabs, x); }

Value* Arithmetic::floor(Value* x) {
  if (set_.round) return b_.CreateUnaryIntrinsic(llvm::Intrinsic::floor, x);
  // Adding and taking away 2^mantissa rounds to the nearest integer; larger numbers are integers already.
  Type* type = x->getType();
  Value* big = constant(type, std::ldexp(1.0, mantissa_bits(type)));
  Value* magnitude = abs(x);
  Value* nearest = b_.CreateFSub(b_.CreateFAdd(magnitude, big), big);
  nearest = b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, nearest, x);
  Value* below = b_.CreateFSub(nearest, constant(type, 1));
  Value* rounded = b_.CreateSelect(b_.CreateFCmpOGT(nearest, x), below, nearest);
  return b_.CreateSelect(b_.CreateFCmpOLT(magnitude, big), rounded, x);
}

Value* Arithmetic::polynomial(Value* x, std::initializer_list<double> highest_first) {
  Value* result = nullptr;
  for (double coefficient : highest_first) {
    Value* c = constant(x->getType(), coefficient);
    result = result ? multiply_add(result, x, c) : c;
  }
  return result;
}

Arithmetic::Reduced Arithmetic::reduce_by_ln2(Value* x) {
  // The low bits of x / ln 2 + 1.5 * 2^mantissa are the nearest integer. ln 2 is taken away in two parts, the
  // first of which has so few bits that its product with n is exact.
  Type* type = x->getType();
  Type* integer = bits_of(type);
  const double shift = 1.5 * std::ldexp(1.0, mantissa_bits(type));
  const double high = is_double(type) ? 6.93147180369123816490e-01 : 0.693359375;
  const double low = is_double(type) ? 1.90821492927058770002e-10 : -2.12194440054690583e-4;
  Value* shifted = multiply_add(x, constant(type, 1.44269504088896340736), constant(type, shift));
  Value* n = b_.CreateFSub(shifted, constant(type, shift));
  Value* exponent =
      b_.CreateSub(b_.CreateBitCast(shifted, integer), b_.CreateBitCast(constant(type, shift), integer));
  Value* rest = multiply_add(n, constant(type, -high), x);
  return {exponent, multiply_add(n, constant(type, -low), rest)};
}

Value* Arithmetic::expm1_polynomial(Value* rest) {
  // Taylor's series: the first term left out is under 1e-8 (f32) and 5e-18 (f64) of the result.
  Value* tail =
      is_double(rest->getType())
          ? polynomial(rest, {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800, 1.0 / 362880,
                              1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5})
          : polynomial(rest, {1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5});
  return multiply_add(b_.CreateFMul(rest, rest), tail, rest);
}

Value* Arithmetic::power_of_two(Value* exponent, Type* type) {
  Type* integer = exponent->getType();
  Value* biased = b_.CreateAdd(exponent, llvm::ConstantInt::get(integer, exponent_bias(type)));
  Value* bits = b_.CreateShl(biased, llvm::ConstantInt::get(integer, mantissa_bits(type)));
  return b_.CreateBitCast(bits, type);
}

Value* Arithmetic::exp(Value* x) {
  Type* type = x->getType();
  x = clamp_above(clamp_below(x, is_double(type) ? -746 : -104), is_double(type) ? 710 : 89);
  const Reduced reduced = reduce_by_ln2(x);
  Value* fraction = b_.CreateFAdd(expm1_polynomial(reduced.rest), constant(type, 1));
  // 2^n in two factors, since n itself may lie outside the exponents there are.
  Value* half = b_.CreateAShr(reduced.exponent, llvm::ConstantInt::get(reduced.exponent->getType(), 1));
  Value* rest = b_.CreateSub(reduced.exponent, half);
  return b_.CreateFMul(b_.CreateFMul(fraction, power_of_two(half, type)), power_of_two(rest, type));
}

bool Arithmetic::has_scale(const Type* type) const {
  const auto* vector = llvm::dyn_cast<llvm::FixedVectorType>(type);
  if (!vector || is_double(type)) return false;
  const unsigned lanes = vector->getNumElements();
  return (lanes == 16 && set_.scale) || ((lanes == 8 || lanes == 4) && set_.scale_short);
}

/// b - floor(b) (0 for infinities), or a * 2^floor(b).
Value* Arithmetic::scale_intrinsic(bool reduce, Value* a, Value* b) {
  namespace intrinsic = llvm::Intrinsic;
  const unsigned lanes = llvm::cast<llvm::FixedVectorType>(b->getType())->getNumElements();
  const bool whole = lanes == 16;
  Type* mask_type = whole ? b_.getInt16Ty() : b_.getInt8Ty();
  Value* mask = llvm::ConstantInt::getAllOnesValue(mask_type);
  constexpr unsigned kFloor = 1 | 8,
                     kCurrentRounding = 4;  // downwards without an exception; as the mode says
  std::vector<Value*> arguments{b, b_.getInt32(kFloor), b, mask};
  if (!reduce) arguments = {a, b, b, mask};
  if (whole) arguments.push_back(b_.getInt32(kCurrentRounding));
  const ID id = reduce ? (whole        ? intrinsic::x86_avx512_mask_reduce_ps_512
                          : lanes == 8 ? intrinsic::x86_avx512_mask_reduce_ps_256
                                       : intrinsic::x86_avx512_mask_reduce_ps_128)
                       : (whole        ? intrinsic::x86_avx512_mask_scalef_ps_512
                          : lanes == 8 ? intrinsic::x86_avx512_mask_scalef_ps_256
                                       : intrinsic::x86_avx512_mask_scalef_ps_128);
  return b_.CreateIntrinsic(id, {}, arguments);
}

/// e^-x in few instructions: 2^t with t = -x log2 e in one rounding, which is as if x were off by an ulp.
/// Infinite where it overflows, 0 where it vanishes beside 1. Minimax polynomials of degree 5 for 2^r (error
/// 8e-8 of the result).
Value* Arithmetic::exp_of_negative(Value* x) {
  Type* type = x->getType();
  if (is_double(type)) return exp(b_.CreateFNeg(x));
  Value* t = b_.CreateFMul(x, constant(type, -1.44269504088896340736));
  if (has_scale(type)) {
    Value* fraction = polynomial(scale_intrinsic(true, nullptr, t),
                                 {0.001867130515165627, 0.009017029777169228, 0.05579991266131401,
                                  0.24016444385051727, 0.6931512951850891, 1.0});
    return scale_intrinsic(false, fraction, t);
  }
  // The low bits of t + 1.5 * 2^23 + 127 are the exponent field of 2^n, n the integer nearest to t:
  // infinity's for 128, 0's for -127.
  t = clamp_above(clamp_below(t, -127), 128);
  Value* shift = constant(type, 1.5 * 8388608 + 127);
  Value* shifted = b_.CreateFAdd(t, shift);
  Value* rest = b_.CreateFSub(t, b_.CreateFSub(shifted, shift));
  Type* integer = bits_of(type);
  Value* bits = b_.CreateShl(b_.CreateBitCast(shifted, integer),
                             llvm::ConstantInt::get(integer, static_cast<uint64_t>(mantissa_bits(type))));
  Value* fraction = polynomial(rest, {0.001326472731307149, 0.009671512991189957, 0.05550733581185341,
                                      0.24022242426872253, 0.6931470036506653, 1.0});
  return b_.CreateFMul(fraction, b_.CreateBitCast(bits, type));
}

Value* Arithmetic::sigmoid(Value* x) { return times_sigmoid(constant(x->getType(), 1), x); }

Value* Arithmetic::times_sigmoid(Value* a, Value* x) {
  return b_.CreateFDiv(a, b_.CreateFAdd(constant(x->getType(), 1), exp_of_negative(x)));
}

Value* Arithmetic::tanh(Value* x) {
  // tanh |x| = q / (q + 2), q = e^(2|x|) - 1 = 2^n expm1(rest) + (2^n - 1): no cancellation anywhere.
  Type* type = x->getType();
  Value* doubled = clamp_above(b_.CreateFMul(abs(x), constant(type, 2)), is_double(type) ? 44 : 22);
  const Reduced reduced = reduce_by_ln2(doubled);
  Value* scale = power_of_two(reduced.exponent, type);
  Value* q = multiply_add(scale, expm1_polynomial(reduced.rest), b_.CreateFSub(scale, constant(type, 1)));
  Value* result = b_.CreateFDiv(q, b_.CreateFAdd(q, constant(type, 2)));
  return b_.CreateBinaryIntrinsic(llvm::Intrinsic::copysign, result, x);
}

Value* Arithmetic::log(Value* x) {
  // x = 2^e m, sqrt(1/2) <= m < sqrt 2; log m = 2 atanh s, s = (m - 1) / (m + 1).
  Type* type = x->getType();
  Type* integer = bits_of(type);
  const bool wide = is_double(type);
  const double least_normal =
      wide ? std::numeric_limits<double>::min() : static_cast<double>(std::numeric_limits<float>::min());
  Value* denormal = b_.CreateFCmpOLT(x, constant(type, least_normal));
  Value* normal =
      b_.CreateSelect(denormal, b_.CreateFMul(x, constant(type, std::ldexp(1.0, mantissa_bits(type)))), x);
  Value* bits = b_.CreateBitCast(normal, integer);
  Value* half_bits = b_.CreateBitCast(constant(type, std::sqrt(0.5)), integer);
  Value* above = b_.CreateSub(bits, half_bits);
  Value* shift = llvm::ConstantInt::get(integer, mantissa_bits(type));
  Value* exponent = b_.CreateAShr(above, shift);
  Value* m = b_.CreateBitCast(b_.CreateSub(bits, b_.CreateShl(exponent, shift)), type);
  // An integer below 2^(mantissa-1) as a float, without a conversion that some vector units lack for 64 bits.
  const double magic = 1.5 * std::ldexp(1.0, mantissa_bits(type));
  Value* magic_bits = b_.CreateBitCast(constant(type, magic), integer);
  Value* e = b_.CreateFSub(b_.CreateBitCast(b_.CreateAdd(exponent, magic_bits), type), constant(type, magic));
  e = b_.CreateFSub(e, b_.CreateSelect(denormal, constant(type, mantissa_bits(type)), constant(type, 0)));

  Value* one = constant(type, 1);
  Value* difference = b_.CreateFSub(m, one);
  Value* s = b_.CreateFDiv(difference, b_.CreateFAdd(m, one));
  Value* z = b_.CreateFMul(s, s);
  Value* series = wide ? polynomial(z, {2.0 / 25, 2.0 / 23, 2.0 / 21, 2.0 / 19, 2.0 / 17, 2.0 / 15, 2.0 / 13,
                                        2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3})
                       : polynomial(z, {2.0 / 11, 2.0 / 9, 2.0 / 7, 2.0 / 5, 2.0 / 3});
  // log m = d - s (d - z * series) with d = m - 1: the large part, d, is exact.
  Value* correction = b_.CreateFMul(s, b_.CreateFSub(difference, b_.CreateFMul(z, series)));
  Value* fraction = b_.CreateFSub(difference, correction);
  const double high = wide ? 6.93147180369123816490e-01 : 0.693359375;
  const double low = wide ? 1.90821492927058770002e-10 : -2.12194440054690583e-4;
  Value* result = multiply_add(e, constant(type, high), multiply_add(e, constant(type, low), fraction));

  const double infinity = std::numeric_limits<double>::infinity();
  result = b_.CreateSelect(b_.CreateFCmpOEQ(x, constant(type, infinity)), x, result);
  result = b_.CreateSelect(b_.CreateFCmpOEQ(x, constant(type, 0)), constant(type, -infinity), result);
  Value* nan = constant(type, std::numeric_limits<double>::quiet_NaN());
  return b_.CreateSelect(b_.CreateFCmpULT(x, constant(type, 0)), nan, result);
}

}  // namespace hone
