// Private to runtime/host: memory for the time of one function.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "codegen/runtime/host/host.h"

namespace hone {

/// `count` floats of any value: from `arena` while it has room, whose next allocations take the same pages
/// again once this is gone; else fresh memory. Nothing else may be allocated from `arena` meanwhile.
class TemporaryFloats {
 public:
  TemporaryFloats(int64_t count, BufferArena* arena);
  TemporaryFloats(const TemporaryFloats&) = delete;
  std::span<float> floats() const { return floats_; }

 private:
  std::vector<float> owned_;
  std::span<float> floats_;
};

}  // namespace hone
