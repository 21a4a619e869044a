// Runs of the whole, then runs that time each operator, then the machine's own speeds.
#include "tuner/session/bench.h"

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "codegen/base/generator.h"
#include "codegen/base/tensor.h"
#include "tuner/session/roofline_plot.h"

namespace hone::session {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

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

/// `seconds`: of each operator, on all threads and, if there are more, on one.
Result<std::vector<OperatorTime>> operators_of(const std::string& description,
                                               const std::vector<std::vector<double>>& seconds,
                                               const roofline::Machine& machine) {
  const json value = json::parse(description, nullptr, /*allow_exceptions=*/false);
  std::vector<OperatorTime> operators;
  double constants = 0;
  try {
    const json& list = value.at("operators");
    if (list.size() != seconds[0].size())
      return fail("the model's description lists another number of operators");
    for (size_t i = 0; i < list.size(); ++i) {
      const json& described = list[i];
      OperatorTime one;
      one.described = described.dump(-1, ' ', true, json::error_handler_t::replace);
      one.name = described.value("name", "");
      one.task = described.at("task").get<std::string>();
      one.formulation = described.at("formulation").get<std::string>();
      one.tuned = described.at("tuned").get<bool>();
      one.flops = described.at("flops");
      one.bytes = described.at("bytes");
      // Models of earlier builds do not say these.
      one.work.arithmetic = described.value("arithmetic", one.flops);
      one.work.constant_bytes = described.value("constant_bytes", 0.0);
      one.work.other_bytes = std::max(0.0, one.bytes - one.work.constant_bytes);
      one.work.seconds = seconds[0][i];
      if (seconds.size() > 1) one.one_thread = seconds[1][i];
      constants += one.work.constant_bytes;
      operators.push_back(std::move(one));
    }
  } catch (const json::exception& error) {
    return fail(std::string("the model's description cannot be read: ") + error.what());
  }
  for (OperatorTime& one : operators) one.bound = bound_of(one.work, constants, machine);
  return operators;
}

}  // namespace

Result<BenchOutcome> bench(LoadedModel& model, const BenchRequest& request) {
  BenchOutcome outcome;
  Arrays arrays(model);
  HONE_TRY(outcome.samples, sample(model, arrays, request.operators ? request.seconds / 2 : request.seconds));
  outcome.median = median(outcome.samples);
  outcome.least = *std::min_element(outcome.samples.begin(), outcome.samples.end());
  if (!request.operators) return outcome;
  std::optional<LoadedModel> alone;
  std::vector<LoadedModel*> models{&model};
  if (request.threads > 1) {
    HONE_TRY(alone, LoadedModel::load(request.model, 1, request.require_digest));
    models.push_back(&*alone);
  }
  HONE_TRY(const auto seconds, sample_operators(models, arrays, request.seconds / 2));
  outcome.machine = roofline::measure_machine(request.threads);
  HONE_TRY(outcome.operators, operators_of(model.description(), seconds, outcome.machine));
  return outcome;
}

std::string bench_plot(const BenchOutcome& outcome, const std::string& title) {
  std::vector<roofline::RooflinePoint> points;
  for (const OperatorTime& one : outcome.operators)
    points.push_back({one.task + " " + one.formulation, one.work, one.share()});
  return roofline::roofline_svg(title, outcome.machine, std::move(points));
}

}  // namespace hone::session
