// Private header. TFLite files to graphs: activations of rank 4 become NCHW, inputs and outputs of the graph
// too.
#pragma once

#include <string_view>

#include "codegen/import/import.h"

namespace hone::tflite_import {

/// Whether the bytes carry TFLite's file identifier.
bool is_tflite(std::string_view bytes);
/// Error: truncated or inconsistent.
Result<ImportResult> read(std::string_view bytes, const ImportOptions& options);

}  // namespace hone::tflite_import
