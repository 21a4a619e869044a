// Light ONNX models, whose weights are ConstantOfShape nodes, filled with reproducible pseudo-random weights:
// the rule of data/tools/seed_weights.py, so that the expected outputs beside the models hold.
#pragma once

#include <filesystem>
#include <string>

#include "codegen/import/import.h"

namespace hone::test {

/// The model's bytes with its weights filled in. `final_scale` multiplies the last Conv's or Gemm's weights
/// and bias; `output`, if given, becomes the model's only output ("last_linear" of expected.json).
Result<std::string> seed_weights(const std::filesystem::path& model, double final_scale,
                                 const std::string& output = "");

/// The same, imported.
Result<Graph> import_seeded(const std::filesystem::path& model, double final_scale,
                            const std::string& output = "");

}  // namespace hone::test
