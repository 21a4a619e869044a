// What a compiled model says about itself: the JSON text behind hone_model_description.
#pragma once

#include <string>

#include "codegen/model/kernels.h"
#include "codegen/model/model.h"

namespace hone {

std::string describe(const Plan& plan, const Kernels& kernels, const BuildOptions& options);

}  // namespace hone
