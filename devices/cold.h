// What one sample is made of: cold constants, warm activations, a clock that is read twice, and flushed
// denormals.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hone {

struct MemoryRange {
  const std::byte* data;
  size_t bytes;
};

/// Throws the ranges out of all caches, line by line.
void flush_lines(const std::vector<MemoryRange>& ranges);
/// Reads one byte of every line.
void touch_lines(const std::vector<MemoryRange>& ranges);

/// Denormals are flushed to zero while it lives, as in a CompiledModel.
class FlushDenormals {
 public:
  FlushDenormals();
  FlushDenormals(const FlushDenormals&) = delete;
  ~FlushDenormals();

 private:
  uint64_t before_;
};

/// A monotonic clock in ns, ordered against the loads and stores around it.
int64_t clock_ns();
/// Least ns between two reads of the clock: part of every measured time.
int64_t clock_overhead_ns();

/// Median ns of one pass of a fixed chain of multiplications and additions (about 50 us): the same work
/// always, so that a change of it is a change of the board.
double reference_kernel_ns();

/// Multiplies two matrices whose product is known exactly (integers in floats) and compares all of it.
bool known_kernel_is_right();

}  // namespace hone
