// Small helpers for the canonical one-line texts: splitting, joining and checked numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

/// Pieces between separators; "" gives no pieces.
std::vector<std::string_view> split_text(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(const std::vector<int64_t>& numbers, std::string_view separator);
/// The whole text as a decimal integer; anything else is an Error.
Result<int64_t> parse_integer(std::string_view text);
Result<std::vector<int64_t>> parse_integers(std::string_view text, char separator);

}  // namespace hone
