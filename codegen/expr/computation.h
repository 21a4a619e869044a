// Computation: a small DAG of tensor expressions. Each Stage computes every element of one tensor by one scalar
// expression over named axes, with at most one reduction. Indices are logical; each tensor carries its layout.
//
// Text, as printed by to_text and read by parse_computation: a line for each tensor and stage, in order.
//   input x f32[1x64x56x56] aBcd16b halo 0,0,1,1:0,0,1,1
//   conv: y[n,oc,oh,ow] over n 1, oc 64, oh 56, ow 56 = max(sum[ic 64, kh 3, kw 3](x[n,ic,oh+kh-1,ow+kw-1] * w[oc,ic,kh,kw]) + b[oc], 0)
// A reduction that the value reads again is "acc" from its second use on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/signature.h"
#include "codegen/base/tensor.h"
#include "codegen/expr/index.h"

namespace hone {

enum class ScalarOp : uint8_t {
  constant,     // value
  read,         // tensor, index, outside
  from_index,   // index, converted to the computation's type
  accumulator,  // in Stage::value only: the finished reduction
  neg, abs, exp, log, tanh, sigmoid, sqrt, floor,
  add, sub, mul, div, maximum, minimum,
  select_less,  // args a, b, c, d: a < b ? c : d
};

struct Scalar;
using ScalarPtr = std::shared_ptr<const Scalar>;
struct Scalar {
  ScalarOp op;
  double value = 0;             ///< constant
  int tensor = -1;              ///< read: index into Computation::tensors
  std::vector<Index> index;     ///< read: one per logical dimension; from_index: one
  /// read: what an index outside the logical shape gives. Absent: the index is inside, or in the halo that the tensor's
  /// placement has. Guards cost: padding, packing and transforms only, never inside a hot reduction.
  std::optional<double> outside;
  std::vector<ScalarPtr> args;
};

namespace scalar {
ScalarPtr constant(double value);
ScalarPtr read(int tensor, std::vector<Index> index, std::optional<double> outside = {});
ScalarPtr from_index(Index index);
ScalarPtr accumulator();
ScalarPtr unary(ScalarOp op, ScalarPtr a);
ScalarPtr binary(ScalarOp op, ScalarPtr a, ScalarPtr b);
ScalarPtr select_less(ScalarPtr a, ScalarPtr b, ScalarPtr then, ScalarPtr otherwise);
}  // namespace scalar

struct Axis {
  std::string name;
  int64_t extent;
  bool operator==(const Axis&) const = default;
};

enum class Combiner : uint8_t { sum, maximum };

struct Reduction {
  std::vector<Axis> axes;
  Combiner combiner = Combiner::sum;
  ScalarPtr update;  ///< what is combined at each point of spatial and reduce axes
};

struct Stage {
  std::string name;
  int output = -1;                 ///< index into Computation::tensors
  std::vector<Axis> axes;          ///< spatial axes: every point is computed exactly once
  std::vector<Index> store_index;  ///< logical index written; may reach padding lanes (axes padded up to the block)
  std::optional<Reduction> reduction;
  ScalarPtr value;                 ///< what is stored; reads `accumulator` if there is a reduction
};

struct Tensor {
  std::string name;
  Role role = Role::input;
  TensorType type;
  Layout layout;
  Placement placement;
  ValueRange range;
  float halo_value = 0;
};

struct Computation {
  std::vector<Tensor> tensors;
  std::vector<Stage> stages;  ///< in order; a stage reads what earlier ones wrote
  /// Arithmetic is done in this type; reads convert to it, stores convert from it. f32, or f64 for references.
  DType arithmetic = DType::f32;
};

/// Names unique, tensors and arity in range, reads inside shape + halo (or with `outside`), order of stages.
Status verify(const Computation& computation);
std::string to_text(const Computation& computation);
/// Reads what to_text prints; an Error names the line. Does not verify. Scalars come back as trees.
Result<Computation> parse_computation(std::string_view text);
std::string to_text(const Computation& computation, const Scalar& scalar);
/// The same with names in place of some nodes below `scalar`, so that what is shared can be printed once.
using ScalarNames = std::map<const Scalar*, std::string>;
std::string to_text(const Computation& computation, const Scalar& scalar, const ScalarNames& names);
const Stage* find_stage(const Computation& computation, const std::string& name);

/// The logical indices of one dimension that lie in the tensor's buffer: its extent, its halo and its padding lanes.
Interval addressable(const Tensor& tensor, int dimension);
/// Calls `visit` once for every node of the DAG, arguments first.
void for_each_node(const ScalarPtr& root, const std::function<void(const Scalar&)>& visit);
/// How many arguments an operation has.
int arity(ScalarOp op);
/// Whether it counts as arithmetic: all but constants, reads, indices and the accumulator.
bool is_arithmetic(ScalarOp op);

}  // namespace hone
