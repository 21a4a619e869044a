#include "codegen/base/printable.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <utility>

namespace hone {
namespace {

struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  ///< 0: no UTF-8
};

/// The first character: the shortest form of a code point that is no surrogate, as the standard wants it.
Character first_character(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 0;
  if (bytes == 0 || lead > 0xf4 || text.size() < bytes) return {};
  uint32_t code = lead & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  constexpr std::array<uint32_t, 5> least = {0, 0, 0x80, 0x800, 0x10000};
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  if (code < least[bytes] || code > 0x10ffff || is_surrogate) return {};
  return {code, bytes};
}

bool is_shown(uint32_t code) {
  constexpr std::array<std::pair<uint32_t, uint32_t>, 7> hidden = {{{0x00, 0x1f},
                                                                    {0x7f, 0x9f},
                                                                    {0x61c, 0x61c},
                                                                    {0x200e, 0x200f},
                                                                    {0x2028, 0x202e},
                                                                    {0x2066, 0x2069},
                                                                    {0xfff9, 0xfffb}}};
  for (const auto& [first, last] : hidden)
    if (code >= first && code <= last) return false;
  return true;
}

std::string escape(uint32_t code, bool is_byte) {
  if (code == '\n') return "\\n";
  if (code == '\r') return "\\r";
  if (code == '\t') return "\\t";
  std::array<char, 8> text = {};
  std::snprintf(text.data(), text.size(), is_byte || code < 0x80 ? "\\x%02x" : "\\u%04x", code & 0xffffu);
  return text.data();
}

}  // namespace

std::string printable(std::string_view text, size_t most_bytes) {
  constexpr std::string_view more = "...";
  std::string out;
  size_t room_for_more = 0;  // so much of `out` leaves room for the mark
  while (!text.empty()) {
    const Character next = first_character(text);
    const size_t taken = next.bytes == 0 ? 1 : next.bytes;
    const std::string piece = next.bytes == 0       ? escape(static_cast<uint8_t>(text[0]), true)
                              : is_shown(next.code) ? std::string(text.substr(0, taken))
                                                    : escape(next.code, false);
    if (piece.size() > most_bytes - out.size()) {
      out.resize(room_for_more);
      return out.append(more.substr(0, most_bytes - room_for_more));
    }
    out += piece;
    if (out.size() + more.size() <= most_bytes || most_bytes == std::string_view::npos)
      room_for_more = out.size();
    text.remove_prefix(taken);
  }
  return out;
}

}  // namespace hone
