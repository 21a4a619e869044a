// Addresses of a tensor's elements, tabulated per dimension: an element's offset is a sum of one entry per
// dimension. Private to runtime/host: packing, unpacking and checking walk millions of elements.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/base/signature.h"

namespace hone {

struct OffsetTables {
  explicit OffsetTables(const BufferSpec& spec);

  /// Element offset of logical index i of dimension d, from -before[d] to padded[d] + after[d] - 1, less the
  /// origin.
  int64_t along(size_t d, int64_t i) const { return tables[d][static_cast<size_t>(i + before[d])]; }

  /// Element i of the plain array lies at offset i: nothing lies before, between or around the elements.
  bool is_contiguous() const;

  Shape shape;   ///< logical extents
  Shape padded;  ///< rounded up to the blocks: what lies beyond `shape` are padding lanes
  std::vector<int64_t> before, after;  ///< halo
  int64_t origin = 0;                  ///< elements
  int64_t elements = 0;                ///< of the whole buffer
  std::vector<std::vector<int64_t>> tables;
};

/// Calls visit(offset) for every index of the box [lo, hi), row-major.
template <class Visit>
void for_each_offset(const OffsetTables& tables, const std::vector<int64_t>& lo,
                     const std::vector<int64_t>& hi, Visit&& visit) {
  const size_t rank = lo.size();
  for (size_t d = 0; d < rank; ++d)
    if (lo[d] >= hi[d]) return;
  if (rank == 0) {
    visit(tables.origin);
    return;
  }
  std::vector<int64_t> index = lo;
  const size_t last = rank - 1;
  for (;;) {
    int64_t base = tables.origin;
    for (size_t d = 0; d < last; ++d) base += tables.along(d, index[d]);
    const int64_t* row = tables.tables[last].data() + tables.before[last] + lo[last];
    for (int64_t i = 0, n = hi[last] - lo[last]; i < n; ++i) visit(base + row[i]);
    size_t d = last;
    for (;;) {
      if (d == 0) return;
      --d;
      if (++index[d] < hi[d]) break;
      index[d] = lo[d];
    }
  }
}

}  // namespace hone
