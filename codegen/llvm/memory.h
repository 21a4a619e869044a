// Private: loads and stores of tensor elements, one scalar or one vector at a time, with guards and
// conversions. Addresses are a pointer that loops carry along plus a constant, which ends in the
// instruction's displacement.
#pragma once

#include <llvm/IR/IRBuilder.h>

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "codegen/llvm/arithmetic.h"
#include "codegen/llvm/indices.h"
#include "codegen/loop/loop.h"

namespace hone {

/// A buffer of the function being emitted.
struct Buffer {
  llvm::Value* pointer = nullptr;  ///< 64-byte aligned
  DType dtype = DType::f32;
  int64_t elements = 0;
  bool constant = false;  ///< packed weights: streamed, often from memory
};

/// The vector that a tile computes with; lanes 1 without a variable means scalars.
struct VectorShape {
  std::string variable;
  int64_t lanes = 1;
  int64_t active = 1;  ///< lanes beyond are neither loaded nor stored
  bool scalar() const { return variable.empty(); }
};

/// Where lane 0 of an access lies: pointer + bytes, a multiple of 2^log2_alignment bytes from a 64-byte
/// boundary.
struct Address {
  llvm::Value* pointer;
  int64_t bytes;
};

/// How the lanes of an access lie to one another.
struct LaneStride {
  int64_t elements = 0;
  bool linear = true;  ///< else every lane's offset is worked out alone
};

class Memory {
 public:
  Memory(llvm::IRBuilder<>& builder, const std::vector<Buffer>& buffers, llvm::Type* arithmetic,
         const VectorShape& shape)
      : b_(builder), indices_(builder), buffers_(buffers), arithmetic_(arithmetic), shape_(shape) {}

  /// Scalars or vectors of the type that arithmetic is done in.
  llvm::Type* value_type() const;
  LaneStride lane_stride(const loop::Access& access) const;
  /// The lanes at `address` (which the access's offset leads to under `variables`), converted.
  llvm::Value* load(const loop::Access& access, Address address, const Variables& variables);
  void store(const loop::Access& access, Address address, const Variables& variables, llvm::Value* value);
  /// The address in one pointer.
  llvm::Value* at(Address address);
  /// An index as a number of the arithmetic type, lane by lane.
  llvm::Value* from_index(const Index& index, const Variables& variables);

 private:
  /// When an access is inside: for all lanes at once, lane by lane, or both; null means always.
  struct Condition {
    llvm::Value* all = nullptr;
    llvm::Value* lanes = nullptr;
  };
  Condition condition(const loop::Access& access, const Variables& variables);
  llvm::Value* inside(const loop::Guard& guard, const Variables& variables);
  Variables with_lane(const Variables& variables, int64_t lane) const;
  llvm::Value* load_lanes(const loop::Access& access, const Variables& variables, llvm::Value* all,
                          llvm::Value* lanes);
  llvm::Value* load_vector(const loop::Access& access, Address address, llvm::Value* all, llvm::Value* lanes);
  llvm::Value* load_scalar(const loop::Access& access, llvm::Value* pointer, int64_t bytes,
                           llvm::Value* inside);
  void store_lanes(const loop::Access& access, const Variables& variables, llvm::Value* value,
                   llvm::Value* mask);
  llvm::Value* lane_pointer(const loop::Access& access, const Variables& variables, int64_t lane,
                            llvm::Value* inside);
  llvm::Align alignment(const loop::Access& access, int64_t bytes, bool vector) const;
  llvm::Type* element_type(DType dtype) const;
  llvm::Type* lanes_of(llvm::Type* element) const;
  llvm::Value* convert_in(llvm::Value* value, DType dtype);
  llvm::Value* convert_out(llvm::Value* value, DType dtype);

  llvm::IRBuilder<>& b_;
  Indices indices_;
  const std::vector<Buffer>& buffers_;
  llvm::Type* arithmetic_;
  const VectorShape& shape_;
};

}  // namespace hone
