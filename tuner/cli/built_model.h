// What `hone run`, `hone bench` and `hone inspect` share about a model that `hone build` wrote.
#pragma once

#include <string>

#include "codegen/runtime/host/host.h"
#include "tuner/cli/commands.h"

namespace hone::cli {

/// How a built model is to be taken.
struct BuiltModelFlags {
  std::string model;
  bool require_digest = false;
};
/// The model as a positional argument, and --require-digest.
void add_built_model_flags(CLI::App& command, BuiltModelFlags& flags);

/// Verified and loaded; one warning if it has no digests. Errors: those of LoadedModel::load.
Result<LoadedModel> load_built_model(const BuiltModelFlags& flags, int threads, const Output& output);

/// Prints what it is built for and the digest of each part, of any machine's; verifies it first. An exit
/// code.
int inspect_built_model(const BuiltModelFlags& flags, bool json, const Output& output);

}  // namespace hone::cli
