// Which boards a key may speak for. A board's name is one or more names of keys with '/' between them: a rack
// "r2" has the boards "r2/1", "r2/2".
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone {

/// Letters, digits, '.', '_' and '-', at most 64, not beginning with '.': names of keys.
bool is_key_name(std::string_view text);
/// Such names with '/' between them, at most 128 characters in all.
bool is_board_name(std::string_view text);
/// A board's name in which '*' stands for any characters, none and '/' included.
bool is_board_pattern(std::string_view text);
bool matches_pattern(std::string_view pattern, std::string_view name);

/// Whose key a message came with. Without keys there is no name, and everybody may do everything.
struct KeyHolder {
  std::string name;
  bool is_operator = false;
  std::vector<std::string> boards = {};  ///< patterns that it owns; empty: its own name and NAME/*
  std::string public_key = {};
};

bool owns_board(const KeyHolder& key, std::string_view board);
/// What it owns, for people: "b7 and b7/*".
std::string owned_boards(const KeyHolder& key);
/// The board's whole name: said with a '/' in front it is one of the key's own ("/3" of "r2": "r2/3"), not
/// said at all it is the key's. Without keys it is what was said.
std::string whole_board_name(const KeyHolder& key, const std::string& said);

}  // namespace hone
