// Tensors in NumPy's .npy files, as float32 arrays.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/tensor.h"

namespace hone {

struct PlainTensor {
  Shape shape;
  std::vector<float> values;  ///< row-major
};

/// Bytes of a tensor's file at most.
inline constexpr uint64_t kMostTensorBytes = 4ull << 30;

/// Versions 1 to 3, C order, little-endian f4, f8, i1 to i8, u1, u2, bool. Errors: missing, another format,
/// torn, values of a kind that is not covered.
Result<PlainTensor> read_npy_tensor(const std::filesystem::path& file);
/// The same from a file's bytes. Errors name no file.
Result<PlainTensor> parse_npy_tensor(std::string_view bytes);
/// Version 1, "<f4". Error: cannot be written.
Status write_npy(const std::filesystem::path& file, const PlainTensor& tensor);

}  // namespace hone
