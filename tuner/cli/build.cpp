// `hone build` on the command line: flags, and what was built.
#include "tuner/session/build.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tuner/cli/commands.h"
#include "tuner/cli/import_flags.h"
#include "tuner/cli/lab_flags.h"
#include "tuner/cli/values.h"

namespace hone::cli {

namespace {

struct BuildFlags {
  session::BuildRequest request;
  std::string mean, deviation, scale, channel_order;
  int64_t resize = 0, crop = 0;
  bool json = false, unchecked = false;
};

Result<std::optional<Preprocessing>> preprocessing_of(const BuildFlags& flags) {
  if (flags.resize == 0 && flags.crop == 0 && flags.mean.empty() && flags.deviation.empty() &&
      flags.scale.empty() && flags.channel_order.empty())
    return std::optional<Preprocessing>();
  Preprocessing result;
  result.resize = flags.resize;
  result.crop = flags.crop;
  if (!flags.mean.empty()) {
    HONE_TRY(result.mean, parse_floats(flags.mean));
  }
  if (!flags.deviation.empty()) {
    HONE_TRY(result.deviation, parse_floats(flags.deviation));
  }
  if (!flags.scale.empty()) {
    HONE_TRY(result.scale, parse_scale(flags.scale));
  }
  if (!flags.channel_order.empty()) result.channel_order = flags.channel_order;
  for (const float value : result.deviation)
    if (value == 0) return fail("a standard deviation of 0 divides by zero", "--std");
  return std::optional<Preprocessing>(result);
}

void print(const BuildFlags& flags, const session::BuildOutcome& built, const Output& output) {
  const BuildReport& r = built.report;
  output.data(fmt::format("{} tasks: {} tuned, {} near, {} default     memory {}     code {}     weights {}",
                          r.tasks, r.tuned - built.counts.near, built.counts.near, r.untuned.size(),
                          format_amount(static_cast<double>(r.arena_bytes), "B"),
                          format_amount(static_cast<double>(r.code_bytes), "B"),
                          format_amount(static_cast<double>(r.weight_bytes), "B")));
  if (r.checked)
    output.data(fmt::format("checked against the reference: relative error {:.1e}, top-1 {}", r.max_rel_error,
                            r.top1_equal ? "equal" : "differs"));
  else
    output.message(flags.unchecked ? "not checked, as asked"
                                   : "not checked: its code does not run on this machine");
  if (built.seconds >= 0)
    output.data(fmt::format("{}: {} ({} {})", flags.request.output, format_seconds(built.seconds),
                            flags.request.threads, flags.request.threads == 1 ? "thread" : "threads"));
  else if (r.correct)
    output.data(
        fmt::format("{}: {}", flags.request.output, format_amount(static_cast<double>(r.file_bytes), "B")));
  if (flags.request.log.empty()) {
    if (!r.untuned.empty())
      output.message("no log given: every task has the schedule that its target implies");
  } else {
    for (const std::string& task : r.untuned)
      output.warning("the log has no record for " + task + ": it has the schedule that its target implies");
  }
}

void print_json(const BuildFlags& flags, const session::BuildOutcome& built, const Output& output) {
  const BuildReport& r = built.report;
  nlohmann::json json{{"output", flags.request.output},
                      {"tasks", r.tasks},
                      {"tuned", r.tuned},
                      {"untuned", r.untuned.size()},
                      {"untuned_tasks", r.untuned},
                      {"checked", r.checked},
                      {"correct", r.correct},
                      {"max_rel_error", r.max_rel_error},
                      {"strict", flags.request.plan.strict},
                      {"top1_equal", r.top1_equal},
                      {"code_bytes", r.code_bytes},
                      {"weight_bytes", r.weight_bytes},
                      {"memory_bytes", r.arena_bytes},
                      {"file_bytes", r.file_bytes},
                      {"threads", flags.request.threads}};
  if (built.seconds >= 0) json["ms"] = built.seconds * 1e3;
  output.data(json_line(json));
}

Result<session::BuildOutcome> build(BuildFlags& flags) {
  HONE_TRY(flags.request.preprocessing, preprocessing_of(flags));
  flags.request.check = !flags.unchecked;
  return session::build(flags.request);
}

int run_build(BuildFlags& flags, const Output& output) {
  const auto built = build(flags);
  if (!built) {
    output.error(built.error());
    return kFailure;
  }
  if (!built->unsupported.empty()) {
    for (const Unsupported& one : built->unsupported)
      output.message(fmt::format("{}: {} (opset {}){}: {}", one.node, one.op, one.opset,
                                 one.attribute.empty() ? "" : ", attribute " + one.attribute, one.reason));
    output.error(Error{"the model uses what is not covered", flags.request.model,
                       "'hone inspect' lists it with the rest"});
    return kUnsupported;
  }
  print(flags, *built, output);
  if (flags.json) print_json(flags, *built, output);
  if (!built->report.correct) {
    output.error(session::wrong_result(built->report.max_rel_error, flags.request.max_error,
                                       built->transforms, flags.request.model));
    return kWrongResult;
  }
  return kSuccess;
}

}  // namespace

void add_build(CLI::App& app, Context& context) {
  auto flags = std::make_shared<BuildFlags>();
  CLI::App* command =
      app.add_subcommand("build", "Bake a model and its best schedules into one shared object");
  command->add_option("model", flags->request.model, "ONNX or TFLite file")->required();
  command->add_option("--target", flags->request.target, "host, a short name, or a target's full text")
      ->capture_default_str();
  command->add_option("-o,--output", flags->request.output, "the shared object to write")->required();
  command->add_option("--log", flags->request.log,
                      "take the best schedules from this log: *.h5, or tcp://HOST:PORT[/JOB] of a scheduler");
  add_lab_keys(*command, flags->request.lab);
  command->add_option("--board-model", flags->request.board_model,
                      "take records of this board model, not of this machine");
  command->add_option("--threads", flags->request.threads, "take records for this many threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  add_import_flags(*command, flags->request.import);
  command->add_flag("--strict", flags->request.plan.strict,
                    "leave out what computes through transforms (Winograd): the model's own sums only");
  command
      ->add_option("--max-error", flags->request.max_error,
                   "relative L2 error of an output from which on the model counts as wrong")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--max-weight-growth", flags->request.plan.max_weight_growth,
                   "leave out what makes an operator's packed constants larger than this factor")
      ->check(CLI::PositiveNumber);
  command->add_flag("--no-check", flags->unchecked, "skip the comparison with the reference");
  command->add_flag("--json", flags->json, "end with one JSON object on stdout");
  const auto pictures = "How pictures become the input; kept in the artifact for 'hone run'";
  command->add_option("--resize", flags->resize, "pixels of the shorter side")
      ->group(pictures)
      ->check(CLI::Range(1, 16384));
  command->add_option("--crop", flags->crop, "side of the centre square that is kept")
      ->group(pictures)
      ->check(CLI::Range(1, 16384));
  command->add_option("--scale", flags->scale, "multiplies 0..255, e.g. 1/255 (the default)")
      ->group(pictures);
  command
      ->add_option("--mean", flags->mean,
                   "subtracted after scaling, one or one per channel: 0.485,0.456,0.406")
      ->group(pictures);
  command->add_option("--std", flags->deviation, "divides after that, likewise")->group(pictures);
  command->add_option("--channel-order", flags->channel_order, "rgb (the default) or bgr")
      ->group(pictures)
      ->check(CLI::IsMember({"rgb", "bgr"}));
  command->callback([flags, &context] { context.exit_code = run_build(*flags, context.output); });
}

}  // namespace hone::cli
