// Private header. Padding of windows that slide over height and width, shared by the importers.
#pragma once

#include <cstdint>
#include <utility>

namespace hone {

/// Elements that a window reaches over.
inline int64_t reach(int64_t kernel, int64_t dilation) { return (kernel - 1) * dilation + 1; }

/// Padding {before, after} so that the output has ceil(extent / stride) positions; an odd element goes after
/// unless `lower`.
inline std::pair<int64_t, int64_t> same_padding(int64_t extent, int64_t reach, int64_t stride,
                                                bool lower = false) {
  const int64_t positions = (extent + stride - 1) / stride;
  int64_t total = (positions - 1) * stride + reach - extent;
  if (total < 0) total = 0;
  const int64_t less = total / 2;
  return lower ? std::pair{total - less, less} : std::pair{less, total - less};
}

/// Padding after so that rounding the number of positions down gives what rounding it up would have: ceil
/// mode. A window that would begin in the padding after is left out.
inline int64_t ceil_padding(int64_t extent, int64_t before, int64_t after, int64_t reach, int64_t stride) {
  const int64_t room = extent + before + after - reach;
  int64_t positions = (room + stride - 1) / stride + 1;
  if ((positions - 1) * stride >= extent + before) --positions;
  const int64_t needed = (positions - 1) * stride + reach - extent - before;
  return needed > after ? needed : after;
}

}  // namespace hone
