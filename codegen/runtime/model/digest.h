/* Digests of what a compiled model consists of. A piece is 64 KiB, the last one less; the digest of a range
 * is the BLAKE2b-256 (RFC 7693) of its pieces' BLAKE2b-256 digests, one after the other, so that pieces can
 * be hashed side by side. In Python: b2(b"".join(b2(range[i:i + 65536]) for i in ...)), b2 = blake2b(...,
 * digest_size=32). */
#ifndef HONE_RUNTIME_MODEL_DIGEST_H
#define HONE_RUNTIME_MODEL_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#define HONE_PIECE_BYTES 65536
#define HONE_DIGEST_BYTES 32

/* BLAKE2b-256 of `bytes` bytes. */
void hone_blake2b(const unsigned char* data, size_t bytes, unsigned char digest[HONE_DIGEST_BYTES]);

/* The digest of a range, piece by piece. */
void hone_range_digest(const unsigned char* data, size_t bytes, unsigned char digest[HONE_DIGEST_BYTES]);

/* The same for blocks of either a number (uint64_t) or a vector of numbers, which are as many independent
 * blocks: one round of RFC 7693's F needs nothing else of its type. */
#define HONE_BLAKE2B_IV                                                                        \
  {0x6a09e667f3bcc908ull, 0xbb67ae8584caa73bull, 0x3c6ef372fe94f82bull, 0xa54ff53a5f1d36f1ull, \
   0x510e527fade682d1ull, 0x9b05688c2b3e6c1full, 0x1f83d9abfb41bd6bull, 0x5be0cd19137e2179ull}
#define HONE_BLAKE2B_SIGMA                                    \
  {                                                           \
      {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, \
      {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3}, \
      {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, \
      {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8}, \
      {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, \
      {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9}, \
      {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, \
      {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10}, \
      {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, \
      {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}, \
  }
#define HONE_BLAKE2B_TURN(x, n) (((x) >> (n)) | ((x) << (64 - (n))))
#define HONE_BLAKE2B_G(v, a, b, c, d, x, y)          \
  do {                                               \
    (v)[a] += (v)[b] + (x);                          \
    (v)[d] = HONE_BLAKE2B_TURN((v)[d] ^ (v)[a], 32); \
    (v)[c] += (v)[d];                                \
    (v)[b] = HONE_BLAKE2B_TURN((v)[b] ^ (v)[c], 24); \
    (v)[a] += (v)[b] + (y);                          \
    (v)[d] = HONE_BLAKE2B_TURN((v)[d] ^ (v)[a], 16); \
    (v)[c] += (v)[d];                                \
    (v)[b] = HONE_BLAKE2B_TURN((v)[b] ^ (v)[c], 63); \
  } while (0)
/* The twelve rounds over working state `v` and message `m`, 16 each, by `sigma` (HONE_BLAKE2B_SIGMA). */
#define HONE_BLAKE2B_ROUNDS(v, m, sigma)                         \
  do {                                                           \
    for (int round_ = 0; round_ < 12; ++round_) {                \
      const unsigned char* s_ = (sigma)[round_ % 10];            \
      HONE_BLAKE2B_G(v, 0, 4, 8, 12, (m)[s_[0]], (m)[s_[1]]);    \
      HONE_BLAKE2B_G(v, 1, 5, 9, 13, (m)[s_[2]], (m)[s_[3]]);    \
      HONE_BLAKE2B_G(v, 2, 6, 10, 14, (m)[s_[4]], (m)[s_[5]]);   \
      HONE_BLAKE2B_G(v, 3, 7, 11, 15, (m)[s_[6]], (m)[s_[7]]);   \
      HONE_BLAKE2B_G(v, 0, 5, 10, 15, (m)[s_[8]], (m)[s_[9]]);   \
      HONE_BLAKE2B_G(v, 1, 6, 11, 12, (m)[s_[10]], (m)[s_[11]]); \
      HONE_BLAKE2B_G(v, 2, 7, 8, 13, (m)[s_[12]], (m)[s_[13]]);  \
      HONE_BLAKE2B_G(v, 3, 4, 9, 14, (m)[s_[14]], (m)[s_[15]]);  \
    }                                                            \
  } while (0)

#endif
