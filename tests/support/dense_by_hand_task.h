// The task that the artifacts of dense_by_hand.h compute.
#pragma once

#include "codegen/base/digest.h"

namespace hone {

/// As their signatures have it.
inline constexpr std::string_view dense_by_hand =
    "task v1\n%x = input f32[1x64]\n%w = constant f32[64x64]\n%y = dense %x %w {transpose_b=1}\noutput %y\n";
inline Digest dense_by_hand_key() { return digest_of(dense_by_hand); }

}  // namespace hone
