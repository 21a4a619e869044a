#include "measure/board_names.h"

#include <algorithm>

namespace hone {
namespace {

constexpr size_t longest_key_name = 64, longest_board_name = 128;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
         c == '-';
}

}  // namespace

bool is_key_name(std::string_view text) {
  return !text.empty() && text.size() <= longest_key_name && text[0] != '.' &&
         std::ranges::all_of(text, is_letter);
}

bool is_board_name(std::string_view text) {
  if (text.size() > longest_board_name) return false;
  for (;;) {
    const size_t slash = std::min(text.find('/'), text.size());
    if (!is_key_name(text.substr(0, slash))) return false;
    if (slash == text.size()) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_board_pattern(std::string_view text) {
  return !text.empty() && text.size() <= longest_board_name && text[0] != '/' &&
         std::ranges::all_of(text, [](char c) { return is_letter(c) || c == '/' || c == '*'; });
}

bool matches_pattern(std::string_view pattern, std::string_view name) {
  // The last '*' is tried again one character further each time that what follows it does not fit.
  size_t p = 0, n = 0, star = std::string_view::npos, from = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      from = n;
    } else if (p < pattern.size() && pattern[p] == name[n]) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++from;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool owns_board(const KeyHolder& key, std::string_view board) {
  if (key.boards.empty())
    return board == key.name ||
           (board.starts_with(key.name) && board.substr(key.name.size()).starts_with('/'));
  return std::ranges::any_of(key.boards,
                             [&](const std::string& pattern) { return matches_pattern(pattern, board); });
}

std::string owned_boards(const KeyHolder& key) {
  if (key.boards.empty()) return key.name + " and " + key.name + "/*";
  std::string out;
  for (const std::string& pattern : key.boards) out += (out.empty() ? "" : ", ") + pattern;
  return out;
}

std::string whole_board_name(const KeyHolder& key, const std::string& said) {
  if (key.name.empty()) return said;
  if (said.empty()) return key.name;
  return said[0] == '/' ? key.name + said : said;
}

}  // namespace hone
