// Private header. Elements as they lie in files, widened: float16 and bfloat16 to float32, integers to int64.
// Bytes need no alignment.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace hone {

template <class From, class To>
std::vector<To> read_as(std::span<const std::byte> bytes) {
  std::vector<To> result(bytes.size() / sizeof(From));
  for (size_t i = 0; i < result.size(); ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    result[i] = static_cast<To>(value);
  }
  return result;
}

inline float from_half(uint16_t bits) {
  const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
  const float sign = bits & 0x8000 ? -1.0f : 1.0f;
  if (exponent == 31) return mantissa ? std::nanf("") : sign * INFINITY;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(mantissa), -24);
  return sign * std::ldexp(static_cast<float>(mantissa + 1024), exponent - 25);
}

inline std::vector<float> widen_halves(std::span<const std::byte> bytes) {
  std::vector<float> values;
  values.reserve(bytes.size() / 2);
  for (const uint16_t bits : read_as<uint16_t, uint16_t>(bytes)) values.push_back(from_half(bits));
  return values;
}

inline std::vector<float> widen_bfloats(std::span<const std::byte> bytes) {
  std::vector<float> values;
  values.reserve(bytes.size() / 2);
  for (const uint16_t bits : read_as<uint16_t, uint16_t>(bytes))
    values.push_back(std::bit_cast<float>(uint32_t{bits} << 16));
  return values;
}

}  // namespace hone
