// `hone bench`: how long a compiled model takes, as a whole and per operator, and how near that is to what
// the machine could do.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "codegen/base/generator.h"
#include "codegen/base/output_file.h"
#include "codegen/base/tensor.h"
#include "tuner/cli/built_model.h"
#include "tuner/cli/roofline.h"

namespace hone::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct BenchFlags {
  BuiltModelFlags built;
  std::string plot;
  int threads = 1;
  double seconds = 1;
  bool per_op = false, json = false;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Arrays for every input and output, inputs generated.
struct Arrays {
  explicit Arrays(const LoadedModel& model) {
    for (const hone_model_tensor& t : model.inputs()) {
      in.emplace_back(static_cast<size_t>(element_count(Shape(t.shape, t.shape + t.rank))));
      generate(std::string("bench/") + t.name, -1, 1, in.back());
    }
    for (const hone_model_tensor& t : model.outputs())
      out.emplace_back(static_cast<size_t>(element_count(Shape(t.shape, t.shape + t.rank))));
    for (const auto& array : in) inputs.push_back(array.data());
    for (auto& array : out) outputs.push_back(array.data());
  }
  std::vector<std::vector<float>> in, out;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
};

/// Whole runs, one after the other.
Result<std::vector<double>> sample(LoadedModel& model, Arrays& arrays, double seconds) {
  std::vector<double> samples;
  for (int i = 0; i < 3; ++i) HONE_RETURN_IF_ERROR(model.run(arrays.inputs, arrays.outputs));
  const auto span = std::chrono::duration<double>(seconds);
  for (const auto begin = Clock::now(); samples.size() < 5 || Clock::now() - begin < span;) {
    const auto start = Clock::now();
    HONE_RETURN_IF_ERROR(model.run(arrays.inputs, arrays.outputs));
    samples.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  return samples;
}

/// Median seconds of every operator, per model; the models take turns, so that they meet the same
/// disturbances.
Result<std::vector<std::vector<double>>> sample_operators(const std::vector<LoadedModel*>& models,
                                                          Arrays& arrays, double seconds) {
  std::vector<std::vector<std::vector<double>>> samples(models.size());
  for (size_t m = 0; m < models.size(); ++m)
    samples[m].resize(static_cast<size_t>(models[m]->operator_count()));
  const auto span = std::chrono::duration<double>(seconds);
  std::vector<int64_t> ns;
  int rounds = 0;
  for (const auto begin = Clock::now(); rounds < 5 || Clock::now() - begin < span; ++rounds)
    for (size_t m = 0; m < models.size(); ++m)
      for (int run = 0; run < 3; ++run) {
        HONE_RETURN_IF_ERROR(models[m]->run_timed(arrays.inputs, arrays.outputs, ns));
        if (run == 0) continue;  // the other's data is in the caches
        for (size_t i = 0; i < ns.size(); ++i) samples[m][i].push_back(static_cast<double>(ns[i]) * 1e-9);
      }
  std::vector<std::vector<double>> medians(models.size());
  for (size_t m = 0; m < models.size(); ++m)
    for (const auto& of_operator : samples[m]) medians[m].push_back(median(of_operator));
  return medians;
}

struct OperatorRow {
  json described;  ///< name, task, formulation, parameters, schedule, ... as the model has them
  double flops = 0, bytes = 0, one_thread = 0;
  Work work;
  Bound bound;

  std::string text(const char* key) const { return described.at(key).get<std::string>(); }
  bool tuned() const { return described.at("tuned").get<bool>(); }
  double share() const { return bound.seconds() / work.seconds; }
  bool slower_than_alone() const {  // beyond what a microsecond's jitter makes
    return one_thread > 0 && work.seconds > 1.05 * one_thread && work.seconds > one_thread + 5e-7;
  }
};

Result<std::vector<OperatorRow>> operator_rows(const std::string& description,
                                               const std::vector<std::vector<double>>& seconds,
                                               const Machine& machine) {
  const json value = json::parse(description, nullptr, /*allow_exceptions=*/false);
  std::vector<OperatorRow> rows;
  double constants = 0;
  try {
    const json& operators = value.at("operators");
    if (operators.size() != seconds[0].size())
      return fail("the model's description lists another number of operators");
    for (size_t i = 0; i < operators.size(); ++i) {
      OperatorRow row;
      row.described = operators[i];
      row.flops = row.described.at("flops");
      row.bytes = row.described.at("bytes");
      // Models of earlier builds do not say these.
      row.work.arithmetic = row.described.value("arithmetic", row.flops);
      row.work.constant_bytes = row.described.value("constant_bytes", 0.0);
      row.work.other_bytes = std::max(0.0, row.bytes - row.work.constant_bytes);
      row.work.seconds = seconds[0][i];
      if (seconds.size() > 1) row.one_thread = seconds[1][i];
      constants += row.work.constant_bytes;
      rows.push_back(std::move(row));
    }
  } catch (const json::exception& error) {
    return fail(std::string("the model's description cannot be read: ") + error.what());
  }
  for (OperatorRow& row : rows) row.bound = bound_of(row.work, constants, machine);
  return rows;
}

void print_operators(const std::vector<OperatorRow>& rows, const Machine& machine, const Output& output) {
  const bool several = machine.threads > 1;
  double total = 0, bound = 0;
  for (const OperatorRow& row : rows) total += row.work.seconds, bound += row.bound.seconds();
  std::vector<std::string> heading{"task", "formulation", "time",    "GFLOP/s",
                                   "GB/s", "share",       "of roof", "bound by"};
  if (several) heading.insert(heading.end(), {"1 thread", "speed-up"});
  Table table(heading);
  for (const OperatorRow& row : rows) {
    std::vector<std::string> cells{row.text("task") + (row.tuned() ? "" : " *"),
                                   row.text("formulation"),
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
  if (std::any_of(rows.begin(), rows.end(), [](const OperatorRow& r) { return !r.tuned(); }))
    output.data("* untuned: the schedule that the target implies");
  output.data(fmt::format(
      "roof of {} {}: {:.0f} GFLOP/s, L2 {:.0f}, last-level cache {:.0f}, memory {:.0f} GB/s; the "
      "operators together are at {:.0f} % of theirs",
      machine.threads, several ? "threads" : "thread", machine.flops * 1e-9, machine.l2_bytes * 1e-9,
      machine.llc_bytes * 1e-9, machine.dram_bytes * 1e-9, 100 * bound / total));
  for (const OperatorRow& row : rows)
    if (row.slower_than_alone())
      output.warning(fmt::format("slower than on one thread: {} ({}): {} instead of {}", row.text("name"),
                                 row.text("task"), format_seconds(row.work.seconds),
                                 format_seconds(row.one_thread)));
}

json operators_json(const std::vector<OperatorRow>& rows) {
  json operators = json::array();
  for (const OperatorRow& row : rows) {
    json one = row.described;
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

Status write_plot(const BenchFlags& flags, const std::vector<OperatorRow>& rows, const Machine& machine,
                  const std::string& title) {
  std::vector<RooflinePoint> points;
  for (const OperatorRow& row : rows)
    points.push_back({row.text("task") + " " + row.text("formulation"), row.work, row.share()});
  return write_file(flags.plot, roofline_svg(title, machine, std::move(points)));
}

Status bench(const BenchFlags& flags, const Output& output) {
  HONE_TRY(LoadedModel model, load_built_model(flags.built, flags.threads, output));
  const bool operators = flags.per_op || !flags.plot.empty();
  Arrays arrays(model);
  HONE_TRY(const std::vector<double> samples,
           sample(model, arrays, operators ? flags.seconds / 2 : flags.seconds));
  const double middle = median(samples);
  const double least = *std::min_element(samples.begin(), samples.end());
  json result{{"model", flags.built.model},
              {"threads", flags.threads},
              {"median_ms", middle * 1e3},
              {"min_ms", least * 1e3},
              {"samples", samples.size()}};
  const std::string whole = fmt::format("{}: median {}, least {}, {} runs on {} {}", flags.built.model,
                                        format_seconds(middle), format_seconds(least), samples.size(),
                                        flags.threads, flags.threads == 1 ? "thread" : "threads");
  if (operators) {
    std::optional<LoadedModel> alone;
    std::vector<LoadedModel*> models{&model};
    if (flags.threads > 1) {
      HONE_TRY(alone, LoadedModel::load(flags.built.model, 1, flags.built.require_digest));
      models.push_back(&*alone);
    }
    HONE_TRY(const auto seconds, sample_operators(models, arrays, flags.seconds / 2));
    const Machine machine = measure_machine(flags.threads);
    HONE_TRY(const std::vector<OperatorRow> rows, operator_rows(model.description(), seconds, machine));
    print_operators(rows, machine, output);
    result["operators"] = operators_json(rows);
    result["roof"] = {{"gflops", machine.flops * 1e-9},
                      {"l2_gbps", machine.l2_bytes * 1e-9},
                      {"llc_gbps", machine.llc_bytes * 1e-9},
                      {"memory_gbps", machine.dram_bytes * 1e-9}};
    if (!flags.plot.empty()) HONE_RETURN_IF_ERROR(write_plot(flags, rows, machine, whole));
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
