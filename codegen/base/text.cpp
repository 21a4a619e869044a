#include "codegen/base/text.h"

#include <charconv>

namespace hone {

std::vector<std::string_view> split_text(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  if (text.empty()) return pieces;
  for (;;) {
    const size_t at = text.find(separator);
    pieces.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return pieces;
    text.remove_prefix(at + 1);
  }
}

std::string_view trim(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

std::string join(const std::vector<int64_t>& numbers, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0) text += separator;
    text += std::to_string(numbers[i]);
  }
  return text;
}

Result<int64_t> parse_integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    return fail("'" + std::string(text) + "' is not an integer");
  return value;
}

Result<std::vector<int64_t>> parse_integers(std::string_view text, char separator) {
  std::vector<int64_t> numbers;
  for (const std::string_view piece : split_text(text, separator)) {
    HONE_TRY(const int64_t number, parse_integer(piece));
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace hone
