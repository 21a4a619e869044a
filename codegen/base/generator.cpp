#include "codegen/base/generator.h"

namespace hone {

uint64_t fnv1a64(std::string_view text) {
  uint64_t hash = 0xCBF29CE484222325;
  for (unsigned char byte : text) hash = (hash ^ byte) * 0x100000001B3;
  return hash;
}

float generated_value(uint64_t name_hash, uint64_t i, float lo, float hi) {
  uint64_t z = name_hash + (i + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  const float unit = static_cast<float>(z >> 40) / 16777216.0f;
  // Two roundings, product then sum: a fused multiply-add would differ from the rule by an ulp on some
  // machines.
  const volatile float scaled = (hi - lo) * unit;
  return lo + scaled;
}

void generate(std::string_view name, float lo, float hi, std::span<float> out) {
  const uint64_t hash = fnv1a64(name);
  for (uint64_t i = 0; i < out.size(); ++i) out[i] = generated_value(hash, i, lo, hi);
}

}  // namespace hone
