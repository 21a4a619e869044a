// Every distinct task of a model at trial 0: what compiling it costs and how fast its kernel runs on this
// machine with warm caches, as a share of the multiply-add peak of the same minute. Finds slow lowering
// before any tuning does. Usage: model_tasks_benchmark MODEL.onnx [SECONDS_PER_TASK [TEXT_IN_SUMMARY]].
// Prints; asserts nothing.
#include <fmt/core.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/import/import.h"
#include "codegen/runtime/host/host.h"
#include "tests/performance/direct_conv.h"
#include "tests/performance/timing.h"

namespace hone {
namespace {

using hone::benchmark::median;
using hone::benchmark::seconds;

using Clock = std::chrono::steady_clock;

/// Processor time of this process: what compiling costs, whatever else the machine does.
double processor_seconds(const auto& call) {
  const auto now = [] {
    timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double begin = now();
  call();
  return now() - begin;
}

double peak_gflops() {
  double best = 0;
  volatile float sink = 0;
  const int64_t rounds = 1 << 18;
  for (int k = 0; k < 20; ++k) {
    const double time = seconds([&] { sink = hone_fma_peak(rounds, 0.999f, 1e-3f); });
    best = std::max(best,
                    2.0 * hone_hand_lanes() * hone_fma_chains() * static_cast<double>(rounds) / time / 1e9);
  }
  (void)sink;
  return best;
}

struct Totals {
  double run = 0, compile = 0;
  int tasks = 0;
};

Status report(const Task& task, int count, const Target& target, double peak, double budget, Totals& totals) {
  HONE_TRY(const Candidate candidate, default_candidate(task, target));
  Result<Kernel> lowered;
  const double lower_time = processor_seconds([&] { lowered = lower_candidate(candidate); });
  if (!lowered) return pass(lowered.error());
  const double run_time = processor_seconds([&] { (void)emit({{"hone_run", &lowered->run}}, target, {}); });
  double prepare_time = 0;
  if (lowered->prepare) {
    prepare_time = processor_seconds([&] { (void)emit({{"hone_prepare", &*lowered->prepare}}, target, {}); });
  }
  Result<Artifact> artifact = compile(candidate);  // the first emits prepare, those of a search find it
  const double compile_time = processor_seconds([&] { artifact = compile(candidate); });
  if (!artifact) return pass(artifact.error());
  HONE_TRY(const LoadedArtifact loaded, LoadedArtifact::load(artifact->shared_object));
  HONE_TRY(const ArtifactBuffers buffers, make_buffers(loaded, "benchmark"));
  std::vector<double> times;  // processor time: other work on the machine would show in runs of several ms
  const auto begin = Clock::now();
  while (times.size() < 5 || std::chrono::duration<double>(Clock::now() - begin).count() < budget) {
    times.push_back(processor_seconds([&] { loaded.run(buffers.pointers.data()); }));
  }
  const double time = median(times);
  const double gflops = task.flops() / time / 1e9;
  const double bytes = artifact->signature.min_bytes / time / 1e9;
  fmt::print(
      "{:<44} {:<12} {:>3} {:9.1f} {:8.1f} {:6.1f}% {:7.1f} {:6.1f} {:6.1f} {:6.1f} {:6.1f} {:7} {:6}\n",
      summary(task), candidate.formulation, count, time * 1e6, gflops, 100 * gflops / peak, bytes,
      lower_time * 1e3, run_time * 1e3, prepare_time * 1e3, compile_time * 1e3, artifact->code_bytes,
      artifact->spills);
  totals.run += count * time;
  totals.compile += compile_time;
  ++totals.tasks;
  return {};
}

Status run(const std::string& file, double budget, const std::string& filter) {
  HONE_TRY(const Graph graph, import_graph(file));
  HONE_TRY(const Target target, resolve_target("host"));
  std::vector<Task> tasks;
  std::map<std::string, int> counts;
  for (const FusedOp& op : partition(graph)) {
    if (counts[op.task.text]++ == 0) tasks.push_back(op.task);
  }
  const double peak = peak_gflops();
  fmt::print(
      "peak of multiply-add: {:.1f} GFLOP/s\n{:<44} {:<12} {:>3} {:>9} {:>8} {:>7} {:>7} {:>7} {:>7} {:>7} "
      "{:>6}\n",
      peak, "task", "formulation", "x", "us", "GFLOP/s", "of peak", "GB/s", "lower", "run", "prep", "all ms",
      "bytes", "spills");
  Totals totals;
  for (const Task& task : tasks) {
    if (summary(task).find(filter) == std::string::npos) continue;
    const Status status = report(task, counts[task.text], target, peak, budget, totals);
    if (!status) fmt::print("{:<44} {}\n", summary(task), status.error().text());
  }
  fmt::print("{} tasks: {:.3f} ms in all, compiled in {:.1f} ms each\n", totals.tasks, totals.run * 1e3,
             totals.compile * 1e3 / std::max(totals.tasks, 1));
  return {};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: model_tasks_benchmark MODEL.onnx [SECONDS_PER_TASK [TEXT_IN_SUMMARY]]\n");
    return 2;
  }
  const hone::Status status =
      hone::run(argv[1], argc > 2 ? std::atof(argv[2]) : 0.1, argc > 3 ? argv[3] : "");
  if (!status) fmt::print(stderr, "{}\n", status.error().text());
  return status ? 0 : 1;
}
