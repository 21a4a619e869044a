#include "codegen/model/memory.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace hone {
namespace {

/// Lives that were placed, by time: those that overlap another are found without looking at the rest.
class Placed {
 public:
  explicit Placed(const std::vector<Life>& lives) : lives_(lives) {
    int end = 0;
    for (const Life& life : lives) end = std::max(end, life.last + 1);
    while (leaves_ < end) leaves_ *= 2;
    covers_.resize(static_cast<size_t>(2 * leaves_));
  }

  void add(size_t one) {
    begins_[lives_[one].first].push_back(one);
    // The few nodes of a tree over time that together are the life.
    for (int low = lives_[one].first + leaves_, high = lives_[one].last + leaves_ + 1; low < high;
         low /= 2, high /= 2) {
      if (low % 2 == 1) covers_[static_cast<size_t>(low++)].push_back(one);
      if (high % 2 == 1) covers_[static_cast<size_t>(--high)].push_back(one);
    }
  }

  /// All that are alive when `one` begins, and all that begin during it.
  std::vector<size_t> overlapping(size_t one) const {
    std::vector<size_t> found;
    const auto take = [&](const std::vector<size_t>& some) {
      found.insert(found.end(), some.begin(), some.end());
    };
    for (int node = lives_[one].first + leaves_; node > 0; node /= 2)
      take(covers_[static_cast<size_t>(node)]);
    for (auto at = begins_.upper_bound(lives_[one].first);
         at != begins_.end() && at->first <= lives_[one].last; ++at)
      take(at->second);
    return found;
  }

 private:
  const std::vector<Life>& lives_;
  int leaves_ = 1;
  std::vector<std::vector<size_t>> covers_;
  std::map<int, std::vector<size_t>> begins_;
};

}  // namespace

MemoryPlan plan_memory(const std::vector<Life>& lives) {
  MemoryPlan plan;
  plan.offsets.assign(lives.size(), 0);
  std::vector<size_t> order(lives.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return lives[a].bytes > lives[b].bytes; });
  Placed placed(lives);
  for (const size_t one : order) {
    int64_t offset = 0;
    std::vector<size_t> others = placed.overlapping(one);
    std::sort(others.begin(), others.end(),
              [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; });
    for (const size_t other : others) {
      if (plan.offsets[other] >= offset + lives[one].bytes) break;
      offset = std::max(offset, (plan.offsets[other] + lives[other].bytes + 63) / 64 * 64);
    }
    plan.offsets[one] = offset;
    plan.bytes = std::max(plan.bytes, (offset + lives[one].bytes + 63) / 64 * 64);
    placed.add(one);
  }
  return plan;
}

}  // namespace hone
