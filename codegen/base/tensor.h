// Element types, shapes, layouts and placements: where the element of a tensor lies in memory.
// Logical indices (n, c, h, w) are used everywhere in Graph, Task and Computation; only `Geometry` knows
// addresses.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

enum class DType : uint8_t { f32, f64, f16, i8, u8, i32, i64, boolean };
int64_t size_of(DType dtype);  ///< bytes of one element
std::string_view to_text(DType dtype);
Result<DType> parse_dtype(std::string_view text);

/// Sums and products of sizes (none negative), or the largest int64 where that overflows: so comparing with a
/// limit is always right.
int64_t saturating_sum(int64_t a, int64_t b);
int64_t saturating_product(int64_t a, int64_t b);

/// Extents, outermost first. A scalar has rank 0.
using Shape = std::vector<int64_t>;
/// The saturating product of the extents.
int64_t element_count(const Shape& shape);
std::string to_text(const Shape& shape);  ///< "1x64x56x56"; rank 0 is "scalar"
Result<Shape> parse_shape(std::string_view text);

/// dtype and shape together: "f32[1x64x56x56]".
struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
};
int64_t byte_count(const TensorType& type);  ///< saturating, as element_count
/// Why no tensor of this type can be had: rank above 8, an extent below 1, or more than 2^36 elements.
Status verify(const TensorType& type);
std::string to_text(const TensorType& type);
Result<TensorType> parse_tensor_type(std::string_view text);

/// The order of dimensions in memory, and the blocks that some are split into.
/// Text as in oneDNN's format tags: "abcd" is plain NCHW; "aBcd16b" is NCHW16c; "ABcd16b16a" is OIHW16i16o.
/// A dimension whose extent is no multiple of its block is padded up to one.
struct Layout {
  struct Block {
    int dimension;
    int64_t size;
    bool operator==(const Block&) const = default;
  };
  std::vector<int> order;     ///< a permutation of the logical dimensions, outermost first
  std::vector<Block> blocks;  ///< inner blocks, outermost first
  bool operator==(const Layout&) const = default;
  bool is_plain() const;  ///< identity order and no block

  static Layout plain(int rank);
  /// NCHW[block]c for a rank-4 tensor.
  static Layout channel_blocked(int64_t block);
};
std::string to_text(const Layout& layout);
Result<Layout> parse_layout(std::string_view text);

/// How a tensor lies within its buffer. In signature and record, in no key.
struct Placement {
  /// Elements of margin before and after each logical dimension (spatial ones only); empty means none.
  std::vector<int64_t> halo_before, halo_after;
  /// When the tensor is a range of channels (logical dimension 1) of a wider buffer: that buffer's channels
  /// and where this tensor's begin (a multiple of the channel block). 0 channels: the buffer is this tensor's
  /// own.
  int64_t buffer_channels = 0;
  int64_t channel_offset = 0;
  bool operator==(const Placement&) const = default;
  bool has_halo() const;
};
std::string to_text(
    const Placement& placement);  ///< "" when default, else "halo 0,0,1,1:0,0,1,1 channels 64+16"
Result<Placement> parse_placement(std::string_view text);

/// One physical dimension: position p of it is the logical index's `dimension`, divided by `divisor`, modulo
/// `modulus` (0: no modulus), times `stride` elements.
struct PhysicalDim {
  int dimension;
  int64_t divisor, modulus, stride, extent;
};

/// Shape + Layout + Placement made into addresses: element offset = origin + sum of dims.
/// Halo positions are reached by logical indices from -halo_before to extent + halo_after - 1.
struct Geometry {
  std::vector<PhysicalDim> dims;  ///< outermost first
  int64_t origin = 0;             ///< elements from the buffer's start to logical index 0,...,0
  int64_t elements = 0;  ///< of the whole buffer, halo, padding lanes and other channels included; saturating
};
Geometry geometry(const Shape& shape, const Layout& layout, const Placement& placement);
/// The same of what somebody else said. Error: layout or placement does not fit the shape, or it has more
/// than 2^40 elements; what is accepted has every index, halo and padding lanes included, within `elements`.
Result<Geometry> checked_geometry(const Shape& shape, const Layout& layout, const Placement& placement);
/// Element offset of one logical index (any halo index too).
int64_t element_offset(const Geometry& geometry, const std::vector<int64_t>& index);

}  // namespace hone
