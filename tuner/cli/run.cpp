// `hone run`: a compiled model on pictures or tensors, once.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "tuner/cli/built_model.h"
#include "tuner/session/run.h"

namespace hone::cli {
namespace {

struct RunFlags {
  BuiltModelFlags built;
  session::RunRequest request;
  int threads = 1, top_k = 0;
};

/// "n02123045 tabby, tabby cat" is printed without its synset number.
std::string without_synset(const std::string& label) {
  const bool synset =
      label.size() > 10 && label[0] == 'n' && label[9] == ' ' &&
      std::all_of(label.begin() + 1, label.begin() + 9, [](char c) { return c >= '0' && c <= '9'; });
  return synset ? label.substr(10) : label;
}

void print_top(const session::RunOutcome& outcome, int count, const Output& output) {
  const std::vector<float>& values = outcome.outputs[0].values;
  for (const size_t at : session::largest(values, static_cast<size_t>(count)))
    output.data(
        fmt::format("{:.2f}  {}", values[at],
                    outcome.labels.empty() ? std::to_string(at) : without_synset(outcome.labels[at])));
}

Status run_model(RunFlags& flags, const Output& output) {
  flags.request.model = flags.built.model;
  HONE_TRY(LoadedModel model, load_built_model(flags.built, flags.threads, output));
  HONE_TRY(const session::RunOutcome outcome, session::run(model, flags.request));
  const bool shows = flags.request.outputs.empty() || !outcome.labels.empty();
  const int count = flags.top_k > 0 ? flags.top_k : shows ? 5 : 0;
  if (count > 0) print_top(outcome, count, output);
  return {};
}

}  // namespace

void add_run(CLI::App& app, Context& context) {
  auto flags = std::make_shared<RunFlags>();
  CLI::App* command = app.add_subcommand("run", "Run a built model on a picture or a tensor");
  add_built_model_flags(*command, flags->built);
  command->add_option("--input", flags->request.inputs, "a .npy, .pb, .jpg or .png file; once per input")
      ->required();
  command->add_option("--output", flags->request.outputs, "write the output as .npy; once per output");
  command->add_option("--top-k", flags->top_k, "print the largest elements of the first output (default 5)")
      ->check(CLI::PositiveNumber);
  command->add_option("--labels", flags->request.labels, "names of the elements, one a line");
  command->add_option("--threads", flags->threads, "that take part")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command->callback([flags, &context] {
    const Status status = run_model(*flags, context.output);
    if (status) return;
    context.output.error(status.error());
    context.exit_code = kFailure;
  });
}

}  // namespace hone::cli
