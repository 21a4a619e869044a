// Evaluation of operators that only move elements: concat, reshape, transpose, pad, slice, gather,
// channel_shuffle.
// All but gather are one strided copy per operand.
#include <cstring>

#include "codegen/graph/evaluate_parts.h"

namespace hone::evaluation {
namespace {

/// Elements of one size, copied point by point.
struct Copy {
  int64_t size;  // bytes of an element
  const std::byte* from;
  std::byte* to;

  void operator()(const Shape& shape, int64_t from_base, const std::vector<int64_t>& from_strides,
                  int64_t to_base, const std::vector<int64_t>& to_strides) const {
    for_each_point(shape, {from_strides, to_strides}, [&](const int64_t* at) {
      std::memcpy(to + (to_base + at[1]) * size, from + (from_base + at[0]) * size,
                  static_cast<size_t>(size));
    });
  }
};

std::optional<Constant> gather(const Call& call, Constant result) {
  if (call.type(1).dtype != DType::i64) return std::nullopt;
  const auto axis = static_cast<size_t>(call.node.integer("axis", 0));
  const Shape& data = call.shape(0);
  const int64_t extent = data[axis];
  int64_t outer = 1, inner = size_of(call.output.dtype);
  for (size_t d = 0; d < axis; ++d) outer *= data[d];
  for (size_t d = axis + 1; d < data.size(); ++d) inner *= data[d];
  std::byte* to = result.bytes.data();
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t index : integers(*call.operands[1])) {
      if (index < 0) index += extent;
      if (index < 0 || index >= extent) return std::nullopt;
      std::memcpy(to, call.operands[0]->bytes.data() + (o * extent + index) * inner,
                  static_cast<size_t>(inner));
      to += inner;
    }
  return result;
}

}  // namespace

std::optional<Constant> movement(const Call& call) {
  const int64_t size = size_of(call.output.dtype);
  const Shape& shape = call.output.shape;
  if (call.node.op == Op::reshape || call.node.op == Op::transform) return *call.operands[0];
  Constant result{std::vector<std::byte>(static_cast<size_t>(element_count(shape) * size))};
  const auto to_strides = strides_of(shape);
  const Copy copy{size, call.operands[0]->bytes.data(), result.bytes.data()};
  auto from_strides = strides_of(call.shape(0));
  switch (call.node.op) {
    case Op::gather:
      return gather(call, std::move(result));
    case Op::concat: {
      const auto axis = static_cast<size_t>(call.node.integer("axis", 0));
      int64_t begin = 0;
      for (size_t i = 0; i < call.operands.size(); ++i) {
        const Copy one{size, call.operands[i]->bytes.data(), result.bytes.data()};
        one(call.shape(i), 0, strides_of(call.shape(i)), begin * to_strides[axis], to_strides);
        begin += call.shape(i)[axis];
      }
      return result;
    }
    case Op::transpose: {
      std::vector<int64_t> permuted;
      for (const int64_t d : call.node.integers("permutation"))
        permuted.push_back(from_strides[static_cast<size_t>(d)]);
      copy(shape, 0, permuted, 0, to_strides);
      return result;
    }
    case Op::channel_shuffle: {
      const int64_t groups = call.node.integer("groups", 1), members = shape[1] / groups,
                    plane = shape[2] * shape[3];
      copy({shape[0], members, groups, plane}, 0, {shape[1] * plane, plane, members * plane, 1}, 0,
           {shape[1] * plane, groups * plane, plane, 1});
      return result;
    }
    case Op::pad: {
      if (call.output.dtype == DType::f32) {
        const std::vector<float> fill(static_cast<size_t>(element_count(shape)),
                                      static_cast<float>(call.node.real("value", 0)));
        result = constant_of(fill);
      } else {
        const std::vector<int64_t> fill(static_cast<size_t>(element_count(shape)),
                                        static_cast<int64_t>(call.node.real("value", 0)));
        result = constant_of(fill);
      }
      const auto pads = call.node.integers("pads");
      int64_t base = 0;
      for (size_t d = 0; d < shape.size(); ++d) base += pads[d] * to_strides[d];
      Copy{size, call.operands[0]->bytes.data(), result.bytes.data()}(call.shape(0), 0, from_strides, base,
                                                                      to_strides);
      return result;
    }
    case Op::slice: {
      const auto axes = call.node.integers("axes"), starts = call.node.integers("starts"),
                 steps = call.node.integers("steps");
      int64_t base = 0;
      for (size_t i = 0; i < axes.size(); ++i) {
        auto& stride = from_strides[static_cast<size_t>(axes[i])];
        base += starts[i] * stride;
        if (!steps.empty()) stride *= steps[i];
      }
      copy(shape, base, from_strides, 0, to_strides);
      return result;
    }
    default:
      return std::nullopt;
  }
}

}  // namespace hone::evaluation
