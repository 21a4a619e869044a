#include "codegen/runtime/model/digest.h"

static const uint64_t iv[8] = HONE_BLAKE2B_IV;
static const unsigned char sigma[10][16] = HONE_BLAKE2B_SIGMA;

typedef struct state {
  uint64_t h[8], bytes;
} state;

static void start(state* s) {
  for (int i = 0; i < 8; ++i) s->h[i] = iv[i];
  s->h[0] ^= 0x01010000u ^ HONE_DIGEST_BYTES; /* no key, depth 1, fanout 1 */
  s->bytes = 0;
}

/* One block of 128 bytes, of which `bytes` count. */
static void take(state* s, const unsigned char* block, uint64_t bytes, int last) {
  uint64_t v[16], m[16];
  s->bytes += bytes;
  for (int i = 0; i < 8; ++i) v[i] = s->h[i], v[8 + i] = iv[i];
  v[12] ^= s->bytes;
  if (last) v[14] = ~v[14];
  for (int i = 0; i < 16; ++i) {
    m[i] = 0;
    for (int k = 7; k >= 0; --k) m[i] = m[i] << 8 | block[8 * i + k];
  }
  HONE_BLAKE2B_ROUNDS(v, m, sigma);
  for (int i = 0; i < 8; ++i) s->h[i] ^= v[i] ^ v[8 + i];
}

void hone_blake2b(const unsigned char* data, size_t bytes, unsigned char digest[HONE_DIGEST_BYTES]) {
  state s;
  start(&s);
  for (; bytes > 128; data += 128, bytes -= 128) take(&s, data, 128, 0);
  unsigned char block[128];
  for (size_t i = 0; i < 128; ++i) ((volatile unsigned char*)block)[i] = i < bytes ? data[i] : 0;
  take(&s, block, bytes, 1);
  for (int i = 0; i < HONE_DIGEST_BYTES; ++i) digest[i] = (unsigned char)(s.h[i / 8] >> (8 * (i % 8)));
}

/* The digests of the pieces are hashed as they come: four of them are a block. */
void hone_range_digest(const unsigned char* data, size_t bytes, unsigned char digest[HONE_DIGEST_BYTES]) {
  state s;
  unsigned char block[128];
  size_t filled = 0;
  start(&s);
  for (size_t left = bytes; left > 0;) {
    const size_t piece = left < HONE_PIECE_BYTES ? left : HONE_PIECE_BYTES;
    if (filled == sizeof block) {
      take(&s, block, filled, 0);
      filled = 0;
    }
    hone_blake2b(data, piece, block + filled);
    filled += HONE_DIGEST_BYTES;
    data += piece;
    left -= piece;
  }
  for (size_t i = filled; i < sizeof block; ++i) ((volatile unsigned char*)block)[i] = 0;
  take(&s, block, filled, 1);
  for (int i = 0; i < HONE_DIGEST_BYTES; ++i) digest[i] = (unsigned char)(s.h[i / 8] >> (8 * (i % 8)));
}
