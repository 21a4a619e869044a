// Eight tables of 256 entries, eight bytes at a time ("slicing by 8", Kounavis and Berry 2005).
#include "logs/crc32c.h"

#include <array>

namespace hone {
namespace {

using Table = std::array<uint32_t, 256>;

/// Table k advances a byte by k further zero bytes.
constexpr std::array<Table, 8> make_tables() {
  std::array<Table, 8> tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0x82F63B78u : 0u);
    tables[0][i] = value;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t i = 0; i < 256; ++i)
      tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xFF];
  return tables;
}
constexpr std::array<Table, 8> kTables = make_tables();

}  // namespace

uint32_t crc32c(std::string_view bytes, uint32_t seed) {
  uint32_t value = ~seed;
  const auto* at = reinterpret_cast<const uint8_t*>(bytes.data());
  size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const uint32_t low =
        value ^ (uint32_t{at[0]} | uint32_t{at[1]} << 8 | uint32_t{at[2]} << 16 | uint32_t{at[3]} << 24);
    value = kTables[7][low & 0xFF] ^ kTables[6][(low >> 8) & 0xFF] ^ kTables[5][(low >> 16) & 0xFF] ^
            kTables[4][low >> 24] ^ kTables[3][at[4]] ^ kTables[2][at[5]] ^ kTables[1][at[6]] ^
            kTables[0][at[7]];
  }
  for (; left > 0; --left, ++at) value = (value >> 8) ^ kTables[0][(value ^ *at) & 0xFF];
  return ~value;
}

}  // namespace hone
