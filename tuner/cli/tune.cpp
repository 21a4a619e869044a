// `hone tune` on the command line: flags and header lines; then the run as it goes; then the summary.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>

#include "tuner/cli/commands.h"
#include "tuner/cli/import_flags.h"
#include "tuner/cli/lab_flags.h"
#include "tuner/cli/progress.h"
#include "tuner/cli/signals.h"
#include "tuner/cli/values.h"
#include "tuner/session/curve.h"
#include "tuner/session/tune.h"

namespace hone::cli {
namespace {

struct TuneFlags {
  session::TuneRequest request;
  std::string time, limit, curve;
  double target_speed = 0;
  bool json = false, detach = false;
};

void print_plan(const TuneFlags& flags, const session::TunePlan& plan, const Output& output) {
  const std::string& scheduler = flags.request.lab.scheduler;
  for (const session::TransferLog& log : plan.transfer)
    output.message(fmt::format("learns  from {} records of {}",
                               format_count(static_cast<double>(log.records)), log.file));
  const std::string board = scheduler.empty() ? fmt::format("{}, {} {}", plan.board.model, plan.board.cores,
                                                            plan.board.cores == 1 ? "core" : "cores")
                                              : "any that fits";
  for (const Target& target : plan.targets)
    output.message(fmt::format("target  {} {} {}-bit          board  {}", target.triple, target.cpu,
                               target.vector_bits, board));
  const wire::JobRequest& job = plan.run.request;
  output.message(fmt::format("model   {}: {} operators, {} tasks, {}, {}", job.name, plan.operators,
                             plan.parts.front().size(), format_amount(plan.flops, "FLOP"),
                             format_amount(plan.parameters, "parameters")));
  output.message(
      scheduler.empty()
          ? fmt::format("log     {}: {} records for this target, timing mode {}", flags.request.log,
                        format_count(static_cast<double>(plan.records)), to_text(job.parts.front().mode))
          : fmt::format("log     with the scheduler at {}, timing mode {}", scheduler, to_text(job.parts.front().mode)));
}

void print_summary(const session::TunePlan& plan, const session::TuneOutcome& outcome, bool json,
                   const Output& output) {
  wire::JobEvent last = outcome.last;
  last.eta_seconds = -1;
  for (const std::string& line : lane_lines(plan.parts, last)) output.result(json, line);
  for (const std::string& line : failure_lines(last)) output.message(line);
  for (const session::LaneView& view : lane_views(plan.parts, last)) {
    const auto names = unmeasured_tasks(*view.tasks, view.event);
    if (names.empty()) continue;
    output.warning(fmt::format("{} of {} tasks have no time and will be built untuned: {}{}", names.size(),
                               view.tasks->size(), names[0], names.size() > 1 ? ", ..." : ""));
  }
  if (last.candidates > 0) {
    for (const std::string& line : stage_lines(last)) output.message(line);
  }
  if (!last.reason.empty()) output.message("ended: " + last.reason);
}

int fail_with(const Error& error, const Output& output) {
  output.error(error);
  return kFailure;
}

/// `--tasks list`: prints them, tunes nothing.
int list_tasks(const session::TuneRequest& request, const Output& output) {
  const auto tasks = session::tasks_of(request.model, request.import, request.targets.front());
  if (!tasks) return fail_with(tasks.error(), output);
  for (const std::string& line : task_list(*tasks)) output.data(line);
  return kSuccess;
}

int detach(const session::TunePlan& plan, const Output& output) {
  const Result<uint64_t> job = session::submit(plan);
  if (!job) return fail_with(job.error(), output);
  output.data(std::to_string(*job));
  output.message(fmt::format("'hone jobs follow {} --scheduler {}' shows it", *job, plan.lab.scheduler));
  return kSuccess;
}

Result<session::TunePlan> plan_tuning(TuneFlags& flags) {
  if (!flags.time.empty()) {
    HONE_TRY(flags.request.seconds, parse_duration(flags.time));
  }
  if (!flags.limit.empty()) {
    HONE_TRY(flags.request.limit_seconds, parse_duration(flags.limit));
  }
  return session::plan_tuning(flags.request);
}

int tune(TuneFlags& flags, const Output& output) {
  const auto begin = std::chrono::steady_clock::now();
  if (flags.request.tasks == std::vector<std::string>{"list"}) return list_tasks(flags.request, output);
  const Result<session::TunePlan> plan = plan_tuning(flags);
  if (!plan) return fail_with(plan.error(), output);
  print_plan(flags, *plan, output);
  std::optional<session::CurveFile> curve;
  if (!flags.curve.empty()) {
    auto created = session::CurveFile::create(flags.curve);
    if (!created) return fail_with(created.error(), output);
    curve.emplace(std::move(*created));
  }
  if (flags.detach) return detach(*plan, output);
  ProgressDisplay display(output, plan->parts);
  wire::JobEvent newest;
  const auto tell = [&](const session::TuneNews& news) {
    if (const auto* event = std::get_if<wire::JobEvent>(&news)) {
      newest = *event;
      const std::chrono::duration<double> since = std::chrono::steady_clock::now() - begin;
      if (curve) curve->add(since.count(), plan->parts.front(), newest);
      display.show(newest);
      return;
    }
    display.clear();
    output.warning(news_line(news, plan->lab.scheduler));
    if (!newest.state.empty()) display.show(newest);
  };
  const Result<session::TuneOutcome> outcome = [&] {
    TerminationSignals signals;
    return session::tune(*plan, tell, interrupt_of(signals));
  }();
  display.clear();
  if (!outcome) return fail_with(outcome.error(), output);
  print_summary(*plan, *outcome, flags.json, output);
  if (flags.json) output.data(tune_json(plan->run.request.name, plan->parts, outcome->last));
  if (curve && !curve->written()) return fail_with(curve->written().error(), output);
  return outcome->interrupted ? kInterrupted : kSuccess;
}

void add_flags(CLI::App* command, const std::shared_ptr<TuneFlags>& flags, Context& context) {
  command->add_option("model", flags->request.model, "ONNX or TFLite file")->required();
  command
      ->add_option("--target", flags->request.targets,
                   "host, a short name, or a target's full text; several: one job for boards of all of them")
      ->allow_extra_args(false)
      ->capture_default_str();
  add_import_flags(*command, flags->request.import);
  command->add_option("--time", flags->time, "stop after this long: 60s, 2m, 1h. The log's best is kept");
  command->add_option("--trials", flags->request.trials,
                      "stop when the log holds this many trials for the model's tasks");
  command->add_option("--target-speed", flags->target_speed,
                      "stop as soon as the model takes less than so many milliseconds: its tasks' best times "
                      "added up, and measured again");
  command->add_option("--time-limit", flags->limit,
                      "the job fails if it has not ended after this long, waiting included: 60s, 2m, 1h");
  command
      ->add_option("--priority", flags->request.priority,
                   "share of your board time that this job gets, by a scheduler")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--require", flags->request.require,
                      "KEY=VALUE label that a board must have; repeatable");
  command->add_option("--token", flags->request.token,
                      "a second submission with the same token is the same job");
  command->add_option("--threads", flags->request.threads, "threads of the measured kernels")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command->add_option(
      "--tasks", flags->request.tasks,
      "only these: numbers and ranges (0,3-5), or texts in their names (conv3x3); 'list' shows "
      "names and numbers and tunes nothing");
  command->add_option("--transfer", flags->request.transfer,
                      "logs of other models or boards to learn from, beside --log's own: they are only read");
  command->add_option("--curve", flags->curve,
                      "write the model's time after each improvement to this CSV file");
  command->add_option("--seed", flags->request.seed, "of the search")->capture_default_str();
  command->add_flag("--more", flags->request.more, "go on with tasks that earlier runs finished");
  command->add_flag("--json", flags->json, "end with one JSON object on stdout");
  command->footer(
      "Without --time, --trials or --target-speed it ends when no task gains more than the noise.\n"
      "What the log holds is not measured again: the same command goes on where it stopped.\n"
      "\n"
      "  hone tune model.onnx --log model.h5 --time 60s            a minute now\n"
      "  hone tune model.onnx --log model.h5 --target-speed 25     until it is fast enough\n"
      "  hone tune model.onnx --log model.h5 --tasks list          what there is to tune\n"
      "  hone tune model.onnx --log model.h5 --tasks 0,3-5 --more  more of these, finished or not\n"
      "  hone tune new.onnx --log new.h5 --transfer model.h5       with what another model taught\n");
  command->callback([flags, command, &context] {
    if (command->count("--target-speed") > 0) flags->request.target_ms = flags->target_speed;
    context.exit_code = tune(*flags, context.output);
  });
}

}  // namespace

void add_tune(CLI::App& app, Context& context) {
  auto flags = std::make_shared<TuneFlags>();
  CLI::App* command = app.add_subcommand("tune", "Search the fastest kernel schedules by measuring them");
  command->add_option("--log", flags->request.log, "the log to read and extend (*.h5)");
  CLI::Option* detach =
      command->add_flag("--detach", flags->detach, "with --scheduler: print the job's number and leave");
  add_lab_flags(*command, flags->request.lab, false);
  detach->needs(command->get_option("--scheduler"));
  add_flags(command, flags, context);
}

void add_job_create(CLI::App& jobs, Context& context) {
  auto flags = std::make_shared<TuneFlags>();
  flags->detach = true;
  CLI::App* command = jobs.add_subcommand("create", "submit a job that tunes a model, and print its number");
  add_lab_flags(*command, flags->request.lab, true);
  add_flags(command, flags, context);
}

}  // namespace hone::cli
