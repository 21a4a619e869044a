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

inline __attribute__((always_inline)) void fill(uint64_t z, uint64_t step, float lo, float hi,
                                                std::span<float> out) {
  float* to = out.data();
  for (uint64_t i = 0, n = out.size(); i < n; ++i) to[i] = value_at(z + i * step, lo, hi);
}

#if defined(__x86_64__)
// Runners make millions of elements before each measurement; this instruction set multiplies 64-bit integers
// eight at a time.
__attribute__((target("avx512f,avx512dq,avx512vl,prefer-vector-width=512"))) void fill_wide(
    uint64_t z, uint64_t step, float lo, float hi, std::span<float> out) {
  fill(z, step, lo, hi, out);
}
#endif

}  // namespace

float generated_value(uint64_t name_hash, uint64_t i, float lo, float hi) {
  return value_at(name_hash + (i + 1) * kGoldenRatio, lo, hi);
}

void generate(std::string_view name, float lo, float hi, std::span<float> out) {
  generate_run(fnv1a64(name), lo, hi, 0, 1, out);
}

void generate_run(uint64_t name_hash, float lo, float hi, int64_t first, int64_t stride,
                  std::span<float> out) {
  const uint64_t z = name_hash + (static_cast<uint64_t>(first) + 1) * kGoldenRatio;
  const uint64_t step = static_cast<uint64_t>(stride) * kGoldenRatio;
#if defined(__x86_64__)
  static const bool wide = __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (wide) return fill_wide(z, step, lo, hi, out);
#endif
  fill(z, step, lo, hi, out);
}

}  // namespace hone
