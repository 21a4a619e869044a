#include "tuner/cli/built_model.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "tuner/session/inspect.h"

namespace hone::cli {
namespace {

void warn_without_digests(const std::string& model, const Output& output) {
  output.warning(model + " has no digests, so it was not verified: an older version of hone built it");
}

}  // namespace

void add_built_model_flags(CLI::App& command, BuiltModelFlags& flags) {
  command.add_option("model", flags.model, "what 'hone build' wrote")->required();
  command.add_flag("--require-digest", flags.require_digest,
                   "refuse a model without digests, which cannot be verified");
}

Result<LoadedModel> load_built_model(const BuiltModelFlags& flags, int threads, const Output& output) {
  HONE_TRY(LoadedModel model, LoadedModel::load(flags.model, threads, flags.require_digest));
  if (!model.has_digests()) warn_without_digests(flags.model, output);
  return model;
}

int inspect_built_model(const BuiltModelFlags& flags, bool as_json, const Output& output) {
  const auto notes = session::inspect_built_model(flags.model, flags.require_digest);
  if (!notes) {
    output.error(notes.error());
    return kFailure;
  }
  if (!notes->has_digests) warn_without_digests(flags.model, output);
  if (as_json) {
    nlohmann::json parts = nlohmann::json::array();
    for (const ModelPart& part : notes->parts)
      parts.push_back({{"part", part.name}, {"bytes", part.bytes}, {"digest", part.digest}});
    output.data(json_line(nlohmann::json{{"model", flags.model},
                                         {"target", notes->target},
                                         {"verified", notes->has_digests},
                                         {"parts", parts}}));
    return kSuccess;
  }
  output.data(fmt::format("model   {}: {}", flags.model,
                          notes->has_digests ? "whole, as 'hone build' wrote it" : "without digests"));
  if (!notes->target.empty()) output.data("target  " + notes->target);
  Table table({"part", "bytes", "digest"});
  for (const ModelPart& part : notes->parts)
    table.add({part.name, format_count(static_cast<double>(part.bytes)), part.digest});
  if (!notes->parts.empty()) {
    output.data("");
    for (const std::string& line : table.lines()) output.data(line);
  }
  return kSuccess;
}

}  // namespace hone::cli
