// How long results wait in the scheduler: from when its loop takes one from the socket until its
// acknowledgement is given to the socket, the commit between them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <vector>

namespace hone::scheduler {

/// Of the newest results; older ones are forgotten.
class Delays {
 public:
  explicit Delays(size_t newest = 65536) : newest_(newest) {}

  void add(std::chrono::steady_clock::duration delay) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(delay).count();
    const auto value = static_cast<uint32_t>(std::clamp<int64_t>(us, 0, UINT32_MAX));
    if (us_.size() < newest_)
      us_.push_back(value);
    else
      us_[next_] = value;
    next_ = (next_ + 1) % newest_;
  }
  /// The smallest delay, in us, that so large a part of them do not exceed; -1: there are none.
  int64_t quantile_us(double part) const {
    if (us_.empty()) return -1;
    std::vector<uint32_t> sorted = us_;
    const auto place = static_cast<size_t>(part * static_cast<double>(sorted.size() - 1) + 0.5);
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(place), sorted.end());
    return sorted[place];
  }

 private:
  size_t newest_, next_ = 0;
  std::vector<uint32_t> us_;
};

}  // namespace hone::scheduler
