// How many lines for people peers can cause: a bucket that fills up again with time. Pure: time is a
// parameter.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "scheduler/effects.h"

namespace hone::scheduler {

class NoteLimit {
 public:
  /// `burst` lines at once, then `per_second`; a line is cut off after `longest` bytes.
  NoteLimit(uint32_t burst, uint32_t per_second, size_t longest)
      : burst_(burst), per_second_(per_second), longest_(longest), left_(burst) {}

  /// The line as it may be shown; nothing: it is one too many.
  std::optional<std::string> admit(Time now, std::string line) {
    left_ = std::min<double>(burst_, left_ + per_second_ * static_cast<double>((now - seen_).count()) / 1000);
    seen_ = now;
    if (left_ < 1) {
      ++omitted_;
      return std::nullopt;
    }
    left_ -= 1;
    if (line.size() > longest_) line = line.substr(0, longest_) + " ...";
    if (omitted_ > 0) line = "(" + std::to_string(std::exchange(omitted_, 0)) + " lines left out) " + line;
    return line;
  }

 private:
  double burst_, per_second_;
  size_t longest_;
  double left_;
  Time seen_{0};
  uint64_t omitted_ = 0;
};

}  // namespace hone::scheduler
