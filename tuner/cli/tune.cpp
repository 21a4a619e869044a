// Flags, import, plan and header lines; then the run; then the summary.
#include "tuner/cli/tune.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>

#include "codegen/import/import.h"
#include "logs/record_log.h"
#include "scheduler/jobs_file.h"
#include "tuner/cli/commands.h"
#include "tuner/cli/curve.h"
#include "tuner/cli/import_flags.h"
#include "tuner/cli/lab.h"
#include "tuner/cli/task_list.h"
#include "tuner/cli/tune_parts.h"
#include "tuner/cli/tune_run.h"

namespace hone::cli {
namespace {

struct TuneFlags {
  std::string model, log, time, curve;
  std::vector<std::string> targets = {"host"};
  double target_speed = 0;
  bool has_target_speed = false;
  uint64_t trials = 0, seed = 0;
  bool more = false, json = false, detach = false;
  uint32_t priority = 10;
  std::string limit, token;
  std::vector<std::string> require;
  int threads = 1;
  std::vector<std::string> tasks, transfer;
  ImportOptions import;
  LabFlags lab;
};

double parameter_count(const Graph& graph) {
  double count = 0;
  for (const Value& value : graph.values) {
    if (value.is_constant) count += static_cast<double>(element_count(value.type.shape));
  }
  return count;
}

/// The log's records for this target. Opening it for writing shows early whether it can be written, and is
/// not in use.
Result<size_t> prepare_log(const std::string& log, const std::string& target) {
  HONE_TRY(const RecordLog opened, RecordLog::open(log));
  LogQuery query;
  query.target = target;
  return opened.database().query(query).size();
}

/// Other logs to learn from: absolute paths. Errors: one cannot be read, or is the log itself.
Result<std::vector<std::string>> prepare_transfer(const TuneFlags& flags, const Output& output) {
  std::vector<std::string> paths;
  for (const std::string& file : flags.transfer) {
    std::error_code ignored;
    if (std::filesystem::equivalent(file, flags.log, ignored))
      return fail("is the log itself, whose records are used anyway", "--transfer " + file);
    HONE_TRY(const LogDatabase other, LogDatabase::open(file));
    output.message(fmt::format("learns  from {} records of {}",
                               format_count(static_cast<double>(other.records().size())), file));
    paths.push_back(std::filesystem::absolute(file).lexically_normal().string());
  }
  return paths;
}

/// What makes a repeated submission the same job.
std::string drawn_token() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

struct Prepared {
  TuneRun run;
  TunedParts parts;
};

Result<Prepared> prepare(const TuneFlags& flags, const Output& output) {
  HONE_TRY(const Graph graph, import_graph(flags.model, flags.import));
  std::vector<PartPlan> plans;
  for (const std::string& target : flags.targets) {
    HONE_TRY(PartPlan part, plan_part(graph, target, flags.tasks));
    plans.push_back(std::move(part));
  }
  const Target& target = plans.front().target;
  const Board board = probe_board();
  const bool is_remote = !flags.lab.scheduler.empty();
  if (is_remote && !flags.transfer.empty())
    return fail("the scheduler was told when it was started what to learn from", "--transfer",
                "hone-scheduler has the same option");
  if (flags.has_target_speed) HONE_RETURN_IF_ERROR(check_target_speed(flags.target_speed));
  if (flags.log.empty() == !is_remote)
    return fail(is_remote ? "the log lies with the scheduler" : "is missing", "--log",
                is_remote ? "leave it out" : "name the log to extend: --log LOG.h5");
  for (const PartPlan& part : plans)
    if (!is_remote) {
      HONE_RETURN_IF_ERROR(can_run(board, part.target));
      HONE_RETURN_IF_ERROR(fits_memory(part.need, usable_memory_bytes(), "measuring one of its operators",
                                       "a smaller --batch or --input-shape"));
    }
  if (!is_remote && flags.threads > board.cores) {
    return fail(
        fmt::format("{} threads were asked for, this process may use {} cores", flags.threads, board.cores),
        "--threads");
  }
  double seconds = 0;
  if (!flags.time.empty()) {
    HONE_TRY(seconds, parse_duration(flags.time));
  }
  const std::string log = is_remote ? "" : std::filesystem::absolute(flags.log).lexically_normal().string();
  size_t records = 0;
  std::vector<std::string> transfer;
  if (!is_remote) {
    HONE_TRY(records, prepare_log(log, to_text(target)));
    HONE_TRY(transfer, prepare_transfer(flags, output));
  }

  Prepared prepared;
  wire::JobRequest& request = prepared.run.request;
  request.name = std::filesystem::path(flags.model).stem().string();
  if (!is_remote) request.board_model = board.model;
  request.threads = static_cast<uint32_t>(flags.threads);
  const TimingMode mode = timing_mode(graph, board);
  request.max_trials = flags.trials;
  request.max_seconds = seconds;
  request.more = flags.more;
  request.seed = flags.seed;
  request.target_ms = flags.target_speed;
  request.priority = flags.priority;
  request.require = flags.require;
  request.token = flags.token.empty() && is_remote ? drawn_token() : flags.token;
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr) request.user = user->pw_name;
  if (!flags.limit.empty()) {
    HONE_TRY(request.limit_seconds, parse_duration(flags.limit));
  }
  prepared.run.log = log;
  prepared.run.transfer = transfer;
  const double flops = plans.front().flops;
  const size_t tasks = plans.front().part.tasks.size();
  request.parts.clear();
  for (PartPlan& part : plans) {
    prepared.parts.push_back(std::move(part.tasks));
    output.message(fmt::format(
        "target  {} {} {}-bit          board  {}", part.target.triple, part.target.cpu,
        part.target.vector_bits,
        is_remote ? "any that fits"
                  : fmt::format("{}, {} {}", board.model, board.cores, board.cores == 1 ? "core" : "cores")));
    part.part.mode = mode;
    request.parts.push_back(std::move(part.part));
  }
  output.message(fmt::format("model   {}: {} operators, {} tasks, {}, {}", request.name, graph.nodes.size(),
                             tasks, format_amount(flops, "FLOP"),
                             format_amount(parameter_count(graph), "parameters")));
  output.message(is_remote ? fmt::format("log     with the scheduler at {}, timing mode {}",
                                         flags.lab.scheduler, to_text(mode))
                           : fmt::format("log     {}: {} records for this target, timing mode {}", flags.log,
                                         format_count(static_cast<double>(records)), to_text(mode)));
  return prepared;
}

void print_summary(const Prepared& prepared, const TuneOutcome& outcome, const Output& output) {
  wire::JobEvent last = outcome.last;
  last.eta_seconds = -1;
  for (const std::string& line : lane_lines(prepared.parts, last)) output.data(line);
  for (const std::string& line : failure_lines(last)) output.message(line);
  for (const LaneView& view : lane_views(prepared.parts, last)) {
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

/// `--tasks list`: prints them, tunes nothing.
Status list_tasks(const TuneFlags& flags, const Output& output) {
  HONE_TRY(const Graph graph, import_graph(flags.model, flags.import));
  HONE_TRY(const Target target, resolve_target(flags.targets.front()));
  HONE_TRY(const Plan planned, plan(graph, target, [](const Task&) { return std::nullopt; }));
  for (const std::string& line : task_list(distinct_tasks(planned))) output.data(line);
  return {};
}

int tune(const TuneFlags& flags, const Output& output) {
  const auto begin = std::chrono::steady_clock::now();
  if (flags.tasks == std::vector<std::string>{"list"}) {
    const Status listed = list_tasks(flags, output);
    if (!listed) output.error(listed.error());
    return listed ? kSuccess : kFailure;
  }
  Result<Prepared> prepared = prepare(flags, output);
  std::unique_ptr<CurveFile> curve;
  Status ready = prepared ? Status() : Status(pass(prepared.error()));
  if (ready && !flags.curve.empty()) {
    if (auto created = CurveFile::create(flags.curve)) {
      curve = std::make_unique<CurveFile>(std::move(*created));
    } else {
      ready = pass(created.error());
    }
  }
  if (!ready) {
    output.error(ready.error());
    return kFailure;
  }
  if (flags.detach) {
    const Result<uint64_t> job = submit_to_lab(flags.lab, prepared->run);
    if (!job) {
      output.error(job.error());
      return kFailure;
    }
    output.data(std::to_string(*job));
    output.message(fmt::format("'hone jobs follow {} --scheduler {}' shows it", *job, flags.lab.scheduler));
    return kSuccess;
  }
  const auto draw = [&](const wire::JobEvent& event) {
    const std::chrono::duration<double> since = std::chrono::steady_clock::now() - begin;
    if (curve) curve->add(since.count(), prepared->parts.front(), event);
  };
  ProgressDisplay display(output, prepared->parts);
  wire::JobEvent newest;
  prepared->run.on_event = [&](const wire::JobEvent& event) {
    newest = event;
    draw(event);
    display.show(event);
  };
  prepared->run.on_message = [&](const std::string& message) {
    display.clear();
    output.warning(message);
    if (!newest.state.empty()) display.show(newest);
  };
  const Result<TuneOutcome> outcome =
      flags.lab.scheduler.empty() ? run_tuning(prepared->run) : run_in_lab(flags.lab, prepared->run);
  display.clear();
  if (!outcome) {
    output.error(outcome.error());
    return kFailure;
  }
  print_summary(*prepared, *outcome, output);
  if (flags.json) output.data(tune_json(prepared->run.request.name, prepared->parts, outcome->last));
  if (curve && !curve->written()) {
    output.error(curve->written().error());
    return kFailure;
  }
  return outcome->interrupted ? kInterrupted : kSuccess;
}

}  // namespace

Result<double> parse_duration(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  const double factor = unit.empty() || unit == "s" ? 1
                        : unit == "ms"              ? 1e-3
                        : unit == "m"               ? 60
                        : unit == "h"               ? 3600
                                                    : 0;
  if (error != std::errc() || factor == 0 || !(value > 0) || !std::isfinite(value)) {
    return fail("'" + std::string(text) + "' is no duration", "--time", "write 60s, 2m or 1h");
  }
  return value * factor;
}

TimingMode timing_mode(const Graph& graph, const Board& board) {
  // A quarter, since activations, code and other cores' work share that cache: MobileNet v2's 14 MB in 32 MB
  // were measured 14 % too fast in mode llc, 4 % in mode dram (tests/performance, fidelity).
  const double bytes = parameter_count(graph) * 4;
  return board.llc_bytes > 0 && bytes <= static_cast<double>(board.llc_bytes) / 4 ? TimingMode::llc
                                                                                  : TimingMode::dram;
}

Status can_run(const Board& board, const Target& target) {
  const std::string hint = "tune on a board of that kind, or for --target host";
  const Target& has = board.target;
  if (target.triple != has.triple) {
    return fail("this machine is " + has.triple + " and cannot run code for " + target.triple, "--target",
                hint);
  }
  if (target.vector_bits > has.vector_bits) {
    return fail(fmt::format("this machine has {}-bit vectors, the target {}-bit ones", has.vector_bits,
                            target.vector_bits),
                "--target", hint);
  }
  const std::string available = "," + has.features + ",";
  for (size_t from = 0; from < target.features.size();) {
    const size_t comma = std::min(target.features.find(',', from), target.features.size());
    const std::string feature = target.features.substr(from, comma - from);
    if (!feature.empty() && feature[0] != '-' && available.find("," + feature + ",") == std::string::npos) {
      return fail("this machine lacks the target's feature " + feature, "--target", hint);
    }
    from = comma + 1;
  }
  return {};
}

Status check_target_speed(double ms) {
  if (ms > 0 && std::isfinite(ms)) return {};
  return fail("is no time in milliseconds", "--target-speed", "the model's time to reach, e.g. 2.5");
}

namespace {

void add_flags(CLI::App* command, const std::shared_ptr<TuneFlags>& flags, Context& context) {
  command->add_option("model", flags->model, "ONNX or TFLite file")->required();
  command
      ->add_option("--target", flags->targets,
                   "host, a short name, or a target's full text; several: one job for boards of all of them")
      ->allow_extra_args(false)
      ->capture_default_str();
  add_import_flags(*command, flags->import);
  command->add_option("--time", flags->time, "stop after this long: 60s, 2m, 1h. The log's best is kept");
  command->add_option("--trials", flags->trials,
                      "stop when the log holds this many trials for the model's tasks");
  command->add_option("--target-speed", flags->target_speed,
                      "stop as soon as the model takes less than so many milliseconds: its tasks' best times "
                      "added up, and measured again");
  command->add_option("--time-limit", flags->limit,
                      "the job fails if it has not ended after this long, waiting included: 60s, 2m, 1h");
  command
      ->add_option("--priority", flags->priority,
                   "share of your board time that this job gets, by a scheduler")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--require", flags->require, "KEY=VALUE label that a board must have; repeatable");
  command->add_option("--token", flags->token, "a second submission with the same token is the same job");
  command->add_option("--threads", flags->threads, "threads of the measured kernels")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  command->add_option(
      "--tasks", flags->tasks,
      "only these: numbers and ranges (0,3-5), or texts in their names (conv3x3); 'list' shows "
      "names and numbers and tunes nothing");
  command->add_option("--transfer", flags->transfer,
                      "logs of other models or boards to learn from, beside --log's own: they are only read");
  command->add_option("--curve", flags->curve,
                      "write the model's time after each improvement to this CSV file");
  command->add_option("--seed", flags->seed, "of the search")->capture_default_str();
  command->add_flag("--more", flags->more, "go on with tasks that earlier runs finished");
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
    flags->has_target_speed = command->count("--target-speed") > 0;
    context.exit_code = tune(*flags, context.output);
  });
}

}  // namespace

void add_tune(CLI::App& app, Context& context) {
  auto flags = std::make_shared<TuneFlags>();
  CLI::App* command = app.add_subcommand("tune", "Search the fastest kernel schedules by measuring them");
  command->add_option("--log", flags->log, "the log to read and extend (*.h5)");
  CLI::Option* detach =
      command->add_flag("--detach", flags->detach, "with --scheduler: print the job's number and leave");
  add_lab_flags(*command, flags->lab, false);
  detach->needs(command->get_option("--scheduler"));
  add_flags(command, flags, context);
}

void add_job_create(CLI::App& jobs, Context& context) {
  auto flags = std::make_shared<TuneFlags>();
  flags->detach = true;
  CLI::App* command = jobs.add_subcommand("create", "submit a job that tunes a model, and print its number");
  add_lab_flags(*command, flags->lab, true);
  add_flags(command, flags, context);
}

}  // namespace hone::cli
