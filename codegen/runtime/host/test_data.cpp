#include "codegen/runtime/host/test_data.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "codegen/base/generator.h"
#include "codegen/runtime/host/host.h"

namespace hone {

int64_t plain_bytes(const LogicalConstant& constant) {
  return (element_count(constant.type.shape) * size_of(constant.type.dtype) + 63) / 64 * 64 + 64;
}

void fill_constant(const LogicalConstant& constant, const std::string& seed, std::byte* plain) {
  const int64_t bytes = plain_bytes(constant);
  const auto count = static_cast<size_t>(element_count(constant.type.shape));
  const std::string name = seed + "/" + constant.name;
  if (constant.type.dtype == DType::f32) {
    auto* values = reinterpret_cast<float*>(plain);
    generate(name, constant.range.lo, constant.range.hi, {values, count});
    std::fill(values + count, values + bytes / 4, static_cast<float>(kTestPadding));
    return;
  }
  BufferSpec spec;
  spec.name = constant.name;
  spec.type = constant.type;
  spec.layout = Layout::plain(static_cast<int>(constant.type.shape.size()));
  spec.bytes = bytes;
  std::vector<float> values(count);
  generate(name, constant.range.lo, constant.range.hi, values);
  pack(spec, std::span<const float>(values), kTestPadding, plain);
}

void fill_input(const BufferSpec& spec, const std::string& seed, std::span<float> work, std::byte* buffer) {
  const auto values = work.first(static_cast<size_t>(element_count(spec.type.shape)));
  generate(seed + "/" + spec.name, spec.range.lo, spec.range.hi, values);
  pack(spec, std::span<const float>(values), kTestPadding, buffer);
}

double error_factor(double value, double reference, double magnitude) {
  // Below the smallest normal number float32 has no relative precision (and denormals are flushed).
  constexpr double epsilon = std::numeric_limits<float>::epsilon();
  constexpr double tiny = 64.0 * std::numeric_limits<float>::min();
  if (value == reference) return 0;
  const double error = std::abs(value - reference);
  if (!std::isfinite(error) || std::isnan(magnitude)) return std::numeric_limits<double>::infinity();
  return std::max(0.0, error - tiny) / (epsilon * std::max(magnitude, std::numeric_limits<double>::min()));
}

}  // namespace hone
