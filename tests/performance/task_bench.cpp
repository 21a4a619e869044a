// Times tasks at trial 0 (or with given parameters) on this machine, one thread: GFLOP/s and GB/s per task,
// with warm constants and, as inside a model, with constants that come from memory. Usage: bench_tasks
// [--target NAME]
// [--formulation NAME] [--set "oc_tile=2 ow_tile=14 ..."] [--reference] [--resnet50] [FILTER]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/runtime/host/host.h"
#include "tests/performance/direct_conv.h"

namespace {

using namespace hone;

std::string conv_rect(int64_t in, int64_t out, int64_t size, int64_t kh, int64_t kw) {
  char text[1024];
  std::snprintf(
      text, sizeof text,
      "%%x = input f32[1x%ldx%ldx%ld]\n%%w = constant f32[%ldx%ldx%ldx%ld]\n%%b = constant f32[%ld]\n"
      "%%0 = conv %%x %%w %%b {strides=[1,1] pads=[%ld,%ld,%ld,%ld] dilations=[1,1] groups=1}\n"
      "%%1 = relu %%0\noutput %%1\n",
      in, size, size, out, in, kh, kw, out, kh / 2, kw / 2, kh / 2, kw / 2);
  return text;
}

std::string conv(int64_t in, int64_t out, int64_t size, int64_t kernel, int64_t stride,
                 const char* chain = "relu", int64_t groups = 1) {
  const int64_t pad = kernel / 2, extent = (size + 2 * pad - kernel) / stride + 1;
  char text[1024];
  const bool add = std::strcmp(chain, "add") == 0;
  char residual[128] = "";
  if (add) std::snprintf(residual, sizeof residual, "%%r = input f32[1x%ldx%ldx%ld]\n", out, extent, extent);
  std::snprintf(
      text, sizeof text,
      "%%x = input f32[1x%ldx%ldx%ld]\n%s%%w = constant f32[%ldx%ldx%ldx%ld]\n%%b = constant f32[%ld]\n"
      "%%0 = conv %%x %%w %%b {strides=[%ld,%ld] pads=[%ld,%ld,%ld,%ld] dilations=[1,1] groups=%ld}\n%s",
      in, size, size, residual, out, in / groups, kernel, kernel, out, stride, stride, pad, pad, pad, pad,
      groups, add ? "%1 = add %0 %r\n%2 = relu %1\noutput %2\n" : "%1 = relu %0\noutput %1\n");
  return text;
}

std::string one_input(const std::string& shape, const std::string& node) {
  return "%x = input f32[" + shape + "]\n%0 = " + node + "\noutput %0\n";
}

std::string dense(int64_t k, int64_t n) {
  return "%x = input f32[1x" + std::to_string(k) + "]\n%w = constant f32[" + std::to_string(n) + "x" +
         std::to_string(k) + "]\n%b = constant f32[" + std::to_string(n) +
         "]\n%0 = dense %x %w %b {transpose_b=1}\noutput %0\n";
}

std::vector<std::string> tasks() {
  return {
      conv(3, 64, 224, 7, 2),
      conv(3, 64, 224, 3, 1),
      conv(64, 64, 56, 3, 1),
      conv(64, 64, 56, 3, 1, "add"),
      conv(64, 128, 56, 3, 2),
      conv(128, 128, 28, 3, 1),
      conv(128, 256, 28, 3, 2),
      conv(256, 256, 14, 3, 1),
      conv(256, 512, 14, 3, 2),
      conv(512, 512, 7, 3, 1),
      conv(64, 64, 56, 1, 1),
      conv(64, 256, 56, 1, 1, "add"),
      conv(256, 64, 56, 1, 1),
      conv(256, 128, 56, 1, 1),
      conv(64, 128, 56, 1, 2),
      conv(128, 512, 28, 1, 1, "add"),
      conv(512, 128, 28, 1, 1),
      conv(256, 1024, 14, 1, 1, "add"),
      conv(1024, 256, 14, 1, 1),
      conv(1024, 2048, 14, 1, 2),
      conv(512, 2048, 7, 1, 1, "add"),
      conv(2048, 512, 7, 1, 1),
      conv(64, 16, 55, 1, 1),
      conv(16, 64, 55, 3, 1),
      conv(512, 1000, 13, 1, 1),
      conv(48, 192, 27, 3, 1),
      conv(64, 64, 35, 3, 1),
      conv(160, 160, 17, 3, 1),
      conv(32, 64, 147, 3, 1),
      conv(80, 192, 71, 3, 1),
      conv(384, 256, 13, 3, 1),
      conv(64, 64, 224, 3, 1),
      conv(64, 192, 27, 5, 1),
      conv(48, 64, 35, 5, 1),
      conv_rect(128, 128, 17, 1, 7),
      conv_rect(160, 160, 17, 7, 1),
      conv_rect(192, 192, 17, 1, 7),
      conv_rect(192, 192, 17, 7, 1),
      conv_rect(384, 384, 8, 1, 3),
      conv_rect(384, 384, 8, 3, 1),
      conv_rect(448, 384, 8, 3, 3),
      conv(32, 32, 112, 3, 1, "relu", 32),
      conv(96, 96, 112, 3, 2, "relu", 96),
      conv(384, 384, 14, 3, 1, "relu", 384),
      conv(960, 960, 7, 3, 1, "relu", 960),
      one_input("1x64x112x112", "max_pool %x {kernel=[3,3] strides=[2,2] pads=[1,1,1,1] dilations=[1,1]}"),
      one_input("1x64x111x111", "max_pool %x {kernel=[3,3] strides=[2,2] pads=[0,0,0,0] dilations=[1,1]}"),
      one_input("1x192x35x35",
                "average_pool %x {kernel=[3,3] strides=[1,1] pads=[1,1,1,1] dilations=[1,1] include_pad=0}"),
      one_input("1x2048x7x7", "global_average_pool %x"),
      one_input("1x512x13x13", "global_average_pool %x"),
      dense(512, 1000),
      dense(2048, 1000),
      dense(9216, 4096),
      dense(4096, 4096),
      one_input("1x1000", "softmax %x {axis=1}"),
      one_input("1x3x224x224", "transform %x"),
      one_input("1x256x56x56", "transform %x"),
      one_input("1x512x7x7", "transform %x"),
      one_input("1x256x56x56", "sigmoid %x"),
      one_input("1x256x56x56", "relu %x")};
}

/// Median time of a call; call k uses the k-th set of pointers, round and round.
double seconds_of(const LoadedArtifact& artifact, std::vector<std::vector<void*>> sets) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> samples;
  const auto start = Clock::now();
  artifact.run(sets.back().data());
  while (samples.size() < 5 || std::chrono::duration<double>(Clock::now() - start).count() < 0.15) {
    const auto a = Clock::now();
    artifact.run(sets[samples.size() % sets.size()].data());
    samples.push_back(std::chrono::duration<double>(Clock::now() - a).count());
    if (samples.size() > 20000) break;
  }
  std::nth_element(samples.begin(), samples.begin() + static_cast<long>(samples.size() / 2), samples.end());
  return samples[samples.size() / 2];
}

