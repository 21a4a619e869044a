// Winograd convolution F(m x m, r x r), stride 1: tiles of m x m outputs from (m + r - 1)^2 products per
// channel pair instead of m^2 r^2; along one side only where the window is 1 x r or r x 1. Lavin and Gray,
// "Fast Algorithms for Convolutional Neural Networks", 2015.
//
// What float32 loses, as the worst relative L2 error and the worst element in epsilons of its magnitude that
// tests/numeric sees (direct: 1.5e-7, 1.2):
//
// | products a side | windows at m = 2, 4, 6 | points beside 0 and infinity | both sides    | one side      |
// | 4               | 3, -, -                | +-1                          | 2.4e-7, 0.5   | 1.8e-7, 0.6   |
// | 6               | 5, 3, -                | +-1, +-2                     | 2.3e-6, 14    | 4.8e-7, 2.8   |
// | 8               | 7, 5, 3                | +-1, +-2, +-1/2              | 4.2e-6, 15    | 7.1e-7, 4.1   |
// | 10              | -, 7, 5                | the same and +-3/4           |               | 2.3e-6, 14    |
// | 12              | -, -, 7                | the same and +-3/2           |               | 5.1e-6, 18    |
#pragma once

#include "codegen/formulation/formulation.h"

namespace hone {

/// m = 2: 2.25 times fewer products for 3x3, weights 1.8 times as large; for small images.
Formulation winograd2_formulation();
/// m = 4: 4 times fewer products for 3x3, weights 4 times as large.
Formulation winograd4_formulation();
/// m = 6: 5.1 times fewer products for 3x3, weights 7.1 times as large; for large images.
Formulation winograd6_formulation();

}  // namespace hone
