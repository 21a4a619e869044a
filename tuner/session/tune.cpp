// Import, plan and what can be known before anything is measured.
#include "tuner/session/tune.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <optional>
#include <random>

#include "logs/record_log.h"
#include "tuner/session/task_list.h"
#include "tuner/session/tune_parts.h"

namespace hone::session {
namespace {

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

/// Errors: one of the logs cannot be read, or is the log itself.
Result<std::vector<TransferLog>> prepare_transfer(const TuneRequest& request) {
  std::vector<TransferLog> logs;
  for (const std::string& file : request.transfer) {
    std::error_code ignored;
    if (std::filesystem::equivalent(file, request.log, ignored))
      return fail("is the log itself, whose records are used anyway", "--transfer " + file);
    HONE_TRY(const LogDatabase other, LogDatabase::open(file));
    logs.push_back({file, other.records().size()});
  }
  return logs;
}

std::string absolute(const std::string& file) {
  return std::filesystem::absolute(file).lexically_normal().string();
}

/// What makes a repeated submission the same job.
std::string drawn_token() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", device(), device(), device(), device());
}

/// Options that do not go together, and what this machine cannot do.
Status check(const TuneRequest& request, const std::vector<PartPlan>& parts, const Board& board) {
  const bool is_remote = !request.lab.scheduler.empty();
  if (is_remote && !request.transfer.empty())
    return fail("the scheduler was told when it was started what to learn from", "--transfer",
                "hone-scheduler has the same option");
  if (request.target_ms) HONE_RETURN_IF_ERROR(check_target_speed(*request.target_ms));
  if (request.log.empty() == !is_remote)
    return fail(is_remote ? "the log lies with the scheduler" : "is missing", "--log",
                is_remote ? "leave it out" : "name the log to extend: --log LOG.h5");
  if (is_remote) return {};
  for (const PartPlan& part : parts) {
    HONE_RETURN_IF_ERROR(can_run(board, part.target));
    HONE_RETURN_IF_ERROR(fits_memory(part.need, usable_memory_bytes(), "measuring one of its operators",
                                     "a smaller --batch or --input-shape"));
  }
  if (request.threads <= board.cores) return {};
  return fail(
      fmt::format("{} threads were asked for, this process may use {} cores", request.threads, board.cores),
      "--threads");
}

wire::JobRequest job_of(const TuneRequest& from, const Board& board) {
  const bool is_remote = !from.lab.scheduler.empty();
  wire::JobRequest job;
  job.name = std::filesystem::path(from.model).stem().string();
  if (!is_remote) job.board_model = board.model;
  job.threads = static_cast<uint32_t>(from.threads);
  job.max_trials = from.trials;
  job.max_seconds = from.seconds;
  job.limit_seconds = from.limit_seconds;
  job.more = from.more;
  job.seed = from.seed;
  job.target_ms = from.target_ms.value_or(0);
  job.priority = from.priority;
  job.require = from.require;
  job.token = from.token.empty() && is_remote ? drawn_token() : from.token;
  if (const passwd* user = ::getpwuid(::getuid()); user != nullptr) job.user = user->pw_name;
  return job;
}

}  // namespace

Result<TunePlan> plan_tuning(const TuneRequest& request) {
  HONE_TRY(const Graph graph, import_graph(request.model, request.import));
  std::vector<PartPlan> parts;
  for (const std::string& target : request.targets) {
    HONE_TRY(PartPlan part, plan_part(graph, target, request.tasks));
    parts.push_back(std::move(part));
  }
  TunePlan plan;
  plan.lab = request.lab;
  plan.run.programs = request.programs;
  plan.board = probe_board();
  HONE_RETURN_IF_ERROR(check(request, parts, plan.board));
  if (!request.log.empty()) {
    plan.run.log = absolute(request.log);
    HONE_TRY(plan.records, prepare_log(plan.run.log, to_text(parts.front().target)));
    HONE_TRY(plan.transfer, prepare_transfer(request));
  }
  for (const TransferLog& log : plan.transfer) plan.run.transfer.push_back(absolute(log.file));
  plan.operators = graph.nodes.size();
  plan.flops = parts.front().flops;
  plan.parameters = parameter_count(graph);
  wire::JobRequest& job = plan.run.request = job_of(request, plan.board);
  const TimingMode mode = timing_mode(graph, plan.board);
  job.parts.clear();
  for (PartPlan& part : parts) {
    plan.parts.push_back(std::move(part.tasks));
    plan.targets.push_back(part.target);
    part.part.mode = mode;
    job.parts.push_back(std::move(part.part));
  }
  return plan;
}

Result<std::vector<PlannedTask>> tasks_of(const std::string& model, const ImportOptions& import,
                                          const std::string& target) {
  HONE_TRY(const Graph graph, import_graph(model, import));
  HONE_TRY(const Target resolved, resolve_target(target));
  HONE_TRY(const Plan planned, hone::plan(graph, resolved, [](const Task&) { return std::nullopt; }));
  return distinct_tasks(planned);
}

Result<TuneOutcome> tune(const TunePlan& plan, const TellNews& tell, const Interrupt& interrupt) {
  if (plan.lab.scheduler.empty()) return run_tuning(plan.run, tell, interrupt);
  return run_in_lab(plan.lab, plan.run.request, tell, interrupt);
}

Result<uint64_t> submit(const TunePlan& plan) { return submit_to_lab(plan.lab, plan.run.request); }

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
  const Lacking missing = lacking(has, target);
  if (missing.architecture)
    return fail("this machine is " + has.triple + " and cannot run code for " + target.triple, "--target",
                hint);
  if (missing.vector_width)
    return fail(fmt::format("this machine has {}-bit vectors, the target {}-bit ones", has.vector_bits,
                            target.vector_bits),
                "--target", hint);
  if (!missing.features.empty())
    return fail("this machine lacks the target's feature " + missing.features.front(), "--target", hint);
  return {};
}

Status check_target_speed(double ms) {
  if (ms > 0 && std::isfinite(ms)) return {};
  return fail("is no time in milliseconds", "--target-speed", "the model's time to reach, e.g. 2.5");
}

}  // namespace hone::session