/// The 3x3 and 1x1 layers of ResNet-50 behind its first, one of each shape.
std::vector<std::string> resnet50_tasks() {
  std::vector<std::string> texts;
  for (const int64_t size : {56, 28, 14, 7}) {
    const int64_t width = 64 * (56 / size);
    texts.push_back(conv(width, width, size, 3, 1));
    texts.push_back(conv(4 * width, width, size, 1, 1));
    texts.push_back(conv(width, 4 * width, size, 1, 1, "add"));
    if (size == 7) continue;
    texts.push_back(conv(2 * width, 2 * width, size, 3, 2));
    texts.push_back(conv(4 * width, 2 * width, size, 1, 1));
    texts.push_back(conv(4 * width, 8 * width, size, 1, 2));
  }
  return texts;
}

/// More than any cache of the machines at hand: by the time a copy's turn comes again, it is long gone.
constexpr int64_t kColdBytes = 160 << 20;

/// The same with constants from memory: as many copies of them as make kColdBytes.
Result<double> cold_seconds_of(const LoadedArtifact& artifact, const ArtifactBuffers& buffers) {
  const auto& specs = artifact.signature().buffers;
  int64_t bytes = 0;
  for (size_t k = 0; k < specs.size(); ++k)
    if (specs[k].role == Role::constant) bytes += buffers.owned[k].size();
  if (bytes == 0) return seconds_of(artifact, {buffers.pointers});
  std::vector<GuardedBuffer> copies;
  std::vector<std::vector<void*>> sets;
  for (int64_t total = 0; total < kColdBytes; total += bytes) {
    if (sets.size() == 512) break;  // small constants: further copies would measure the page tables
    sets.push_back(buffers.pointers);
    for (size_t k = 0; k < specs.size(); ++k) {
      if (specs[k].role != Role::constant) continue;
      HONE_TRY(GuardedBuffer copy, GuardedBuffer::allocate(buffers.owned[k].size()));
      std::memcpy(copy.data(), buffers.owned[k].data(), static_cast<size_t>(copy.size()));
      sets.back()[k] = copy.data();
      copies.push_back(std::move(copy));
    }
  }
  return seconds_of(artifact, std::move(sets));
}

