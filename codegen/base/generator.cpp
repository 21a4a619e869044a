#include "codegen/base/generator.h"

namespace hone {

uint64_t fnv1a64(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (unsigned char byte : text) hash = (hash ^ byte) * 0x100000001B3;
  return hash;
}

namespace {

constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;

/// `z`: the counter, where element i has hash + (i + 1) * golden ratio. Two roundings, product then sum: this
/// file is compiled without contraction, since a fused multiply-add would differ from the rule by an ulp on
/// some machines.
inline __attribute__((always_inline)) float value_at(uint64_t z, float lo, float hi) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  const float unit = static_cast<float>(static_cast<int32_t>(z >> 40)) / 16777216.0f;
  const float scaled = (hi - lo) * unit;
  return lo + scaled;
}

/// `width` a constant where it is worth code of its own: no remainder, nothing to decide for each row.
template <int width>
inline __attribute__((always_inline)) void fill_rows(uint64_t hash, float lo, float hi,
                                                     const ElementGrid& grid, float* out) {
  const uint64_t step = static_cast<uint64_t>(grid.stride) * kGoldenRatio;
  const uint64_t row_step = static_cast<uint64_t>(grid.row_stride) * kGoldenRatio;
  const auto n = static_cast<uint64_t>(width > 0 ? width : grid.width);
  uint64_t z = hash + (static_cast<uint64_t>(grid.first) + 1) * kGoldenRatio;
  for (int64_t r = 0; r < grid.rows; ++r, z += row_step, out += grid.out_step)
    for (uint64_t i = 0; i < n; ++i) out[i] = value_at(z + i * step, lo, hi);
}

inline __attribute__((always_inline)) void fill(uint64_t hash, float lo, float hi, const ElementGrid& grid,
                                                float* out) {
  if (grid.width == 8) return fill_rows<8>(hash, lo, hi, grid, out);
  if (grid.width == 16) return fill_rows<16>(hash, lo, hi, grid, out);
  fill_rows<0>(hash, lo, hi, grid, out);
}

using Fill = void (*)(uint64_t, float, float, const ElementGrid&, float*);

void fill_plain(uint64_t hash, float lo, float hi, const ElementGrid& grid, float* out) {
  fill(hash, lo, hi, grid, out);
}

#if defined(__x86_64__)
// Runners make millions of elements before each measurement. The first of these multiplies 64-bit integers
// eight at a time.
__attribute__((target("avx512f,avx512dq,avx512vl,prefer-vector-width=512"))) void fill_avx512(
    uint64_t hash, float lo, float hi, const ElementGrid& grid, float* out) {
  fill(hash, lo, hi, grid, out);
}
__attribute__((target("avx2"))) void fill_avx2(uint64_t hash, float lo, float hi, const ElementGrid& grid,
                                               float* out) {
  fill(hash, lo, hi, grid, out);
}
#endif

Fill best_fill() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")) return fill_avx512;
  if (__builtin_cpu_supports("avx2")) return fill_avx2;
#endif
  return fill_plain;
}

}  // namespace

float generated_value(uint64_t name_hash, uint64_t i, float lo, float hi) {
  return value_at(name_hash + (i + 1) * kGoldenRatio, lo, hi);
}

void generate(std::string_view name, float lo, float hi, std::span<float> out) {
  generate_run(fnv1a64(name), lo, hi, 0, 1, out);
}

void generate_run(uint64_t name_hash, float lo, float hi, int64_t first, int64_t stride,
                  std::span<float> out) {
  generate_grid(name_hash, lo, hi,
                {.first = first, .rows = 1, .width = static_cast<int64_t>(out.size()), .stride = stride},
                out.data());
}

void generate_grid(uint64_t name_hash, float lo, float hi, const ElementGrid& grid, float* out) {
  static const Fill best = best_fill();
  best(name_hash, lo, hi, grid, out);
}

}  // namespace hone
