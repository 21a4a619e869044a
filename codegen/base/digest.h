// Content digests: keys of tasks, addresses of artifacts. BLAKE2b-256 (libsodium): 32 bytes in memory; as
// text, at the borders (messages, journals, logs, file names), 64 lower-case hex digits.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>

#include "codegen/base/result.h"

namespace hone {

/// A value. One that was not set is empty: the digest of nothing, and the empty text.
struct Digest {
  std::array<uint8_t, 32> bytes{};

  Digest() = default;  // no aggregate: a text in braces would be taken for the bytes

  auto operator<=>(const Digest&) const = default;  ///< the order of their texts
  bool empty() const { return *this == Digest(); }
  /// Its first `digits` hex digits, at most 64. Empty: "".
  std::string hex(size_t digits = 64) const;
};

Digest digest_of(std::span<const std::byte> bytes);
Digest digest_of(std::string_view text);

/// What Digest::hex() gave; the empty text is the empty digest. Errors: any other text, 64 zeros too.
Result<Digest> parse_digest(std::string_view text);

std::ostream& operator<<(std::ostream& out, const Digest& digest);

}  // namespace hone

template <>
struct std::hash<hone::Digest> {
  size_t operator()(const hone::Digest& digest) const noexcept {
    size_t first;  // digests are spread evenly
    std::memcpy(&first, digest.bytes.data(), sizeof first);
    return first;
  }
};
