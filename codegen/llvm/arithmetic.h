// Private: scalar operations as LLVM IR, for scalars and vectors of f32 and f64, without a single library
// call. What the target lacks (fused multiply-add, rounding) is made of what it has.
#pragma once

#include <llvm/IR/IRBuilder.h>

namespace hone {

/// What the instruction set offers, beyond what every target of its family has.
struct InstructionSet {
  bool fma = false;             ///< fused multiply-add as one instruction
  bool round = false;           ///< floor as one instruction
  bool native_maximum = false;  ///< maximum that propagates NaN, as one instruction
  int x86_maximum = 0;          ///< f32 lanes of the widest maximum that gives its second operand for NaN
  bool half = false;            ///< conversions from and to f16
  bool scale = false;           ///< AVX-512's x - floor(x) and a * 2^floor(b), each as one instruction
  bool scale_short = false;     ///< the same for vectors of 256 and 128 bits
};

/// Emits at the builder's insertion point. Operands and results have the same type: float, double or vectors
/// of them.
class Arithmetic {
 public:
  Arithmetic(llvm::IRBuilder<>& builder, const InstructionSet& set) : b_(builder), set_(set) {}

  llvm::Value* constant(llvm::Type* type, double value) const;
  /// a * b + c, in one rounding where the target can.
  llvm::Value* multiply_add(llvm::Value* a, llvm::Value* b, llvm::Value* c);
  /// NaN if either operand is NaN.
  llvm::Value* maximum(llvm::Value* a, llvm::Value* b);
  llvm::Value* minimum(llvm::Value* a, llvm::Value* b);
  llvm::Value* floor(llvm::Value* x);
  llvm::Value* sqrt(llvm::Value* x);
  llvm::Value* abs(llvm::Value* x);
  /// Error under 2 ulp in f32, 4e-16 relative in f64; exp(-inf) = 0, overflow gives inf.
  llvm::Value* exp(llvm::Value* x);
  /// log(0) = -inf, log(negative) = NaN; denormals included.
  llvm::Value* log(llvm::Value* x);
  /// Both saturate exactly; tanh keeps its relative accuracy (and the sign of zero) near 0. sigmoid may give
  /// 0 where the exact result is a denormal. Error under 4 ulp (f32) and 8 ulp (f64); for sigmoid in f32, of
  /// what it is at an x that is off by 1 ulp.
  llvm::Value* tanh(llvm::Value* x);
  llvm::Value* sigmoid(llvm::Value* x);
  /// a * sigmoid(x) in one division.
  llvm::Value* times_sigmoid(llvm::Value* a, llvm::Value* x);

 private:
  struct Reduced {
    llvm::Value* exponent;  ///< integer of the same width: n in x = n ln 2 + rest
    llvm::Value* rest;      ///< |rest| <= ln 2 / 2
  };
  Reduced reduce_by_ln2(llvm::Value* x);
  llvm::Value* expm1_polynomial(llvm::Value* rest);
  llvm::Value* power_of_two(llvm::Value* exponent, llvm::Type* type);
  llvm::Value* polynomial(llvm::Value* x, std::initializer_list<double> highest_first);
  llvm::Value* exp_of_negative(llvm::Value* x);
  bool has_scale(const llvm::Type* type) const;
  llvm::Value* scale_intrinsic(bool reduce, llvm::Value* a, llvm::Value* b);
  bool has_x86_maximum(const llvm::Type* type) const;
  llvm::Value* x86_extremum(llvm::Value* a, llvm::Value* b, bool maximum);  ///< b if either is NaN
  llvm::Value* extremum(llvm::Value* a, llvm::Value* b, bool maximum);
  /// maximum or minimum with a constant: NaN in x stays.
  llvm::Value* clamp_below(llvm::Value* x, double least);
  llvm::Value* clamp_above(llvm::Value* x, double most);

  llvm::IRBuilder<>& b_;
  const InstructionSet& set_;
};

}  // namespace hone
