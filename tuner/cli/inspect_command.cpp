// `hone inspect` on the command line.
#include <CLI/CLI.hpp>
#include <memory>

#include "tuner/cli/commands.h"
#include "tuner/cli/import_flags.h"
#include "tuner/cli/inspect.h"

namespace hone::cli {

void add_inspect(CLI::App& app, Context& context) {
  auto options = std::make_shared<InspectOptions>();
  auto* command = app.add_subcommand(
      "inspect", "Show a model's operators, shapes, parameters and FLOPs, and what is not covered");
  command->add_option("model", options->model, "An .onnx or .tflite file")->required();
  add_import_flags(*command, options->import);
  command->add_flag("--json", options->json, "One JSON object on stdout");
  command->callback([options, &context] { context.exit_code = inspect(*options, context.output); });
}

}  // namespace hone::cli
