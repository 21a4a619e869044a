// Builds the per-dimension tables by asking `geometry`, the one place that knows addresses.
#include "codegen/runtime/host/offsets.h"

namespace hone {

OffsetTables::OffsetTables(const BufferSpec& spec) : shape(spec.type.shape), padded(shape) {
  const Geometry g = geometry(shape, spec.layout, spec.placement);
  origin = g.origin;
  elements = g.elements;
  const size_t rank = shape.size();
  for (size_t d = 0; d < rank; ++d) {
    int64_t block = 1;
    for (const Layout::Block& b : spec.layout.blocks)
      if (b.dimension == static_cast<int>(d)) block *= b.size;
    padded[d] = (shape[d] + block - 1) / block * block;
  }
  before.assign(rank, 0);
  after.assign(rank, 0);
  for (size_t d = 0; d < spec.placement.halo_before.size(); ++d) before[d] = spec.placement.halo_before[d];
  for (size_t d = 0; d < spec.placement.halo_after.size(); ++d) after[d] = spec.placement.halo_after[d];
  tables.resize(rank);
  std::vector<int64_t> index(rank, 0);
  for (size_t d = 0; d < rank; ++d) {
    for (int64_t i = -before[d]; i < padded[d] + after[d]; ++i) {
      index[d] = i;
      tables[d].push_back(element_offset(g, index) - g.origin);
    }
    index[d] = 0;
  }
}

bool OffsetTables::is_contiguous() const {
  if (origin != 0 || elements != element_count(shape)) return false;
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0; stride *= shape[d])
    for (int64_t i = 0; i < shape[d]; ++i)
      if (along(d, i) != i * stride) return false;
  return true;
}

}  // namespace hone
