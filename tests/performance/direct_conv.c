/* Blocked direct convolution by hand: a register tile of COLUMNS x 2 vectors of output, the input broadcast
 * from memory. Sizes follow from the vector width that the compiler was told to use. */
#include "direct_conv.h"

#if defined(__AVX512F__)
#define LANES 16
#define COLUMNS 14
#elif defined(__AVX__)
#define LANES 8
#define COLUMNS 6
#elif defined(__aarch64__)
#define LANES 4
#define COLUMNS 14
#else
#define LANES 4
#define COLUMNS 6
#endif
#define BLOCKS 2
#define INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

int hone_hand_lanes(void) { return LANES; }
int hone_hand_columns(void) { return COLUMNS; }

/* `columns` is a constant at every call. */
INLINE void tile(const hone_conv_shape* s, int columns, const float* restrict x, const float* restrict w,
                 const float* restrict b, float* restrict y) {
  vector acc[BLOCKS][COLUMNS];
  const int64_t block = s->ic * s->kernel * s->kernel * LANES; /* of w */
  for (int t = 0; t < BLOCKS; ++t) {
#pragma clang loop unroll(full)
    for (int i = 0; i < columns; ++i) acc[t][i] = (vector){0};
  }
  const int64_t stride = s->stride;
  for (int64_t c = 0; c < s->ic / LANES; ++c) {
    for (int64_t kh = 0; kh < s->kernel; ++kh) {
      for (int64_t kw = 0; kw < s->kernel; ++kw) {
        const float* in = x + ((c * s->ih + kh) * s->iw + kw) * LANES;
        for (int v = 0; v < LANES; ++v) {
          const vector w0 = *(const vector*)(w);
          const vector w1 = *(const vector*)(w + block);
#pragma clang loop unroll(full)
          for (int i = 0; i < columns; ++i) {
            const float value = in[i * stride * LANES + v];
            acc[0][i] += w0 * value;
            acc[1][i] += w1 * value;
          }
          w += LANES;
        }
      }
    }
  }
  for (int t = 0; t < BLOCKS; ++t) {
    const vector bias = *(const vector*)(b + t * LANES);
#pragma clang loop unroll(full)
    for (int i = 0; i < columns; ++i) {
      vector value = acc[t][i] + bias;
      for (int lane = 0; lane < LANES; ++lane) value[lane] = value[lane] > 0 ? value[lane] : 0;
      *(vector*)(y + t * s->oh * s->ow * LANES + i * LANES) = value;
    }
  }
}

/* One stride known at compile time: addresses become displacements. */
INLINE void convolve(const hone_conv_shape* given, int64_t stride, const float* x, const float* w,
                     const float* b, float* y) {
  hone_conv_shape shape = *given;
  shape.stride = stride;
  const hone_conv_shape* s = &shape;
  const int64_t block = s->ic * s->kernel * s->kernel * LANES;
  for (int64_t o = 0; o < s->oc / LANES; o += BLOCKS) {
    for (int64_t oh = 0; oh < s->oh; ++oh) {
      int64_t ow = 0;
      const float* row = x + oh * stride * s->iw * LANES;
      float* out = y + (o * s->oh + oh) * s->ow * LANES;
      for (; ow + COLUMNS <= s->ow; ow += COLUMNS) {
        tile(s, COLUMNS, row + ow * stride * LANES, w + o * block, b + o * LANES, out + ow * LANES);
      }
      if (COLUMNS == 14 && ow + 7 <= s->ow) {
        tile(s, 7, row + ow * stride * LANES, w + o * block, b + o * LANES, out + ow * LANES);
        ow += 7;
      }
      if (COLUMNS == 6 && ow + 4 <= s->ow) {
        tile(s, 4, row + ow * stride * LANES, w + o * block, b + o * LANES, out + ow * LANES);
        ow += 4;
      }
      for (; ow < s->ow; ++ow) {
        tile(s, 1, row + ow * stride * LANES, w + o * block, b + o * LANES, out + ow * LANES);
      }
    }
  }
}

void hone_hand_direct_conv(const hone_conv_shape* s, const float* x, const float* w, const float* b,
                           float* y) {
  if (s->stride == 1) {
    convolve(s, 1, x, w, b, y);
  } else {
    convolve(s, 2, x, w, b, y);
  }
}

#define CHAINS 12
int hone_fma_chains(void) { return CHAINS; }

float hone_fma_peak(int64_t rounds, float factor, float addend) {
  vector acc[CHAINS];
  for (int k = 0; k < CHAINS; ++k) acc[k] = (vector){0} + (float)k;
  const vector f = (vector){0} + factor, a = (vector){0} + addend;
  for (int64_t r = 0; r < rounds; ++r) {
#pragma clang loop unroll(full)
    for (int k = 0; k < CHAINS; ++k) acc[k] = acc[k] * f + a;
  }
  vector sum = acc[0];
  for (int k = 1; k < CHAINS; ++k) sum += acc[k];
  float total = 0;
  for (int lane = 0; lane < LANES; ++lane) total += sum[lane];
  return total;
}
