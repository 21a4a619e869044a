// `hone bench`: how long a compiled model takes, as a whole and per operator.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "codegen/base/generator.h"
#include "codegen/base/tensor.h"
#include "codegen/runtime/host/host.h"
#include "tuner/cli/commands.h"

namespace hone::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct BenchFlags {
  std::string model;
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

struct Samples {
  std::vector<double> seconds;                    ///< of whole runs
  std::vector<std::vector<double>> of_operators;  ///< per operator
};

Result<Samples> sample(LoadedModel& model, const BenchFlags& flags) {
  Arrays arrays(model);
  Samples samples;
  std::vector<int64_t> ns;
  for (int i = 0; i < 3; ++i) HONE_RETURN_IF_ERROR(model.run(arrays.inputs, arrays.outputs));
  const auto span = std::chrono::duration<double>(flags.per_op ? flags.seconds / 2 : flags.seconds);
  for (const auto begin = Clock::now(); samples.seconds.size() < 5 || Clock::now() - begin < span;) {
    const auto start = Clock::now();
    HONE_RETURN_IF_ERROR(model.run(arrays.inputs, arrays.outputs));
    samples.seconds.push_back(std::chrono::duration<double>(Clock::now() - start).count());
  }
  if (!flags.per_op) return samples;
  samples.of_operators.resize(static_cast<size_t>(model.operator_count()));
  int runs = 0;
  for (const auto begin = Clock::now(); runs < 5 || Clock::now() - begin < span; ++runs) {
    HONE_RETURN_IF_ERROR(model.run_timed(arrays.inputs, arrays.outputs, ns));
    for (size_t i = 0; i < ns.size(); ++i)
      samples.of_operators[i].push_back(static_cast<double>(ns[i]) * 1e-9);
  }
  return samples;
}

struct OperatorRow {
  std::string name, task, formulation;
  bool tuned = false;
  double seconds = 0, flops = 0, bytes = 0;
};

Result<std::vector<OperatorRow>> operator_rows(const std::string& description, const Samples& samples) {
  const json value = json::parse(description, nullptr, /*allow_exceptions=*/false);
  std::vector<OperatorRow> rows;
  try {
    const json& operators = value.at("operators");
    if (operators.size() != samples.of_operators.size())
      return fail("the model's description lists another number of operators");
    for (size_t i = 0; i < operators.size(); ++i) {
      const json& op = operators[i];
      rows.push_back({op.at("name"), op.at("task"), op.at("formulation"), op.at("tuned"),
                      median(samples.of_operators[i]), op.at("flops"), op.at("bytes")});
    }
  } catch (const json::exception& error) {
    return fail(std::string("the model's description cannot be read: ") + error.what());
  }
  return rows;
}

void print_operators(const std::vector<OperatorRow>& rows, const Output& output) {
  double total = 0;
  for (const OperatorRow& row : rows) total += row.seconds;
  Table table({"task", "formulation", "time", "GFLOP/s", "GB/s", "share"});
  for (const OperatorRow& row : rows)
    table.add({row.task + (row.tuned ? "" : " *"), row.formulation, format_seconds(row.seconds),
               fmt::format("{:.1f}", row.flops / row.seconds * 1e-9),
               fmt::format("{:.1f}", row.bytes / row.seconds * 1e-9),
               fmt::format("{:.1f} %", 100 * row.seconds / total)});
  for (const std::string& line : table.lines()) output.data(line);
  if (std::any_of(rows.begin(), rows.end(), [](const OperatorRow& r) { return !r.tuned; }))
    output.data("* untuned: the schedule that the target implies");
}

Status bench(const BenchFlags& flags, const Output& output) {
  HONE_TRY(LoadedModel model, LoadedModel::load(flags.model, flags.threads));
  HONE_TRY(const Samples samples, sample(model, flags));
  const double middle = median(samples.seconds);
  const double least = *std::min_element(samples.seconds.begin(), samples.seconds.end());
  json result{{"model", flags.model},
              {"threads", flags.threads},
              {"median_ms", middle * 1e3},
              {"min_ms", least * 1e3},
              {"samples", samples.seconds.size()}};
  if (flags.per_op) {
    HONE_TRY(const std::vector<OperatorRow> rows, operator_rows(model.description(), samples));
    print_operators(rows, output);
    json operators = json::array();
    for (const OperatorRow& row : rows)
      operators.push_back({{"name", row.name},
                           {"task", row.task},
                           {"formulation", row.formulation},
                           {"tuned", row.tuned},
                           {"ms", row.seconds * 1e3},
                           {"gflops", row.flops / row.seconds * 1e-9}});
    result["operators"] = operators;
  }
  output.data(fmt::format("{}: median {}, least {}, {} runs on {} {}", flags.model, format_seconds(middle),
                          format_seconds(least), samples.seconds.size(), flags.threads,
                          flags.threads == 1 ? "thread" : "threads"));
  if (flags.json) output.data(result.dump());
  return {};
}

}  // namespace

void add_bench(CLI::App& app, Context& context) {
  auto flags = std::make_shared<BenchFlags>();
  CLI::App* command = app.add_subcommand("bench", "Measure a built model");
  command->add_option("model", flags->model, "what 'hone build' wrote")->required();
  command->add_option("--threads", flags->threads, "that take part")
      ->capture_default_str()
      ->check(CLI::Range(1, 64));
  command->add_option("--seconds", flags->seconds, "how long to measure")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_flag("--per-op", flags->per_op, "also the time of every operator");
  command->add_flag("--json", flags->json, "end with one JSON object on stdout");
  command->callback([flags, &context] {
    const Status status = bench(*flags, context.output);
    if (status) return;
    context.output.error(status.error());
    context.exit_code = kFailure;
  });
}

}  // namespace hone::cli
