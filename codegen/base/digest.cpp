#include "codegen/base/digest.h"

#include <sodium.h>

#include <algorithm>
#include <ostream>

namespace hone {
namespace {

constexpr std::string_view hex_digits = "0123456789abcdef";

}  // namespace

std::string Digest::hex(size_t digits) const {
  std::string text;
  if (empty()) return text;
  digits = std::min(digits, 2 * bytes.size());
  text.reserve(digits);
  for (size_t i = 0; i < digits; ++i) text += hex_digits[i % 2 == 0 ? bytes[i / 2] >> 4 : bytes[i / 2] & 15];
  return text;
}

Digest digest_of(std::span<const std::byte> bytes) {
  Digest digest;
  crypto_generichash(digest.bytes.data(), digest.bytes.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr, 0);
  return digest;
}

Digest digest_of(std::string_view text) {
  return digest_of(std::as_bytes(std::span(text.data(), text.size())));
}

Result<Digest> parse_digest(std::string_view text) {
  Digest digest;
  if (text.empty()) return digest;
  bool good = text.size() == 2 * digest.bytes.size();
  for (size_t i = 0; i < text.size() && good; ++i) {
    const size_t value = hex_digits.find(text[i]);
    good = value != std::string_view::npos;
    digest.bytes[i / 2] = static_cast<uint8_t>(digest.bytes[i / 2] << 4 | (value & 15));
  }
  if (!good || digest.empty())
    return fail("'" + std::string(text.substr(0, 80)) + "' is no digest", "",
                "a digest has 64 hexadecimal digits in lower case");
  return digest;
}

std::ostream& operator<<(std::ostream& out, const Digest& digest) { return out << digest.hex(); }

}  // namespace hone
