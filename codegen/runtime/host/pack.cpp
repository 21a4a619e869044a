// Plain arrays to laid-out buffers and back, by the buffer's geometry.
#include <cstring>

#include "codegen/runtime/host/host.h"
#include "codegen/runtime/host/offsets.h"

namespace hone {
namespace {

template <class To, class From>
void pack_as(const BufferSpec& spec, std::span<const From> plain, double padding, std::byte* buffer) {
  const OffsetTables tables(spec);
  auto* out = reinterpret_cast<To*>(buffer);
  const int64_t whole = spec.bytes / static_cast<int64_t>(sizeof(To));
  HONE_CHECK(tables.elements <= whole);
  HONE_CHECK(static_cast<int64_t>(plain.size()) == element_count(spec.type.shape));
  if (tables.is_contiguous()) {
    for (size_t i = 0; i < plain.size(); ++i) out[i] = static_cast<To>(plain[i]);
    for (int64_t i = tables.elements; i < whole; ++i) out[i] = static_cast<To>(padding);
    return;
  }
  for (int64_t i = 0; i < whole; ++i) out[i] = static_cast<To>(padding);
  if (spec.placement.has_halo()) {
    std::vector<int64_t> lo(tables.shape.size()), hi(tables.shape.size());
    for (size_t d = 0; d < lo.size(); ++d) {
      lo[d] = -tables.before[d];
      hi[d] = tables.shape[d] + tables.after[d];
    }
    for_each_offset(tables, lo, hi, [&](int64_t offset) { out[offset] = static_cast<To>(spec.halo_value); });
  }
  const From* next = plain.data();
  for_each_offset(tables, std::vector<int64_t>(tables.shape.size(), 0), tables.shape,
                  [&](int64_t offset) { out[offset] = static_cast<To>(*next++); });
}

template <class From>
void pack_any(const BufferSpec& spec, std::span<const From> plain, double padding, std::byte* buffer) {
  switch (spec.type.dtype) {
    case DType::f32:
      return pack_as<float>(spec, plain, padding, buffer);
    case DType::f64:
      return pack_as<double>(spec, plain, padding, buffer);
    case DType::i32:
      return pack_as<int32_t>(spec, plain, padding, buffer);
    case DType::i64:
      return pack_as<int64_t>(spec, plain, padding, buffer);
    default:
      HONE_CHECK(!"a dtype that no kernel of ours reads");
  }
}

template <class To, class From>
void unpack_as(const BufferSpec& spec, const std::byte* buffer, std::span<To> plain) {
  const OffsetTables tables(spec);
  const auto* in = reinterpret_cast<const From*>(buffer);
  HONE_CHECK(static_cast<int64_t>(plain.size()) == element_count(spec.type.shape));
  To* next = plain.data();
  for_each_offset(tables, std::vector<int64_t>(tables.shape.size(), 0), tables.shape,
                  [&](int64_t offset) { *next++ = static_cast<To>(in[offset]); });
}

template <class To>
void unpack_any(const BufferSpec& spec, const std::byte* buffer, std::span<To> plain) {
  switch (spec.type.dtype) {
    case DType::f32:
      return unpack_as<To, float>(spec, buffer, plain);
    case DType::f64:
      return unpack_as<To, double>(spec, buffer, plain);
    case DType::i32:
      return unpack_as<To, int32_t>(spec, buffer, plain);
    case DType::i64:
      return unpack_as<To, int64_t>(spec, buffer, plain);
    default:
      HONE_CHECK(!"a dtype that no kernel of ours writes");
  }
}

template <class To>
std::vector<To> unpacked(const BufferSpec& spec, const std::byte* buffer) {
  std::vector<To> plain(static_cast<size_t>(element_count(spec.type.shape)));
  unpack_any(spec, buffer, std::span<To>(plain));
  return plain;
}

}  // namespace

void pack(const BufferSpec& spec, std::span<const float> plain, double padding, std::byte* buffer) {
  pack_any(spec, plain, padding, buffer);
}
void pack(const BufferSpec& spec, std::span<const double> plain, double padding, std::byte* buffer) {
  pack_any(spec, plain, padding, buffer);
}
void unpack(const BufferSpec& spec, const std::byte* buffer, std::span<float> plain) {
  unpack_any(spec, buffer, plain);
}
void unpack(const BufferSpec& spec, const std::byte* buffer, std::span<double> plain) {
  unpack_any(spec, buffer, plain);
}
std::vector<float> unpack(const BufferSpec& spec, const std::byte* buffer) {
  return unpacked<float>(spec, buffer);
}
std::vector<double> unpack_double(const BufferSpec& spec, const std::byte* buffer) {
  return unpacked<double>(spec, buffer);
}

void poison(std::byte* buffer, int64_t bytes) {
  constexpr uint32_t kPoison = 0x7fffdead;
  for (int64_t i = 0; i + 4 <= bytes; i += 4) std::memcpy(buffer + i, &kPoison, 4);
}

}  // namespace hone
