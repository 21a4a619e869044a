#include "codegen/model/memory.h"

#include <algorithm>
#include <numeric>

namespace hone {

MemoryPlan plan_memory(const std::vector<Life>& lives) {
  MemoryPlan plan;
  plan.offsets.assign(lives.size(), 0);
  std::vector<size_t> order(lives.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lives[a].bytes > lives[b].bytes; });
  std::vector<size_t> placed;  // by offset
  for (const size_t one : order) {
    int64_t offset = 0;
    for (const size_t other : placed) {
      if (lives[other].first > lives[one].last || lives[other].last < lives[one].first) continue;
      if (plan.offsets[other] >= offset + lives[one].bytes) break;
      offset = std::max(offset, (plan.offsets[other] + lives[other].bytes + 63) / 64 * 64);
    }
    plan.offsets[one] = offset;
    plan.bytes = std::max(plan.bytes, (offset + lives[one].bytes + 63) / 64 * 64);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), one,
                                   [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; }),
                  one);
  }
  return plan;
}

}  // namespace hone
