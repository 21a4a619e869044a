/* A depthwise 3x3 into a pointwise convolution by hand, without a tensor between them. Plain C interface, so
 * that it is compiled by clang alone. */
#ifndef HONE_TESTS_DEPTHWISE_POINTWISE_H
#define HONE_TESTS_DEPTHWISE_POINTWISE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x[c/V][height+2][width+2][V] with its halo, dw[c/V][3][3][V], pw[oc/V][c/V][V of c][V of oc],
 * y[oc/V][height][width][V] = pw * max(dw * x, 0). V is hone_hand_lanes(); oc is a multiple of 2 V, c of V
 * and at most 1024, width a multiple of 7. */
typedef struct {
  int64_t channels, oc, height, width;
} hone_dwpw_shape;

void hone_hand_depthwise_pointwise(const hone_dwpw_shape* shape, const float* x, const float* dw,
                                   const float* pw, float* y);

#ifdef __cplusplus
}
#endif
#endif
