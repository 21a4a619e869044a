/* Hand-written marks that generated code is held to. Plain C interface, so that they are compiled by clang
 * alone. */
#ifndef HONE_TESTS_DIRECT_CONV_H
#define HONE_TESTS_DIRECT_CONV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A convolution of one image in blocked layout: x[ic/V][ih][iw][V] with its halo inside ih and iw,
 * w[oc/V][ic/V][kh][kw][V of ic][V of oc], y[oc/V][oh][ow][V]. Channels are multiples of 2 V. */
typedef struct {
  int64_t ic, oc, oh, ow, kernel, stride;
  int64_t ih, iw; /* of x, halo included */
} hone_conv_shape;

/* Lanes V of this build, and the tile: columns x blocks of output channels. */
int hone_hand_lanes(void);
int hone_hand_columns(void);
void hone_hand_direct_conv(const hone_conv_shape* shape, const float* x, const float* w, const float* b,
                           float* y);

/* 2 * lanes * chains * rounds floating-point operations that depend on nothing but themselves. */
int hone_fma_chains(void);
float hone_fma_peak(int64_t rounds, float factor, float addend);

#ifdef __cplusplus
}
#endif
#endif
