// `hone inspect` on the command line.
#include <CLI/CLI.hpp>
#include <memory>

#include "tuner/cli/built_model.h"
#include "tuner/cli/commands.h"
#include "tuner/cli/import_flags.h"
#include "tuner/cli/inspect.h"
#include "tuner/session/inspect.h"

namespace hone::cli {

void add_inspect(CLI::App& app, Context& context) {
  auto options = std::make_shared<InspectOptions>();
  auto* command = app.add_subcommand(
      "inspect", "Show a model's operators, shapes, parameters and FLOPs, and what is not covered");
  auto built = std::make_shared<BuiltModelFlags>();
  command->add_option("model", options->model, "An .onnx or .tflite file, or what 'hone build' wrote")
      ->required();
  command->add_flag("--require-digest", built->require_digest, "refuse a built model without digests");
  add_import_flags(*command, options->import);
  command->add_flag("--json", options->json, "One JSON object on stdout");
  command->callback([options, built, &context] {
    built->model = options->model;
    context.exit_code = session::is_built_model(built->model)
                            ? inspect_built_model(*built, options->json, context.output)
                            : inspect(*options, context.output);
  });
}

}  // namespace hone::cli
