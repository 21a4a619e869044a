// Content digests: keys of tasks, addresses of artifacts. BLAKE2b-256 (libsodium), written as 64 hex digits.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace hone {

using Digest = std::string;  ///< 64 lower-case hex digits

Digest digest_of(std::span<const std::byte> bytes);
Digest digest_of(std::string_view text);

}  // namespace hone
