// What a built model's description says of its input.
#pragma once

#include <optional>
#include <string>

#include "codegen/base/preprocessing.h"
#include "codegen/base/result.h"

namespace hone {

/// As the artifact's description keeps it. Absent: nothing was said at build. Error: no description of ours.
Result<std::optional<Preprocessing>> described_preprocessing(const std::string& description);

}  // namespace hone
