// The convolution formulations with a register tile over output channels and columns: `direct` in blocked
// layout and `first_layer` from plain input. Depthwise shares their loop order.
#pragma once

#include "codegen/formulation/formulation.h"

namespace hone {
Formulation direct_formulation();
Formulation first_layer_formulation();
Formulation gated_formulation();
Formulation preactivated_formulation();
Formulation grouped_formulation();
}  // namespace hone
