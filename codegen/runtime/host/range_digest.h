// Private to runtime/host: the digests of runtime/model/digest.h, eight pieces side by side.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "codegen/runtime/model/digest.h"

namespace hone {

using RangeDigest = std::array<unsigned char, HONE_DIGEST_BYTES>;

/// What hone_range_digest gives, in a fifth of its time where the processor has 512-bit vectors.
RangeDigest range_digest(std::span<const std::byte> range);

}  // namespace hone
