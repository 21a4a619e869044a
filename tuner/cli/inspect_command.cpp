// `hone inspect` on the command line.
#include <CLI/CLI.hpp>
#include <memory>

#include "tuner/cli/commands.h"
#include "tuner/cli/inspect.h"

namespace hone::cli {
namespace {

/// "name=1x3x224x224"; throws CLI's error for anything else.
void add_shape(const std::string& text, ImportOptions& options) {
  const size_t at = text.rfind('=');
  const auto shape =
      at == std::string::npos ? Result<Shape>(fail("no '='")) : parse_shape(text.substr(at + 1));
  if (!shape) throw CLI::ValidationError("--input-shape", "expected NAME=1x3x224x224, got '" + text + "'");
  options.input_shapes[text.substr(0, at)] = *shape;
}

}  // namespace

void add_inspect(CLI::App& app, Context& context) {
  auto options = std::make_shared<InspectOptions>();
  auto* command = app.add_subcommand(
      "inspect", "Show a model's operators, shapes, parameters and FLOPs, and what is not covered");
  command->add_option("model", options->model, "An .onnx or .tflite file")->required();
  command->add_option("--batch", options->import.batch, "What an open first dimension becomes")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command
      ->add_option_function<std::vector<std::string>>(
          "--input-shape",
          [options](const std::vector<std::string>& shapes) {
            for (const std::string& shape : shapes) add_shape(shape, options->import);
          },
          "NAME=1x3x224x224: overrides what the model says")
      ->trigger_on_parse();
  command->add_flag("--json", options->json, "One JSON object on stdout");
  command->callback([options, &context] { context.exit_code = inspect(*options, context.output); });
}

}  // namespace hone::cli
