// What the formulations that are direct convolutions share: direct itself, gated, grouped, first_layer.
#pragma once

#include <string_view>

#include "codegen/formulation/conv.h"
#include "codegen/formulation/formulation.h"

namespace hone {

/// What the schedule needs to know, from task and ports.
struct DirectShape {
  ConvShape conv;
  int64_t unit, output_block, in, blocks;  ///< unit: of input channels in the reduction
  bool fused;  ///< oh and ow are one axis: 1x1, stride 1, and no buffer has a halo
  int64_t rows, columns;
};

DirectShape direct_shape(const Task& task, const Ports& ports);

/// The direct formulation under another name, to change a part of.
Formulation direct_base(std::string_view name);

}  // namespace hone
