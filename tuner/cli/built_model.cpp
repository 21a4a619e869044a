#include "tuner/cli/built_model.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string_view>

#include "codegen/base/input_file.h"
#include "codegen/runtime/host/model_file.h"

namespace hone::cli {
namespace {

void warn_without_digests(const std::string& model, const Output& output) {
  output.warning(model + " has no digests, so it was not verified: an older version of hone built it");
}

Result<ModelNotes> notes_of(const BuiltModelFlags& flags) {
  HONE_TRY(const FileBytes file, FileBytes::read(flags.model));
  HONE_TRY(const ElfImage image, ElfImage::parse(file.bytes(), kMostModelBytes, ImageMachine::any));
  HONE_TRY(ModelNotes notes, verify_model(image));
  if (flags.require_digest) HONE_RETURN_IF_ERROR(require_digests(notes));
  return notes;
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

bool is_built_model(const std::string& file) {
  constexpr std::string_view elf =
      "\x7f"
      "ELF";
  const auto opened = InputFile::open(file);  // a pipe is not waited for
  if (!opened || opened->bytes() < elf.size()) return false;
  const auto begin = opened->read(0, elf.size());
  return begin && *begin == elf;
}

int inspect_built_model(const BuiltModelFlags& flags, bool as_json, const Output& output) {
  auto notes = notes_of(flags);
  if (!notes) {
    if (notes.error().where.empty()) notes.error().where = flags.model;
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
