/* Winograd F(4x4, 3x3) by hand, see winograd_conv.h: tiles of a few rows are transformed, multiplied at each
 * of the 36 points with a register tile of COLUMNS x blocks, and transformed back, all within the
 * second-level cache. */
#include "winograd_conv.h"

#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define POINTS 36
#define INLINE static inline __attribute__((always_inline))

typedef float vector __attribute__((vector_size(LANES * 4), aligned(4), may_alias));

INLINE vector load(const float* p) { return *(const vector*)p; }
INLINE void store(float* p, vector v) { *(vector*)p = v; }

INLINE void transform_input(const vector* d, vector* out) {
  const vector even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
  const vector outer_even = d[4] - d[2], outer_odd = 2.0f * (d[3] - d[1]);
  out[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
  out[1] = even + odd;
  out[2] = even - odd;
  out[3] = outer_even + outer_odd;
  out[4] = outer_even - outer_odd;
  out[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
}

INLINE void transform_output(const vector* e, vector* out) {
  const vector sum = e[1] + e[2], difference = e[1] - e[2], sum2 = e[3] + e[4], difference2 = e[3] - e[4];
  out[0] = e[0] + sum + sum2;
  out[1] = difference + 2.0f * difference2;
  out[2] = sum + 4.0f * sum2;
  out[3] = difference + 8.0f * difference2 + e[5];
}

/* m[blocks][tiles] = v[ic/V][tiles] * u[blocks][ic] for `columns` tiles; both are constants at every call. */
INLINE void multiply(int columns, int blocks, const float* v, const float* u, float* m, int64_t ic,
                     int64_t tiles) {
  vector acc[4][14];
#pragma clang loop unroll(full)
  for (int o = 0; o < blocks; ++o)
#pragma clang loop unroll(full)
    for (int t = 0; t < columns; ++t) acc[o][t] = (vector){0};
  for (int64_t block = 0; block < ic / LANES; ++block, v += tiles * LANES)
    for (int c = 0; c < LANES; ++c, u += LANES) {
      vector w[4];
#pragma clang loop unroll(full)
      for (int o = 0; o < blocks; ++o) w[o] = load(u + o * POINTS * ic * LANES);
#pragma clang loop unroll(full)
      for (int t = 0; t < columns; ++t)
#pragma clang loop unroll(full)
        for (int o = 0; o < blocks; ++o) acc[o][t] += w[o] * v[t * LANES + c];
    }
#pragma clang loop unroll(full)
  for (int o = 0; o < blocks; ++o)
#pragma clang loop unroll(full)
    for (int t = 0; t < columns; ++t) store(m + (o * tiles + t) * LANES, acc[o][t]);
}

INLINE void multiply_all(int columns, int blocks, const float* v, const float* u, float* m,
                         const hone_winograd_shape* s, int64_t tiles) {
  for (int64_t o = 0; o < s->oc / LANES; o += blocks)
    for (int64_t t = 0; t < tiles; t += columns)
      multiply(columns, blocks, v + t * LANES, u + o * POINTS * s->ic * LANES, m + (o * tiles + t) * LANES, s->ic,
               tiles);
}

static void products(const float* v, const float* u, float* m, const hone_winograd_shape* s, int64_t tiles) {
  for (int64_t point = 0; point < POINTS; ++point) {
    if (tiles % 14 == 0)
      multiply_all(14, 2, v, u, m, s, tiles);
    else if (tiles % 7 == 0)
      multiply_all(7, 4, v, u, m, s, tiles);
    else if (tiles % 8 == 0)
      multiply_all(8, 2, v, u, m, s, tiles);
    else
      multiply_all(4, 4, v, u, m, s, tiles);
    v += s->ic * tiles, u += s->ic * LANES, m += s->oc * tiles;
  }
}

int64_t hone_hand_winograd_memory(const hone_winograd_shape* s) {
  return POINTS * s->block_rows * ((s->size + 3) / 4) * (s->ic + s->oc);
}

void hone_hand_winograd(const hone_winograd_shape* s, const float* x, const float* u, const float* b,
                        float* y, float* memory) {
  const int64_t row_tiles = (s->size + 3) / 4, width = 4 * row_tiles + 2, tiles = s->block_rows * row_tiles;
  float* v = memory;
  float* m = memory + POINTS * tiles * s->ic;
  for (int64_t first = 0; first < row_tiles; first += s->block_rows) {
    for (int64_t c = 0; c < s->ic / LANES; ++c)
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t row = 4 * (first + tile / row_tiles), column = 4 * (tile % row_tiles);
        const float* in = x + ((c * width + row) * width + column) * LANES;
        vector columns[6][6], line[6], out[6];
        for (int j = 0; j < 6; ++j) {
          for (int i = 0; i < 6; ++i) line[i] = load(in + (i * width + j) * LANES);
          transform_input(line, out);
          for (int i = 0; i < 6; ++i) columns[i][j] = out[i];
        }
        for (int i = 0; i < 6; ++i) {
          transform_input(columns[i], out);
          for (int j = 0; j < 6; ++j)
            store(v + (((i * 6 + j) * (s->ic / LANES) + c) * tiles + tile) * LANES, out[j]);
        }
      }
    products(v, u, m, s, tiles);
    for (int64_t o = 0; o < s->oc / LANES; ++o)
      for (int64_t tile = 0; tile < tiles; ++tile) {
        const int64_t row = 4 * (first + tile / row_tiles), column = 4 * (tile % row_tiles);
        const float* in = m + (o * tiles + tile) * LANES;
        const vector bias = load(b + o * LANES);
        vector columns[4][6], line[6], out[4];
        for (int j = 0; j < 6; ++j) {
          for (int i = 0; i < 6; ++i) line[i] = load(in + (i * 6 + j) * s->oc * tiles);
          transform_output(line, out);
          for (int i = 0; i < 4; ++i) columns[i][j] = out[i];
        }
        for (int i = 0; i < 4 && row + i < s->size; ++i) {
          transform_output(columns[i], out);
          for (int j = 0; j < 4 && column + j < s->size; ++j) {
            vector value = out[j] + bias;
            for (int lane = 0; lane < LANES; ++lane) value[lane] = value[lane] > 0 ? value[lane] : 0;
            store(y + ((o * s->size + row + i) * s->size + column + j) * LANES, value);
          }
        }
      }
  }
}
