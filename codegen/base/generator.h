// The counter generator for test data: any element of any named tensor, in any order, on any machine.
// z = fnv1a64(name) + (i + 1) * golden ratio, finalised as in splitmix64; u = top 24 bits / 2^24; lo + (hi -
// lo) * u in float32 arithmetic. Task inputs use the name "seed/buffer".
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace hone {

uint64_t fnv1a64(std::string_view text);
/// Element `i` (row-major) of the tensor `name`, in [lo, hi).
float generated_value(uint64_t name_hash, uint64_t i, float lo, float hi);
void generate(std::string_view name, float lo, float hi, std::span<float> out);
/// Elements `first`, `first + stride`, ... of it: as fast as neighbours.
void generate_run(uint64_t name_hash, float lo, float hi, int64_t first, int64_t stride,
                  std::span<float> out);

/// A grid of elements: rows of `width`, element (r, i) is `first + r * row_stride + i * stride` of the tensor
/// and goes to out[r * out_step + i]. As fast as one run also where rows are short.
struct ElementGrid {
  int64_t first = 0;
  int64_t rows = 0, row_stride = 0, out_step = 0;
  int64_t width = 0, stride = 1;
};
void generate_grid(uint64_t name_hash, float lo, float hi, const ElementGrid& grid, float* out);

}  // namespace hone
