// What flags hold: durations, numbers, lists of numbers.
#pragma once

#include <string_view>
#include <vector>

#include "codegen/base/result.h"

namespace hone::cli {

/// "60s", "2m", "1h", "500ms" or plain seconds. Error: anything else, or nothing above zero.
Result<double> parse_duration(std::string_view text);
/// "0.485,0.456,0.406". Error: anything else.
Result<std::vector<float>> parse_floats(std::string_view text);
/// A number or a quotient: "0.5", "1/255".
Result<float> parse_scale(std::string_view text);

}  // namespace hone::cli
