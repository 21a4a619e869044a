// Private header. ONNX files to graphs.
#pragma once

#include <filesystem>
#include <string_view>

#include "codegen/import/import.h"

namespace hone::onnx_import {

/// `folder`: where external data lies. Error: not a model, truncated, sizes that do not fit, unresolved input
/// shapes.
Result<ImportResult> read(std::string_view bytes, const std::filesystem::path& folder,
                          const ImportOptions& options);

}  // namespace hone::onnx_import
