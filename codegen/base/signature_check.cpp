// What a signature must say before anybody allocates or runs by it. Its author is not trusted.
#include <algorithm>
#include <cmath>

#include "codegen/base/signature.h"

namespace hone {
namespace {

constexpr size_t kMostBuffers = 1u << 14, kMostPhases = 1u << 14, kMostNameBytes = 256;
constexpr int64_t kMostIndices = int64_t{1} << 40;

bool is_name(const std::string& name) {
  return name.size() <= kMostNameBytes && std::none_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
         });
}

bool is_integer(DType dtype) { return dtype == DType::i32 || dtype == DType::i64; }

/// Test data and margins are written as float and converted.
Status check_values(const std::string& name, DType dtype, std::initializer_list<float> values) {
  if (!is_integer(dtype) && dtype != DType::f32 && dtype != DType::f64)
    return fail("'" + name + "' is " + std::string(to_text(dtype)) +
                ", which no kernel of ours reads or writes");
  for (const float value : values)
    if (std::isnan(value) || (is_integer(dtype) && !(std::abs(value) <= 1e9f)))
      return fail("the values of '" + name + "' do not fit " + std::string(to_text(dtype)));
  return {};
}

Status check_phases(const std::vector<PhaseSpec>& phases) {
  if (phases.size() > kMostPhases) return fail("the artifact's signature has too many phases");
  for (const PhaseSpec& phase : phases)
    if (phase.extent < 1 || phase.extent > kMostIndices || phase.inner < 0 || phase.inner > phase.extent ||
        !std::isfinite(phase.flops) || phase.flops < 0)
      return fail("the artifact's signature has a phase of extent " + std::to_string(phase.extent) +
                  ", inner " + std::to_string(phase.inner));
  return {};
}

Status check_buffer(const BufferSpec& b) {
  if (!is_name(b.name)) return fail("the artifact's signature has a buffer without a proper name");
  HONE_RETURN_IF_ERROR(check_values(b.name, b.type.dtype, {b.range.lo, b.range.hi, b.halo_value}));
  const auto g = checked_geometry(b.type.shape, b.layout, b.placement);
  if (!g) return fail("buffer '" + b.name + "': " + g.error().text());
  // Tables of offsets have an entry for every index along a dimension.
  constexpr int64_t most_halo = 4096;
  for (const auto* halo : {&b.placement.halo_before, &b.placement.halo_after})
    for (const int64_t width : *halo)
      if (width > most_halo)
        return fail("buffer '" + b.name + "' has a halo of " + std::to_string(width) + ", at most " +
                    std::to_string(most_halo) + " are allowed");
  const int64_t needed = g->elements * size_of(b.type.dtype);
  if (b.bytes < needed || b.bytes % 64 != 0)
    return fail("buffer '" + b.name + "' has " + std::to_string(b.bytes) + " bytes, its geometry needs " +
                std::to_string(needed) + ", in whole lines of 64");
  return {};
}

Status check_constant(const LogicalConstant& c, int64_t& bytes) {
  if (!is_name(c.name)) return fail("the artifact's signature has a constant without a proper name");
  HONE_RETURN_IF_ERROR(check_values(c.name, c.type.dtype, {c.range.lo, c.range.hi}));
  const auto g = checked_geometry(c.type.shape, Layout::plain(static_cast<int>(c.type.shape.size())), {});
  if (!g) return fail("constant '" + c.name + "': " + g.error().text());
  bytes = g->elements * size_of(c.type.dtype);
  return {};
}

}  // namespace

Status check_signature(const Signature& signature) {
  if (signature.phases.empty()) return fail("the artifact's signature lists no phases");
  HONE_RETURN_IF_ERROR(check_phases(signature.phases));
  HONE_RETURN_IF_ERROR(check_phases(signature.prepare_phases));
  if (signature.buffers.size() > kMostBuffers || signature.constants.size() > kMostBuffers)
    return fail("the artifact's signature has too many buffers");
  if (!std::isfinite(signature.flops) || !std::isfinite(signature.min_bytes) || signature.min_bytes < 0 ||
      !std::isfinite(signature.bound.relative_l2) || !std::isfinite(signature.bound.element_factor))
    return fail("the artifact's signature has a number that is not finite");
  bool output = false, packed = false;
  int64_t left = kMostBufferBytes;
  const auto take = [&](const std::string& name, int64_t bytes) -> Status {
    if (bytes > left)
      return fail("the artifact's buffers up to '" + name + "' take more than " +
                  std::to_string(kMostBufferBytes >> 30) + " GiB");
    left -= bytes;
    return {};
  };
  for (const BufferSpec& b : signature.buffers) {
    HONE_RETURN_IF_ERROR(check_buffer(b));
    HONE_RETURN_IF_ERROR(take(b.name, b.bytes));
    output |= b.role == Role::output;
    packed |= b.role == Role::constant;
  }
  for (const LogicalConstant& c : signature.constants) {
    int64_t bytes = 0;
    HONE_RETURN_IF_ERROR(check_constant(c, bytes));
    HONE_RETURN_IF_ERROR(take(c.name, bytes));
  }
  if (!output) return fail("the artifact's signature has no output");
  if (packed && signature.prepare_phases.empty())
    return fail("the artifact has packed constants but no phases that prepare them");
  return {};
}

}  // namespace hone
