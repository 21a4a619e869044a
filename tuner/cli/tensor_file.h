// Tensors in files: NumPy's .npy and ONNX's TensorProto .pb, as float32 arrays.
#pragma once

#include <filesystem>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/tensor.h"

namespace hone::cli {

struct PlainTensor {
  Shape shape;
  std::vector<float> values;  ///< row-major
};

/// By the file's ending. .npy: versions 1 to 3, C order, little-endian f2, f4, f8, i1 to i8, u1, u2, bool.
/// Errors: missing, another format, torn, values of a kind that is not covered.
Result<PlainTensor> read_tensor(const std::filesystem::path& file);
/// Version 1, "<f4". Error: cannot be written.
Status write_npy(const std::filesystem::path& file, const PlainTensor& tensor);

}  // namespace hone::cli
