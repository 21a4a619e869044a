// The freestanding runtime, compiled for every supported triple when hone was built and embedded here as
// bytes.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

/// Relocatable objects of runtime/model for a triple. Error: none for that triple.
Result<std::vector<std::vector<std::byte>>> runtime_objects(const std::string& triple);

/// The symbols that a compiled model exports.
const std::vector<std::string>& model_symbols();

}  // namespace hone
