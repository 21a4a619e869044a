// `hone boards`: what a scheduler's boards are, how they are, what they do; and draining, resuming and
// retiring them.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <memory>

#include "codegen/base/target.h"
#include "tuner/cli/commands.h"
#include "tuner/cli/lab_flags.h"
#include "tuner/session/jobs.h"

namespace hone::cli {
namespace {

struct BoardFlags {
  session::LabAddress lab;
  std::string name, reason;
};

std::string known(double value, const char* unit) {
  return value < 0 ? fmt::format("unknown {}", unit) : fmt::format("{:.0f} {}", value, unit);
}

std::string gibibytes(double bytes) {
  return bytes < 0 ? "unknown" : fmt::format("{:.1f} GiB", bytes / (1 << 30));
}

std::string duration(int64_t ms) {
  const double seconds = static_cast<double>(ms) / 1000;
  if (seconds < 120) return fmt::format("{:.1f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string state_of(const wire::BoardSummary& board) {
  std::string state = board.state.empty() ? "connected" : board.state;
  if (board.draining) state += ", draining";
  if (!board.connected && !board.state.empty()) state += ", not connected";
  return state;
}

std::string work_of(const wire::BoardSummary& board) {
  if (board.leases == 0) return board.idle_ms < 0 ? "holds nothing" : "idle for " + duration(board.idle_ms);
  return fmt::format("works for job {} ({} measurements)", fmt::join(board.jobs, ", "), board.leases);
}

/// What it is, how it is, what it does.
void show_briefly(const wire::BoardSummary& board, const Output& output) {
  output.data(
      fmt::format("{}  {}", board.name.empty() ? "(no name)" : board.name, fmt::join(board.labels, " ")));
  if (const auto facts = parse_board(board.board)) {
    output.data(fmt::format("  {}{}, {} cores, {}, L1d {} KiB, L2 {} KiB, last level {} KiB", facts->model,
                            board.emulated ? " (emulated)" : "", facts->cores,
                            gibibytes(static_cast<double>(facts->memory_bytes)), facts->l1d_bytes >> 10,
                            facts->l2_bytes >> 10, facts->llc_bytes >> 10));
    output.data(fmt::format("  {} {} {}-bit, {}kernel {}, boot {}", facts->target.triple, facts->target.cpu,
                            facts->target.vector_bits, board.os.empty() ? "" : board.os + ", ", facts->kernel,
                            facts->boot_id));
  }
  if (!board.sandbox.empty()) output.data("  sandbox partial: " + board.sandbox);
  output.data(fmt::format("  {} for {}: {}", state_of(board), duration(board.state_ms), board.reason));
  output.data(fmt::format("  {}, {} measured, {} failed{}, {}, {}", work_of(board), board.measured,
                          board.failed,
                          board.connected ? ", heard " + duration(board.silent_ms) + " ago" : "",
                          known(board.temperature_celsius, "degrees"), known(board.frequency_mhz, "MHz")));
}

/// What else there is: health and history.
void show_history(const wire::BoardSummary& board, const Output& output) {
  if (board.reference_ns > 0)
    output.data(fmt::format("  reference kernel {:.3f} ms, {} memory and {} disk free, at most {}",
                            board.reference_ns / 1e6, gibibytes(static_cast<double>(board.free_memory_bytes)),
                            gibibytes(static_cast<double>(board.free_disk_bytes)),
                            known(board.max_frequency_mhz, "MHz")));
  if (!board.bound_id.empty()) output.data("  the name belongs to the machine " + board.bound_id);
  if (board.faults > 0) output.data(fmt::format("  {} faults that are not forgotten", board.faults));
  if (board.retry_ms >= 0) output.data("  next health check in " + duration(board.retry_ms));
  for (const wire::BoardChange& change : board.history)
    output.data(fmt::format("  {:%Y-%m-%d %H:%M:%S}  {:<11}  {}", fmt::gmtime(change.unix_ms / 1000),
                            change.state, change.reason));
}

int fail_with(const Error& error, const Output& output) {
  output.error(error);
  return kFailure;
}

int list(const BoardFlags& flags, const Output& output) {
  const auto boards = session::boards(flags.lab);
  if (!boards) return fail_with(boards.error(), output);
  for (const wire::BoardSummary& board : *boards) show_briefly(board, output);
  if (boards->empty())
    output.message("no boards: start hone runner --scheduler " + flags.lab.scheduler + " on one");
  return kSuccess;
}

int change(const BoardFlags& flags, wire::BoardAction action, const Output& output) {
  const auto boards = session::change_board(flags.lab, flags.name, action, flags.reason);
  if (!boards) return fail_with(boards.error(), output);
  for (const wire::BoardSummary& board : *boards) {
    show_briefly(board, output);
    show_history(board, output);
  }
  return kSuccess;
}

}  // namespace

void add_boards(CLI::App& app, Context& context) {
  auto flags = std::make_shared<BoardFlags>();
  CLI::App* command = app.add_subcommand("boards",
                                         "a scheduler's boards: what they are, how they are, what they do; "
                                         "drain, resume, retire or release one");
  add_lab_flags(*command, flags->lab, true);
  command->require_subcommand(0, 1);
  command->fallthrough();
  command->callback([command, flags, &context] {
    if (command->get_subcommands().empty()) context.exit_code = list(*flags, context.output);
  });
  const auto add = [&](const char* name, const char* what, wire::BoardAction action) {
    CLI::App* sub = command->add_subcommand(name, what);
    sub->add_option("name", flags->name, "of the board")->required();
    if (action != wire::BoardAction::show)
      sub->add_option("--reason", flags->reason, "for those who look at the board later");
    sub->fallthrough();
    sub->callback([flags, action, &context] { context.exit_code = change(*flags, action, context.output); });
  };
  add("describe", "one board, its health and the history of its states", wire::BoardAction::show);
  add("drain", "let it finish what it runs and give it nothing more: Maintenance", wire::BoardAction::drain);
  add("resume", "check its health and use it again, whatever it was in", wire::BoardAction::resume);
  add("release", "let another machine have this name: the next that comes with a key that owns it",
      wire::BoardAction::release);
  add("retire", "take its work away and never use it again", wire::BoardAction::retire);
}

}  // namespace hone::cli
