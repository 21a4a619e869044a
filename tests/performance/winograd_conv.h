/* Winograd F(4x4, 3x3) by hand. Plain C interface, so that it is compiled by clang alone. */
#ifndef HONE_TESTS_WINOGRAD_CONV_H
#define HONE_TESTS_WINOGRAD_CONV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A 3x3 convolution of one image, stride 1, padding 1, then bias and max(., 0), on square images of `size`:
 * x[ic/V][4 t + 2][4 t + 2][V] with its halo, t = (size + 3) / 4 tiles a row; u[oc/V][6][6][ic][V], the
 * transformed weights; b[oc]; y[oc/V][size][size][V]. V is hone_hand_lanes(). `block_rows` rows of tiles are
 * worked on together, a divisor of t; their tiles are a multiple of one of 14, 8, 7, 4. oc is a multiple of 4
 * V. */
typedef struct {
  int64_t ic, oc, size, block_rows;
} hone_winograd_shape;

/* Floats of working memory. */
int64_t hone_hand_winograd_memory(const hone_winograd_shape* shape);
void hone_hand_winograd(const hone_winograd_shape* shape, const float* x, const float* u, const float* b,
                        float* y, float* memory);

#ifdef __cplusplus
}
#endif
#endif
