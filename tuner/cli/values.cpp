#include "tuner/cli/values.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

namespace hone::cli {

Result<double> parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  const double factor = unit.empty() || unit == "s" ? 1
                        : unit == "ms"              ? 1e-3
                        : unit == "m"               ? 60
                        : unit == "h"               ? 3600
                                                    : 0;
  if (error != std::errc() || factor == 0 || !(value > 0) || !std::isfinite(value)) {
    return fail("'" + std::string(text) + "' is no duration", "--time", "write 60s, 2m or 1h");
  }
  return value * factor;
}

Result<std::vector<float>> parse_floats(std::string_view text) {
  std::vector<float> values;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    float value = 0;
    const auto [end, problem] = std::from_chars(text.data() + at, text.data() + comma, value);
    if (problem != std::errc() || end != text.data() + comma)
      return fail("'" + std::string(text) + "' is no list of numbers such as 0.485,0.456,0.406");
    values.push_back(value);
    at = comma + 1;
  }
  return values;
}

Result<float> parse_scale(std::string_view text) {
  const size_t slash = text.find('/');
  const auto one = parse_floats(text.substr(0, slash));
  const auto other =
      slash == std::string_view::npos ? parse_floats("1") : parse_floats(text.substr(slash + 1));
  if (!one || !other || one->size() != 1 || other->size() != 1 || (*other)[0] == 0)
    return fail("'" + std::string(text) + "' is no number such as 0.5 or 1/255");
  return (*one)[0] / (*other)[0];
}

}  // namespace hone::cli
