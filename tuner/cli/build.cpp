// `hone build` on the command line: import, plan, build, and what was built.
#include "tuner/cli/build.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "codegen/runtime/host/host.h"
#include "tuner/cli/commands.h"
#include "tuner/cli/import_flags.h"
#include "tuner/cli/lab.h"

namespace hone::cli {

Error wrong_result(double error, double allowed, bool transforms, const std::string& model) {
  if (!std::isfinite(error))
    return {"outputs of the built model or of its reference are NaN or infinite; nothing was written", model,
            "weights that are not trained may overflow: look at what the model gives elsewhere"};
  return {fmt::format(
              "the built model is {:.2g} from the reference, at most {:.2g} is allowed; nothing was written",
              error, allowed),
          model,
          transforms ? "--strict leaves out what rounds more; --max-error allows more"
                     : "--max-error allows more; beyond 1e-4 it is a bug: please report it"};
}

namespace {

struct BuildFlags {
  LabFlags lab;  ///< keys, for a log with a scheduler
  std::string model, target = "host", output, log, board_model, mean, deviation, scale, channel_order;
  ImportOptions import;
  PlanOptions plan;
  double max_error = BuildOptions().max_error;
  int threads = 1;
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

struct Built {
  BuildReport report;
  LookupCounts counts;
  bool transforms = false;  ///< some operator computes through transforms
  double seconds = -1;      ///< median of a few runs; negative: not run
};

/// A few runs on zeros: enough for one line, `hone bench` measures.
Result<double> quick_time(const std::string& file, int threads) {
  HONE_TRY(LoadedModel model, LoadedModel::load(file, threads));
  std::vector<std::vector<float>> in, out;
  const auto arrays = [](const std::vector<hone_model_tensor>& tensors, auto& storage, auto& pointers) {
    for (const hone_model_tensor& t : tensors)
      storage.emplace_back(static_cast<size_t>(element_count(Shape(t.shape, t.shape + t.rank))), 0.5f);
    for (auto& array : storage) pointers.push_back(array.data());
  };
  std::vector<const void*> in_pointers;
  std::vector<void*> out_pointers;
  arrays(model.inputs(), in, in_pointers);
  arrays(model.outputs(), out, out_pointers);
  using Clock = std::chrono::steady_clock;
  std::vector<double> samples;
  HONE_RETURN_IF_ERROR(model.run(in_pointers, out_pointers));
  for (const auto begin = Clock::now();
       samples.size() < 5 ||
       (samples.size() < 50 && Clock::now() - begin < std::chrono::milliseconds(300));) {
    const auto start = Clock::now();
    HONE_RETURN_IF_ERROR(model.run(in_pointers, out_pointers));
    samples.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  std::nth_element(samples.begin(), samples.begin() + static_cast<ptrdiff_t>(samples.size() / 2),
                   samples.end());
  return samples[samples.size() / 2];
}

Result<Built> build_model(const BuildFlags& flags, const Graph& graph) {
  Built built;
  HONE_TRY(const Target target, resolve_target(flags.target));
  BuildOptions options;
  HONE_TRY(options.preprocessing, preprocessing_of(flags));
  options.model_name = std::filesystem::path(flags.model).stem().string();
  options.check = !flags.unchecked;
  options.max_error = flags.max_error;
  const Board board = probe_board();
  options.threads = std::max(1, board.cores);
  Lookup lookup;
  if (!flags.log.empty()) {
    std::string board_model = flags.board_model.empty() ? board.model : flags.board_model;
    HONE_TRY(LogDatabase log, open_log(flags.log, flags.lab, to_text(target)));
    // The boards of a lab are seldom like this machine; if they are all of one kind, it is that kind.
    const std::vector<std::string> models = log.board_models(to_text(target));
    if (is_endpoint(flags.log) && flags.board_model.empty() && models.size() == 1 &&
        models[0] != board_model) {
      built.counts.board_model = board_model = models[0];
    }
    lookup = lookup_in(std::move(log), target, flags.threads, board_model, built.counts, flags.plan);
  }
  HONE_TRY(const Plan planned, plan(graph, target, lookup, flags.plan));
  for (const PlannedOp& op : planned.ops)
    built.transforms |= find_formulation(op.candidate.formulation)->transforms;
  HONE_TRY(built.report, build(planned, flags.output, options));
  std::error_code ignored;  // what went to a device is not there to be run
  if (built.report.correct && built.report.checked &&
      std::filesystem::is_regular_file(flags.output, ignored)) {
    HONE_TRY(built.seconds, quick_time(flags.output, flags.threads));
  }
  return built;
}

void print(const BuildFlags& flags, const Built& built, const Output& output) {
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
    output.data(fmt::format("{}: {} ({} {})", flags.output, format_seconds(built.seconds), flags.threads,
                            flags.threads == 1 ? "thread" : "threads"));
  else if (r.correct)
    output.data(fmt::format("{}: {}", flags.output, format_amount(static_cast<double>(r.file_bytes), "B")));
  if (flags.log.empty()) {
    if (!r.untuned.empty())
      output.message("no log given: every task has the schedule that its target implies");
  } else {
    for (const std::string& task : r.untuned)
      output.warning("the log has no record for " + task + ": it has the schedule that its target implies");
  }
}

void print_json(const BuildFlags& flags, const Built& built, const Output& output) {
  const BuildReport& r = built.report;
  nlohmann::json json{{"output", flags.output},
                      {"tasks", r.tasks},
                      {"tuned", r.tuned},
                      {"untuned", r.untuned.size()},
                      {"untuned_tasks", r.untuned},
                      {"checked", r.checked},
                      {"correct", r.correct},
                      {"max_rel_error", r.max_rel_error},
                      {"strict", flags.plan.strict},
                      {"top1_equal", r.top1_equal},
                      {"code_bytes", r.code_bytes},
                      {"weight_bytes", r.weight_bytes},
                      {"memory_bytes", r.arena_bytes},
                      {"file_bytes", r.file_bytes},
                      {"threads", flags.threads}};
  if (built.seconds >= 0) json["ms"] = built.seconds * 1e3;
  output.data(json_line(json));
}

int run_build(const BuildFlags& flags, const Output& output) {
  const auto imported = import_model(flags.model, flags.import);
  if (!imported) {
    output.error(imported.error());
    return kFailure;
  }
  if (!imported->unsupported.empty()) {
    for (const Unsupported& one : imported->unsupported)
      output.message(fmt::format("{}: {} (opset {}){}: {}", one.node, one.op, one.opset,
                                 one.attribute.empty() ? "" : ", attribute " + one.attribute, one.reason));
    output.error(
        Error{"the model uses what is not covered", flags.model, "'hone inspect' lists it with the rest"});
    return kUnsupported;
  }
  const auto built = build_model(flags, imported->graph);
  if (!built) {
    output.error(built.error());
    return kFailure;
  }
  print(flags, *built, output);
  if (flags.json) print_json(flags, *built, output);
  if (!built->report.correct) {
    output.error(wrong_result(built->report.max_rel_error, flags.max_error, built->transforms, flags.model));
    return kWrongResult;
  }
  return kSuccess;
}

}  // namespace

void add_build(CLI::App& app, Context& context) {
  auto flags = std::make_shared<BuildFlags>();
  CLI::App* command =
      app.add_subcommand("build", "Bake a model and its best schedules into one shared object");
  command->add_option("model", flags->model, "ONNX or TFLite file")->required();
  command->add_option("--target", flags->target, "host, a short name, or a target's full text")
      ->capture_default_str();
  command->add_option("-o,--output", flags->output, "the shared object to write")->required();
  command->add_option("--log", flags->log,
                      "take the best schedules from this log: *.h5, or tcp://HOST:PORT[/JOB] of a scheduler");
  add_lab_keys(*command, flags->lab);
  command->add_option("--board-model", flags->board_model,
                      "take records of this board model, not of this machine");
  command->add_option("--threads", flags->threads, "take records for this many threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  add_import_flags(*command, flags->import);
  command->add_flag("--strict", flags->plan.strict,
                    "leave out what computes through transforms (Winograd): the model's own sums only");
  command
      ->add_option("--max-error", flags->max_error,
                   "relative L2 error of an output from which on the model counts as wrong")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  command
      ->add_option("--max-weight-growth", flags->plan.max_weight_growth,
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
