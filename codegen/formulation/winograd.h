// Winograd convolution F(m x m, 3 x 3): output tiles of m x m from (m+2)^2 products per channel pair instead
// of 9 m^2. Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2015; interpolation points
// 0, 1, -1 (and 2, -2).
#pragma once

#include "codegen/formulation/formulation.h"

namespace hone {

/// m = 4: 4 times fewer products, weights 4 times as large.
Formulation winograd4_formulation();
/// m = 2: 2.25 times fewer products, weights 1.8 times as large; for small images.
Formulation winograd2_formulation();

}  // namespace hone
