// `hone run` as functions: a built model on pictures and tensors in files.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "codegen/base/preprocessing.h"
#include "codegen/runtime/data/npy_file.h"
#include "codegen/runtime/host/host.h"

namespace hone::session {

struct RunRequest {
  std::string model;                 ///< what errors call it
  std::vector<std::string> inputs;   ///< .npy, .pb, .jpg or .png files, one for each input of the model
  std::vector<std::string> outputs;  ///< .npy files to write, for the first outputs
  std::string labels;                ///< names of the first output's elements, one a line; empty: none
};
struct RunOutcome {
  std::vector<PlainTensor> outputs;  ///< all of the model's
  std::vector<std::string> labels;   ///< one for each element of the first output, or none
};
/// Reads, runs once, writes. Errors: files that do not fit the model, cannot be read or written.
Result<RunOutcome> run(LoadedModel& model, const RunRequest& request);

/// A row-major array in a file: .npy, or ONNX's TensorProto in .pb. Errors: missing, another format, torn,
/// values of a kind that is not covered.
Result<PlainTensor> read_tensor(const std::filesystem::path& file);
/// A tensor file of the input's shape (the dimension of a batch of one may be left out), or a picture.
Result<std::vector<float>> read_input(const std::string& file, const hone_model_tensor& wanted,
                                      const Preprocessing& preprocessing);
/// Positions of the `count` largest elements, the largest first.
std::vector<size_t> largest(const std::vector<float>& values, size_t count);

Shape shape_of(const hone_model_tensor& tensor);

}  // namespace hone::session
