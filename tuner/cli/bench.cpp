// `hone bench` on the command line: flags, tables and JSON.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "codegen/base/output_file.h"
#include "tuner/cli/built_model.h"
#include "tuner/session/bench.h"

namespace hone::cli {
namespace {

using nlohmann::json;
using session::OperatorTime;

struct BenchFlags {
  BuiltModelFlags built;
  std::string plot;
  int threads = 1;
  double seconds = 1;
  bool per_op = false, json = false;
};

void print_operators(const std::vector<OperatorTime>& rows, const roofline::Machine& machine,
                     const Output& output) {
  const bool several = machine.threads > 1;
  double total = 0, bound = 0;
  for (const OperatorTime& row : rows) total += row.work.seconds, bound += row.bound.seconds();
  std::vector<std::string> heading{"task", "formulation", "time",    "GFLOP/s",
                                   "GB/s", "share",       "of roof", "bound by"};
  if (several) heading.insert(heading.end(), {"1 thread", "speed-up"});
  Table table(heading);
  for (const OperatorTime& row : rows) {
    std::vector<std::string> cells{row.task + (row.tuned ? "" : " *"),
                                   row.formulation,
                                   format_seconds(row.work.seconds),
                                   fmt::format("{:.1f}", row.flops / row.work.seconds * 1e-9),
                                   fmt::format("{:.1f}", row.bytes / row.work.seconds * 1e-9),
                                   fmt::format("{:.1f} %", 100 * row.work.seconds / total),
                                   fmt::format("{:.0f} %", 100 * row.share()),
                                   row.bound.compute > row.bound.memory ? "compute" : "memory"};
    if (several) {
      cells.push_back(format_seconds(row.one_thread));
      cells.push_back(fmt::format("{:.2f}", row.one_thread / row.work.seconds));
    }
    table.add(std::move(cells));
  }
  for (const std::string& line : table.lines()) output.data(line);
  if (std::any_of(rows.begin(), rows.end(), [](const OperatorTime& r) { return !r.tuned; }))
    output.data("* untuned: the schedule that the target implies");
  output.data(fmt::format(
      "roof of {} {}: {:.0f} GFLOP/s, L2 {:.0f}, last-level cache {:.0f}, memory {:.0f} GB/s; the "
      "operators together are at {:.0f} % of theirs",
      machine.threads, several ? "threads" : "thread", machine.flops * 1e-9, machine.l2_bytes * 1e-9,
      machine.llc_bytes * 1e-9, machine.dram_bytes * 1e-9, 100 * bound / total));
  for (const OperatorTime& row : rows)
    if (row.slower_than_alone())
      output.warning(fmt::format("slower than on one thread: {} ({}): {} instead of {}", row.name, row.task,
                                 format_seconds(row.work.seconds), format_seconds(row.one_thread)));
}

json operators_json(const std::vector<OperatorTime>& rows) {
  json operators = json::array();
  for (const OperatorTime& row : rows) {
    json one = json::parse(row.described);
    one.erase("seconds");
    one["ms"] = row.work.seconds * 1e3;
    one["gflops"] = row.flops / row.work.seconds * 1e-9;
    one["roof_share"] = row.share();
    one["bound_by"] = row.bound.compute > row.bound.memory ? "compute" : "memory";
    if (row.one_thread > 0) one["one_thread_ms"] = row.one_thread * 1e3;
    operators.push_back(std::move(one));
  }
  return operators;
}

Status bench(const BenchFlags& flags, const Output& output) {
  HONE_TRY(LoadedModel model, load_built_model(flags.built, flags.threads, output));
  const bool operators = flags.per_op || !flags.plot.empty();
  HONE_TRY(const session::BenchOutcome outcome,
           session::bench(model, {flags.built.model, flags.built.require_digest, flags.threads, flags.seconds,
                                  operators}));
  json result{{"model", flags.built.model},
              {"threads", flags.threads},
              {"median_ms", outcome.median * 1e3},
              {"min_ms", outcome.least * 1e3},
              {"samples", outcome.samples.size()}};
  const std::string whole =
      fmt::format("{}: median {}, least {}, {} runs on {} {}", flags.built.model,
                  format_seconds(outcome.median), format_seconds(outcome.least), outcome.samples.size(),
                  flags.threads, flags.threads == 1 ? "thread" : "threads");
  if (operators) {
    const roofline::Machine& machine = outcome.machine;
    print_operators(outcome.operators, machine, output);
    result["operators"] = operators_json(outcome.operators);
    result["roof"] = {{"gflops", machine.flops * 1e-9},
                      {"l2_gbps", machine.l2_bytes * 1e-9},
                      {"llc_gbps", machine.llc_bytes * 1e-9},
                      {"memory_gbps", machine.dram_bytes * 1e-9}};
    if (!flags.plot.empty()) HONE_RETURN_IF_ERROR(write_file(flags.plot, bench_plot(outcome, whole)));
  }
  output.data(whole);
  if (flags.json) output.data(json_line(result));
  return {};
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* command = app.add_subcommand("bench", "Measure a built model");
  add_built_model_flags(*command, flags->built);
  command->add_option("--threads", flags->threads, "that take part")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command->add_option("--seconds", flags->seconds, "how long to measure")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_flag(
      "--per-op", flags->per_op,
      "also every operator: its time, its share of what this machine could do at best, and with several "
      "threads its time on one");
  command->add_option("--plot", flags->plot,
                      "draw the operators under this machine's roofline, into this SVG file");
  command->add_flag("--json", flags->json, "end with one JSON object on stdout");
  command->callback([flags, &context] {
    const Status status = bench(*flags, context.output);
    if (status) return;
    context.output.error(status.error());
    context.exit_code = kFailure;
  });
}

}  // namespace hone::cli
