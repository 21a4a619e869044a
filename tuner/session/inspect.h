// `hone inspect` as functions: what a model is made of and what of it is not covered, and what a built model
// says of itself.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/import/import.h"
#include "codegen/runtime/host/model_file.h"

namespace hone::session {

struct ModelFacts {
  std::string format;                    ///< "ONNX IR 8, opset 13, ..."
  std::vector<Unsupported> unsupported;  ///< not empty: all below is empty
  struct Border {
    std::string name, type;  ///< "x", "f32[1x3x224x224]"
  };
  std::vector<Border> inputs, outputs;
  struct Operator {
    std::string name, op, output;  ///< `output`: its type
    int64_t parameters = 0;
    double flops = 0;
  };
  std::vector<Operator> operators;
  struct TaskCount {
    std::string summary;
    Digest key;
    int count = 0;  ///< how often the model has it
    double flops = 0;
  };
  std::vector<TaskCount> tasks;
  int64_t parameters = 0;
  double flops = 0;
};
/// Errors: those of import_model.
Result<ModelFacts> inspect_model(const std::filesystem::path& model, const ImportOptions& import = {});

/// A shared object rather than a model to be built.
bool is_built_model(const std::string& file);
/// Verifies it and gives what it says of itself, of any machine's. Errors: no such file, damaged, without
/// digests where they are required.
Result<ModelNotes> inspect_built_model(const std::string& file, bool require_digest = false);

}  // namespace hone::session
