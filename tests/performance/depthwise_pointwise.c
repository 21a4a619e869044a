/* One tile of a row at a time: its depthwise results for all channels go to a small array on the stack, which
 * the pointwise convolution broadcasts from. */
#include "depthwise_pointwise.h"

#if defined(__AVX512F__)
#define LANES 16
#define COLUMNS 14
#elif defined(__AVX__)
#define LANES 8
#define COLUMNS 7
#else
#define LANES 4
#define COLUMNS 7
#endif
#define BLOCKS (COLUMNS == 14 || LANES == 4 ? 2 : 1)
#define MAX_CHANNELS 1024
#define INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

INLINE void depthwise(const hone_dwpw_shape* s, int columns, const float* restrict x, const float* restrict w,
                      float* restrict out) {
  const int64_t row = (s->width + 2) * LANES;
  vector acc[COLUMNS];
#pragma clang loop unroll(full)
  for (int i = 0; i < columns; ++i) acc[i] = (vector){0};
  for (int kh = 0; kh < 3; ++kh) {
#pragma clang loop unroll(full)
    for (int kw = 0; kw < 3; ++kw) {
      const vector factor = *(const vector*)(w + (kh * 3 + kw) * LANES);
#pragma clang loop unroll(full)
      for (int i = 0; i < columns; ++i) acc[i] += factor * *(const vector*)(x + kh * row + (i + kw) * LANES);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < columns; ++i) {
    vector value = acc[i];
    for (int lane = 0; lane < LANES; ++lane) value[lane] = value[lane] > 0 ? value[lane] : 0;
    *(vector*)(out + i * LANES) = value;
  }
}

INLINE void pointwise(const hone_dwpw_shape* s, int columns, const float* restrict in,
                      const float* restrict w, float* restrict y) {
  vector acc[BLOCKS][COLUMNS];
  for (int t = 0; t < BLOCKS; ++t) {
#pragma clang loop unroll(full)
    for (int i = 0; i < columns; ++i) acc[t][i] = (vector){0};
  }
  for (int64_t c = 0; c < s->channels / LANES; ++c) {
    for (int v = 0; v < LANES; ++v) {
      vector factor[BLOCKS];
      for (int t = 0; t < BLOCKS; ++t) factor[t] = *(const vector*)(w + t * s->channels * LANES);
#pragma clang loop unroll(full)
      for (int i = 0; i < columns; ++i) {
        const float value = in[i * LANES + v];
        for (int t = 0; t < BLOCKS; ++t) acc[t][i] += factor[t] * value;
      }
      w += LANES;
    }
    in += columns * LANES;
  }
  for (int t = 0; t < BLOCKS; ++t) {
#pragma clang loop unroll(full)
    for (int i = 0; i < columns; ++i)
      *(vector*)(y + t * s->height * s->width * LANES + i * LANES) = acc[t][i];
  }
}

INLINE void tile(const hone_dwpw_shape* s, int columns, int64_t h, int64_t w, const float* x, const float* dw,
                 const float* pw, float* y) {
  float between[MAX_CHANNELS * COLUMNS] __attribute__((aligned(64)));
  for (int64_t c = 0; c < s->channels / LANES; ++c)
    depthwise(s, columns, x + ((c * (s->height + 2) + h) * (s->width + 2) + w) * LANES, dw + c * 9 * LANES,
              between + c * columns * LANES);
  for (int64_t o = 0; o < s->oc / LANES; o += BLOCKS)
    pointwise(s, columns, between, pw + o * s->channels * LANES,
              y + ((o * s->height + h) * s->width + w) * LANES);
}

void hone_hand_depthwise_pointwise(const hone_dwpw_shape* s, const float* x, const float* dw, const float* pw,
                                   float* y) {
  for (int64_t h = 0; h < s->height; ++h) {
    int64_t w = 0;
    for (; w + COLUMNS <= s->width; w += COLUMNS) tile(s, COLUMNS, h, w, x, dw, pw, y);
    if (COLUMNS == 14 && w + 7 <= s->width) tile(s, 7, h, w, x, dw, pw, y);
  }
}
