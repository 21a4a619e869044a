// Whether a task's time on the runner is its time in the model: each operator of a model as `hone build` runs
// it, against the same kernel as the runner measures it alone. Usage: fidelity MODEL [llc|dram]. Prints;
// asserts nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "codegen/import/import.h"
#include "codegen/model/model.h"
#include "codegen/runtime/host/host.h"
#include "devices/cpu_device.h"
#include "tests/performance/timing.h"

namespace hone {
namespace {

using hone::benchmark::median;

int64_t elements(const hone_model_tensor& tensor) {
  int64_t count = 1;
  for (int32_t d = 0; d < tensor.rank; ++d) count *= tensor.shape[d];
  return count;
}

/// Median ns of each operator, and of the whole, over many runs of the built model.
Result<std::pair<std::vector<double>, double>> times_in_model(const Plan& plan) {
  const std::string file = (std::filesystem::temp_directory_path() / "hone-fidelity.so").string();
  HONE_TRY([[maybe_unused]] BuildReport report, build(plan, file, {}));
  HONE_TRY(LoadedModel model, LoadedModel::load(file, 1));
  std::filesystem::remove(file);
  std::vector<std::vector<float>> storage;
  std::vector<const void*> in;
  std::vector<void*> out;
  for (auto& tensor : model.inputs()) in.push_back(storage.emplace_back(elements(tensor), 0.5f).data());
  for (auto& tensor : model.outputs()) out.push_back(storage.emplace_back(elements(tensor)).data());
  std::vector<std::vector<double>> samples(static_cast<size_t>(model.operator_count()));
  std::vector<double> whole;
  for (int run = 0; run < 60; ++run) {
    std::vector<int64_t> ns(samples.size());
    HONE_RETURN_IF_ERROR(model.run_timed(in, out, ns));
    double sum = 0;
    for (size_t i = 0; i < ns.size(); ++i) {
      samples[i].push_back(static_cast<double>(ns[i]));
      sum += static_cast<double>(ns[i]);
    }
    whole.push_back(sum);
  }
  std::vector<double> medians;
  for (auto& of_one : samples) medians.push_back(median(of_one));
  return std::pair(std::move(medians), median(whole));
}

Result<double> time_on_runner(CpuDevice& device, const Candidate& candidate, TimingMode mode) {
  HONE_TRY(Artifact artifact, compile(candidate));
  HONE_TRY(Artifact reference, compile_reference(candidate.task, candidate.target));
  wire::MeasureRequest request;
  request.artifact = artifact.digest;
  request.reference = reference.digest;
  request.task_key = candidate.task.key;
  request.seed = "search";
  request.mode = mode;
  std::vector<double> ns;
  for (int i = 0; i < 3; ++i) {
    Measurement m = device.measure(request, artifact.shared_object, reference.shared_object).measurement;
    if (m.status != MeasureStatus::ok) return fail(std::string(to_text(m.status)) + ": " + m.message);
    ns.push_back(m.median_ns);
  }
  return median(ns);
}

Status compare(const std::string& file, TimingMode mode) {
  CpuDeviceOptions options;
  options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
  HONE_TRY(auto device, CpuDevice::create(options));
  HONE_TRY(Graph graph, import_graph(file));
  HONE_TRY(Plan planned,
           plan(graph, device->board().target, [](const Task&) { return std::optional<Choice>(); }));
  HONE_TRY(auto times, times_in_model(planned));
  double sum_model = 0, sum_runner = 0;
  fmt::print("{:44} {:>3} {:>12} {:>12} {:>7}\n", "task", "x", "in model us", "runner us", "ratio");
  for (const PlannedTask& task : distinct_tasks(planned)) {
    auto measured = time_on_runner(*device, task.candidate, mode);
    double in_model = 0;
    for (int op : task.ops) in_model += times.first[static_cast<size_t>(op)] / task.count;
    sum_model += in_model * task.count;
    if (!measured) {
      fmt::print("{:44} {:3} {:12.1f} {}\n", summary(task.candidate.task), task.count, in_model / 1e3,
                 measured.error().text());
      continue;
    }
    sum_runner += *measured * task.count;
    fmt::print("{:44} {:3} {:12.1f} {:12.1f} {:7.2f}\n", summary(task.candidate.task), task.count,
               in_model / 1e3, *measured / 1e3, *measured / in_model);
  }
  fmt::print("{:44}     {:12.1f} {:12.1f} {:7.2f}   (whole model {:.1f})\n", "sum", sum_model / 1e3,
             sum_runner / 1e3, sum_runner / sum_model, times.second / 1e3);
  return {};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  const auto mode = hone::parse_timing_mode(argc > 2 ? argv[2] : "llc");
  if (argc < 2 || !mode) {
    std::fprintf(stderr, "usage: fidelity MODEL [llc|dram]\n");
    return 2;
  }
  if (auto status = hone::compare(argv[1], *mode); !status) {
    std::fprintf(stderr, "fidelity: %s\n", status.error().text().c_str());
    return 1;
  }
  return 0;
}
