// What a compiled model says about itself: the JSON text behind hone_model_description.
#pragma once

#include <string>

#include "codegen/model/kernels.h"
#include "codegen/model/model.h"

namespace hone {

std::string describe(const Plan& plan, const Kernels& kernels, const BuildOptions& options);
/// The preprocessing that a description holds, if any. Error: no description of ours.
Result<std::optional<Preprocessing>> described_preprocessing(const std::string& description);

}  // namespace hone
