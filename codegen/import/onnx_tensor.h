// Private header. ONNX tensors to constants: float types widen to float32, integers and booleans to int64.
// Every claim about sizes is checked against the bytes that are there before anything is allocated.
#pragma once

#include <filesystem>

#include "codegen/import/import.h"
#include "onnx.pb.h"

namespace hone::onnx_import {

using DecodedTensor = ImportedTensor;

/// What an ONNX element type becomes, or an Error for those not covered (strings, complex numbers, 8-bit
/// floats).
Result<DType> widened(int onnx_type);
/// `folder`: where external data files lie.
Result<DecodedTensor> decode(const onnx::TensorProto& tensor, const std::filesystem::path& folder);

}  // namespace hone::onnx_import
