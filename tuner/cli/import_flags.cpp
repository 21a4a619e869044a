#include "tuner/cli/import_flags.h"

#include <CLI/CLI.hpp>

namespace hone::cli {
namespace {

void add_shape(const std::string& text, ImportOptions& options) {
  const size_t at = text.rfind('=');
  const auto shape =
      at == std::string::npos ? Result<Shape>(fail("no '='")) : parse_shape(text.substr(at + 1));
  if (!shape) throw CLI::ValidationError("--input-shape", "expected NAME=1x3x224x224, got '" + text + "'");
  options.input_shapes[text.substr(0, at)] = *shape;
}

}  // namespace

void add_import_flags(CLI::App& command, ImportOptions& options) {
  command.add_option("--batch", options.batch, "What an open first dimension becomes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      .add_option_function<std::vector<std::string>>(
          "--input-shape",
          [&options](const std::vector<std::string>& shapes) {
            for (const std::string& shape : shapes) add_shape(shape, options);
          },
          "NAME=1x3x224x224: overrides what the model says")
      ->trigger_on_parse();
}

}  // namespace hone::cli
