// Memory by liveness: buffers whose lives overlap get different places in one arena, others may share.
#pragma once

#include <cstdint>
#include <vector>

namespace hone {

struct Life {
  int64_t bytes = 0;
  int first = 0, last = 0;  ///< steps at which it is in use, both included
};
struct MemoryPlan {
  std::vector<int64_t> offsets;  ///< multiples of 64
  int64_t bytes = 0;
};
/// Greedy: large buffers first, each at the lowest place that is free for its whole life.
MemoryPlan plan_memory(const std::vector<Life>& lives);

}  // namespace hone
