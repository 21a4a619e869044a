// Digests of ranges: what eight pieces at a time give is what the definition says.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/runtime/host/range_digest.h"

namespace hone {
namespace {

std::string text_of(const RangeDigest& digest) {
  std::string text;
  for (const unsigned char byte : digest) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

std::string by_definition(std::span<const std::byte> range) {
  std::vector<std::byte> digests;
  for (size_t at = 0; at < range.size(); at += HONE_PIECE_BYTES) {
    const Digest piece = digest_of(range.subspan(at, std::min<size_t>(HONE_PIECE_BYTES, range.size() - at)));
    for (const uint8_t byte : piece.bytes) digests.push_back(static_cast<std::byte>(byte));
  }
  return digest_of(digests).hex();
}

TEST(RangeDigest, IsTheSameForAnyNumberOfPieces) {
  std::vector<std::byte> bytes(300 * HONE_PIECE_BYTES + 5);
  uint64_t x = 1;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((x = x * 6364136223846793005 + 1) >> 56);
  const size_t piece = HONE_PIECE_BYTES;
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{128}, piece, piece + 1, 8 * piece - 1, 8 * piece, 8 * piece + 1,
        17 * piece + 129, 40 * piece, bytes.size()}) {  // the last on several threads
    const std::span<const std::byte> range(bytes.data(), size);
    EXPECT_EQ(text_of(range_digest(range)), by_definition(range)) << size;
  }
}

}  // namespace
}  // namespace hone
