// How long one measurement takes, by stage, for a few layers as they occur: what bounds the trials a second.
// Usage: measuring [TRIALS]. Prints; asserts nothing.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "devices/cpu_device.h"
#include "tests/performance/timing.h"

namespace hone {
namespace {

using hone::benchmark::median;

std::string conv(int in, int out, int h, int kernel, int stride, int pad) {
  return fmt::format(
      "%x = input f32[1x{}x{}x{}]\n%w = constant f32[{}x{}x{}x{}]\n%b = constant f32[{}]\n"
      "%0 = conv %x %w %b {{strides=[{},{}] pads=[{},{},{},{}]}}\n%1 = relu %0\noutput %1\n",
      in, h, h, out, in, kernel, kernel, out, stride, stride, pad, pad, pad, pad);
}

Status measure(Device& device, CpuDevice& cpu, const std::string& text, TimingMode mode, int trials) {
  HONE_TRY(Graph graph, parse_graph(text));
  const Task task = make_task(std::move(graph));
  const Target target = cpu.board().target;
  HONE_TRY(Candidate candidate, default_candidate(task, target));
  HONE_TRY(Artifact artifact, compile(candidate));
  HONE_TRY(Artifact reference, compile_reference(task, target));
  wire::MeasureRequest request;
  request.artifact = artifact.digest;
  request.reference = reference.digest;
  request.task_key = task.key;
  request.seed = "search";
  request.mode = mode;
  std::vector<double> fork, load, fill, check, run, batch, whole, ns;
  double first_reference = 0;
  size_t samples = 0;
  for (int i = 0; i < trials; ++i) {
    auto result = device.measure(request, artifact.shared_object, reference.shared_object);
    if (result.measurement.status != MeasureStatus::ok)
      return fail(std::string(to_text(result.measurement.status)) + ": " + result.measurement.message,
                  summary(task));
    CpuDeviceTimes t = cpu.last_times();
    if (i == 0) first_reference = t.reference;
    fork.push_back(t.fork), load.push_back(t.load), fill.push_back(t.fill), check.push_back(t.check);
    run.push_back(t.run), batch.push_back(t.batch), whole.push_back(t.whole - t.reference), ns.push_back(result.measurement.median_ns);
    samples = result.measurement.samples_ns.size();
  }
  auto [least, most] = std::minmax_element(ns.begin(), ns.end());
  fmt::print(
      "{:34} {:4} {:9.1f} {:9.1f} {:9.1f} {:4} {:8.1f} {:6.2f} {:6.2f} {:6.2f} {:6.2f} {:6.2f} {:6.2f} {:7.2f}\n",
      summary(task), to_text(mode), median(ns) / 1e3, *least / 1e3, *most / 1e3, samples, first_reference,
      median(fork), median(load), median(fill), median(check), median(run), median(batch), median(whole));
  return {};
}

int run(int trials) {
  CpuDeviceOptions options;
  options.server_program = HONE_BINARY_DIR "/bin/hone-runner";
  auto device = CpuDevice::create(options);
  if (!device) {
    std::fprintf(stderr, "%s\n", device.error().text().c_str());
    return 1;
  }
  fmt::print("{:34} {:4} {:>9} {:>9} {:>9} {:>4} {:>8} {:>6} {:>6} {:>6} {:>6} {:>6} {:>6} {:>7}\n", "task", "mode",
             "median us", "least", "most", "n", "ref ms", "fork", "load", "fill", "check", "run", "batch", "all ms");
  for (const std::string& text :
       {conv(16, 64, 55, 1, 1, 0), conv(64, 64, 56, 3, 1, 1), conv(3, 64, 224, 3, 2, 0),
        conv(256, 256, 14, 3, 1, 1), conv(512, 512, 7, 3, 1, 1), conv(512, 1000, 13, 1, 1, 0)})
    for (TimingMode mode : {TimingMode::llc, TimingMode::dram})
      if (auto status = measure(**device, **device, text, mode, trials); !status)
        fmt::print("{}\n", status.error().text());
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) { return hone::run(argc > 1 ? std::max(1, std::atoi(argv[1])) : 15); }