/// One call of prepare, on constants that hold zeros.
double prepare_seconds(const LoadedArtifact& artifact) {
  std::vector<GuardedBuffer> logical;
  std::vector<const void*> pointers;
  for (const LogicalConstant& constant : artifact.signature().constants) {
    auto buffer = GuardedBuffer::allocate((element_count(constant.type.shape) * 4 + 127) / 64 * 64);
    if (!buffer) return 0;
    std::memset(buffer->data(), 0, static_cast<size_t>(buffer->size()));
    pointers.push_back(buffer->data());
    logical.push_back(std::move(*buffer));
  }
  if (pointers.empty()) return 0;
  const auto begin = std::chrono::steady_clock::now();
  if (!prepare_constants(artifact, pointers)) return 0;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// FLOP/s of a loop of multiply-adds at this moment.
double peak() {
  constexpr int64_t kRounds = 200000;
  volatile float sink = 0;
  const auto begin = std::chrono::steady_clock::now();
  sink = hone_fma_peak(kRounds, 0.999f, 1e-3f);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return 2.0 * hone_hand_lanes() * hone_fma_chains() * static_cast<double>(kRounds) / seconds;
}

/// Sums over the tasks timed. Peak: the operations that a loop of multiply-adds would have done in the same
/// time with warm or cold constants, measured before and after each task.
struct Sums {
  double flops = 0, warm_peak_flops = 0, cold_peak_flops = 0;
};

Status bench(const std::string& text, const Target& target, const std::string& formulation_name,
             const std::string& set, bool use_reference, Sums& sums) {
  HONE_TRY(Graph graph, parse_graph(text));
  const Task task = make_task(std::move(graph));
  Artifact artifact;
  std::string how = "reference";
  const auto begin = std::chrono::steady_clock::now();
  if (use_reference) {
    HONE_TRY(artifact, compile_reference(task, target));
  } else {
    const Formulation* formulation = find_formulation(formulation_name);
    if (formulation == nullptr || !formulation->applies(task, target)) {
      HONE_TRY(formulation, default_formulation(task, target));
    }
    const Ports ports = default_ports(*formulation, task, target);
    Parameters parameters = formulation->default_parameters(task, target, ports);
    HONE_TRY(const Parameters given, parse_parameters(set));
    for (const auto& [name, value] : given)
      if (parameters.count(name)) parameters[name] = value;
    HONE_TRY(const Candidate candidate, make_candidate(task, target, *formulation, ports, parameters));
    HONE_TRY(artifact, compile(candidate));
    how = std::string(formulation->name) + " " + to_text(parameters);
  }
  const double build = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  HONE_TRY(const LoadedArtifact loaded, LoadedArtifact::load(artifact.shared_object));
  HONE_TRY(const ArtifactBuffers buffers, make_buffers(loaded, "bench"));
  const double packing = prepare_seconds(loaded);
  const double before = peak();
  const double seconds = seconds_of(loaded, {buffers.pointers});
  HONE_TRY(const double cold, cold_seconds_of(loaded, buffers));
  const double loop = (before + peak()) / 2;
  sums.flops += task.flops();
  sums.warm_peak_flops += seconds * loop;
  sums.cold_peak_flops += cold * loop;
  std::printf(
      "%-40s %9.1f us %7.1f GFLOP/s %6.1f GB/s  cold %9.1f us %7.1f GFLOP/s  build %4.0f ms  pack %5.1f ms  "
      "spills %3d  code %6ld  %s\n",
      summary(task).c_str(), seconds * 1e6, task.flops() / seconds / 1e9,
      artifact.signature.min_bytes / seconds / 1e9, cold * 1e6, task.flops() / cold / 1e9, build * 1e3,
      packing * 1e3, artifact.spills, static_cast<long>(artifact.code_bytes), how.c_str());
  std::fflush(stdout);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  std::string target_name = "host", formulation, set, filter;
  bool use_reference = false, resnet50 = false;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--target" && i + 1 < argc)
      target_name = argv[++i];
    else if (argument == "--formulation" && i + 1 < argc)
      formulation = argv[++i];
    else if (argument == "--set" && i + 1 < argc)
      set = argv[++i];
    else if (argument == "--resnet50")
      resnet50 = true;
    else if (argument == "--reference")
      use_reference = true;
    else
      filter = argument;
  }
  const auto target = hone::resolve_target(target_name);
  if (!target) return std::fprintf(stderr, "%s\n", target.error().text().c_str()), 2;
  std::printf("%s\n", to_text(*target).c_str());
  Sums sums;
  for (const std::string& text : resnet50 ? resnet50_tasks() : tasks()) {
    auto graph = hone::parse_graph(text);
    if (!graph) return std::fprintf(stderr, "%s\n%s", graph.error().text().c_str(), text.c_str()), 2;
    if (!filter.empty() && summary(hone::make_task(*graph)).find(filter) == std::string::npos) continue;
    if (auto status = bench(text, *target, formulation, set, use_reference, sums); !status)
      std::fprintf(stderr, "%s\n", status.error().text().c_str());
  }
  if (sums.flops > 0)
    std::printf(
        "all, weighted by operations: %.1f %% of a loop of multiply-adds with warm constants, %.1f %% with "
        "cold\n",
        100 * sums.flops / sums.warm_peak_flops, 100 * sums.flops / sums.cold_peak_flops);
  return 0;
}
