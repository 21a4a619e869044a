#include "codegen/model/margins.h"

#include <numeric>

namespace hone {

int64_t buffer_bytes(const TensorType& type, const Port& port) {
  const Geometry g = geometry(type.shape, port.layout, port.placement);
  return saturating_sum(saturating_product(g.elements, size_of(type.dtype)), 63 + 64) / 64 * 64;
}

int64_t take_shift(const TensorType& type, Port& port) {
  Placement& placement = port.placement;
  if (placement.buffer_channels == 0 || placement.channel_offset == 0) return 0;
  const Geometry g = geometry(type.shape, port.layout, placement);
  for (const PhysicalDim& dim : g.dims) {
    if (dim.dimension != 1 || dim.modulus != 0) continue;
    const int64_t step = dim.stride * size_of(type.dtype);  // from one block of channels to the next
    const int64_t period = 64 / std::gcd(step, int64_t{64});
    const int64_t blocks = placement.channel_offset / dim.divisor, kept = blocks % period;
    placement.channel_offset = kept * dim.divisor;
    return (blocks - kept) * step;
  }
  return 0;
}

std::vector<hone_fill> margin_fills(const TensorType& type, const Port& port, float value, int64_t base) {
  if (!port.placement.has_halo()) return {};
  HONE_CHECK(type.dtype == DType::f32);
  const size_t rank = type.shape.size();
  HONE_CHECK(rank >= 2 && port.placement.buffer_channels == 0);
  const std::vector<int64_t>&before = port.placement.halo_before, &after = port.placement.halo_after;
  for (size_t d = 0; d + 2 < rank; ++d) HONE_CHECK(before[d] == 0 && after[d] == 0);
  const Geometry g = geometry(type.shape, port.layout, port.placement);
  // The last two dimensions follow each other, columns inside rows; planes of them lie one after the other.
  const PhysicalDim *rows = nullptr, *columns = nullptr;
  for (const PhysicalDim& dim : g.dims) {
    if (dim.dimension == static_cast<int>(rank) - 2) rows = &dim;
    if (dim.dimension == static_cast<int>(rank) - 1) columns = &dim;
  }
  HONE_CHECK(rows != nullptr && columns != nullptr && columns == rows + 1);
  const int64_t row = rows->stride, pixel = columns->stride, plane = row * rows->extent;
  const int64_t planes = g.elements / plane, height = type.shape[rank - 2];
  const int64_t top = before[rank - 2], bottom = after[rank - 2], left = before[rank - 1],
                right = after[rank - 1];
  std::vector<hone_fill> fills;
  const auto add = [&](int64_t start, int64_t count, int64_t stride, int64_t run) {
    if (count > 0 && run > 0)
      fills.push_back({base + start * 4, planes, plane, count, stride, run, value, 0});
  };
  add(0, 1, 0, top * row + left * pixel);
  // The right margin of one row and the left margin of the next are one run.
  add(top * row + row - right * pixel, height - 1, row, (right + left) * pixel);
  add((top + height) * row - right * pixel, 1, 0, right * pixel + bottom * row);
  return fills;
}

hone_copy boundary_copy(const TensorType& type, const Port& port, int64_t base) {
  HONE_CHECK(port.layout.is_plain());
  const Geometry g = geometry(type.shape, port.layout, port.placement);
  const size_t rank = type.shape.size();
  const auto stride_of = [&](size_t d) {
    for (const PhysicalDim& dim : g.dims)
      if (dim.dimension == static_cast<int>(d)) return dim.stride;
    return int64_t{0};
  };
  hone_copy copy{};
  copy.element_bytes = size_of(type.dtype);
  copy.base = base + g.origin * copy.element_bytes;
  copy.run = rank == 0 ? 1 : type.shape[rank - 1];
  copy.rows = rank < 2 ? 1 : type.shape[rank - 2];
  copy.row_stride = rank < 2 ? 0 : stride_of(rank - 2);
  copy.planes = 1;
  for (size_t d = 0; d + 2 < rank; ++d) copy.planes *= type.shape[d];
  copy.plane_stride = rank < 3 ? 0 : stride_of(rank - 3);
  // Planes of several dimensions lie one after the other unless the tensor is a part of a wider one.
  HONE_CHECK(rank < 4 || port.placement.buffer_channels == 0 || type.shape[0] == 1);
  return copy;
}

}  // namespace hone
