// BLAKE2b over one type: a number hashes one piece, a vector of eight numbers of several hashes as many
// pieces at once.
#include "codegen/runtime/host/range_digest.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "codegen/runtime/host/parts.h"

namespace hone {
namespace {

constexpr size_t kTogether = 8, kBlock = 128, kPiece = HONE_PIECE_BYTES;
using Four = uint64_t __attribute__((vector_size(4 * sizeof(uint64_t))));
using Eight = uint64_t __attribute__((vector_size(8 * sizeof(uint64_t))));

constexpr uint64_t kIv[8] = HONE_BLAKE2B_IV;
constexpr unsigned char kSigma[10][16] = HONE_BLAKE2B_SIGMA;

inline __attribute__((always_inline)) uint64_t word(const unsigned char* at) {
  uint64_t value;
  std::memcpy(&value, at, sizeof value);  // little-endian, as every machine that hone runs on
  return value;
}
inline __attribute__((always_inline)) void load(const unsigned char* at, uint64_t& words) {
  words = word(at);
}
inline __attribute__((always_inline)) void load(const unsigned char* at, Four& words) {
  words = Four{word(at), word(at + kPiece), word(at + 2 * kPiece), word(at + 3 * kPiece)};
}
inline __attribute__((always_inline)) void load(const unsigned char* at, Eight& words) {
  words = Eight{word(at),
                word(at + kPiece),
                word(at + 2 * kPiece),
                word(at + 3 * kPiece),
                word(at + 4 * kPiece),
                word(at + 5 * kPiece),
                word(at + 6 * kPiece),
                word(at + 7 * kPiece)};
}

template <class T>
struct Hash {
  T h[8];
  uint64_t bytes = 0;
};

template <class T>
inline __attribute__((always_inline)) void start(Hash<T>& hash) {
  for (int i = 0; i < 8; ++i) hash.h[i] = T{} + kIv[i];
  hash.h[0] ^= T{} + (0x01010000u ^ HONE_DIGEST_BYTES);
}

/// One block of each piece.
template <class T>
inline __attribute__((always_inline)) void take(Hash<T>& hash, const unsigned char* block, size_t bytes,
                                                bool last) {
  T v[16] = {}, m[16] = {};
  hash.bytes += bytes;
  for (int i = 0; i < 8; ++i) {
    v[i] = hash.h[i];
    v[8 + i] = T{} + kIv[i];
  }
  v[12] ^= T{} + hash.bytes;
  if (last) v[14] = ~v[14];
  for (int i = 0; i < 16; ++i) load(block + 8 * i, m[i]);
  HONE_BLAKE2B_ROUNDS(v, m, kSigma);
  for (int i = 0; i < 8; ++i) hash.h[i] ^= v[i] ^ v[8 + i];
}

/// As many whole pieces as T has numbers.
template <class T>
inline __attribute__((always_inline)) void hash_pieces(const unsigned char* data, unsigned char* digests) {
  Hash<T> hash;
  start(hash);
  for (size_t at = 0; at < kPiece; at += kBlock) take(hash, data + at, kBlock, at + kBlock == kPiece);
  uint64_t words[4][sizeof(T) / sizeof(uint64_t)];
  std::memcpy(words, hash.h, sizeof words);
  for (size_t lane = 0; lane < sizeof(T) / sizeof(uint64_t); ++lane)
    for (size_t i = 0; i < 4; ++i)
      std::memcpy(digests + lane * HONE_DIGEST_BYTES + 8 * i, &words[i][lane], 8);
}

void hash_eight(const unsigned char* data, unsigned char* digests) {
  for (size_t i = 0; i < kTogether; ++i)
    hash_pieces<uint64_t>(data + i * kPiece, digests + i * HONE_DIGEST_BYTES);
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void hash_eight_avx512(const unsigned char* data, unsigned char* digests) {
  hash_pieces<Eight>(data, digests);
}
__attribute__((target("avx2"))) void hash_eight_avx2(const unsigned char* data, unsigned char* digests) {
  hash_pieces<Four>(data, digests);
  hash_pieces<Four>(data + 4 * kPiece, digests + 4 * HONE_DIGEST_BYTES);
}
auto best() {
  if (__builtin_cpu_supports("avx512f")) return hash_eight_avx512;
  return __builtin_cpu_supports("avx2") ? hash_eight_avx2 : hash_eight;
}
#else
auto best() { return hash_eight; }
#endif

void hash_one(const unsigned char* data, size_t bytes, unsigned char* digest) {
  Hash<uint64_t> hash;
  start(hash);
  for (; bytes > kBlock; data += kBlock, bytes -= kBlock) take(hash, data, kBlock, false);
  unsigned char block[kBlock] = {};
  if (bytes > 0) std::memcpy(block, data, bytes);
  take(hash, block, bytes, true);
  std::memcpy(digest, hash.h, HONE_DIGEST_BYTES);
}

}  // namespace

RangeDigest range_digest(std::span<const std::byte> range) {
  static const auto hash_many = best();
  constexpr size_t kGroup = kTogether * kPiece, kGroupsWorthAThread = 8;  // 4 MiB
  const auto* data = reinterpret_cast<const unsigned char*>(range.data());
  const size_t groups = range.size() / kGroup;
  std::vector<unsigned char> digests((range.size() + kPiece - 1) / kPiece * HONE_DIGEST_BYTES);
  in_parts(groups, kGroupsWorthAThread, [&](size_t begin, size_t end) {
    for (size_t g = begin; g < end; ++g)
      hash_many(data + g * kGroup, digests.data() + g * kTogether * HONE_DIGEST_BYTES);
  });
  for (size_t at = groups * kGroup; at < range.size(); at += kPiece)
    hash_one(data + at, std::min(kPiece, range.size() - at),
             digests.data() + at / kPiece * HONE_DIGEST_BYTES);
  RangeDigest result;
  hash_one(digests.data(), digests.size(), result.data());
  return result;
}

}  // namespace hone
