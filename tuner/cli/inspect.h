// `hone inspect`: what a model is made of, and what of it hone does not cover.
#pragma once

#include <filesystem>

#include "codegen/import/import.h"
#include "tuner/cli/output.h"

namespace hone::cli {

struct InspectOptions {
  std::filesystem::path model;
  ImportOptions import;
  bool json = false;  ///< one JSON object on the last line of stdout
};

/// Prints operators, shapes, parameters, FLOPs and tasks, or every node that is not covered with operator,
/// attribute, opset and reason. Returns the exit code: kSuccess, kFailure (no model), kUnsupported.
int inspect(const InspectOptions& options, const Output& output);

}  // namespace hone::cli
