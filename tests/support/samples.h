// Computations that tests of schedules, lowering and code generation share: small versions of what formulations make.
#pragma once

#include <cstdint>

#include "codegen/expr/computation.h"

namespace hone::test {

struct ConvSample {
  int64_t in_channels = 16, out_channels = 32, height = 8, width = 8;  ///< of the output
  int64_t kernel = 3, stride = 1, padding = 1;
  int64_t block = 16;         ///< channel block of activations and of the packed weights; 1: plain
  int64_t extra_halo = 0;     ///< margin beyond what the kernel reads
  bool bias_relu = true;
};
/// conv: y = max(sum x * w + b, 0) over n, oc, oh, ow; reduce ic, kh, kw. Channels are padded to the block.
Computation conv(const ConvSample& sample);

/// pool: maximum over a window, guarded at the border ("outside" -inf), blocked layout.
Computation max_pool(int64_t channels, int64_t height, int64_t width, int64_t block);

/// add: y[c,w] = tanh(x[c,w]) + index(w) * 0.5 over plain rows of an odd width.
Computation elementwise(int64_t rows, int64_t width);

/// dw then pw: depthwise 3x3 into a scratch tensor, pointwise 1x1 out of it.
Computation depthwise_pointwise(int64_t channels, int64_t out_channels, int64_t height, int64_t width, int64_t block);

/// A chain of three stages, as Winograd's: rows are scaled, summed over a window of two, and squared.
/// a[c,i] = 2 x[c,i]; b[c,i] = a[c,i] + a[c,i+1]; y[c,i] = b[c,i]^2
Computation chain(int64_t rows, int64_t width);

}  // namespace hone::test
