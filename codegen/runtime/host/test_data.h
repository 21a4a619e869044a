// Test data of one seed, written where the caller says: the counter generator's values under "seed/buffer".
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "codegen/base/signature.h"

namespace hone {

/// Bytes that a logical constant takes: plain, with one vector of slack as every buffer has.
int64_t plain_bytes(const LogicalConstant& constant);
/// Writes all `plain_bytes` of it.
void fill_constant(const LogicalConstant& constant, const std::string& seed, std::byte* plain);
/// Writes all of an input's buffer, halo, padding lanes and slack too. `work`: at least as many floats as the
/// tensor has elements.
void fill_input(const BufferSpec& spec, const std::string& seed, std::span<float> work, std::byte* buffer);

/// Largest |y - r| / (epsilon m) that an element with these values shows (CONTRACTS.md, checks); a denormal's
/// worth of difference is none. NaN counts as infinitely wrong, equal infinities as right.
double error_factor(double value, double reference, double magnitude);

}  // namespace hone
