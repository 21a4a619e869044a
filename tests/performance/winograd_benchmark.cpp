// Times Winograd F(4x4, 3x3) as hone generates it at trial 0 against the kernel written by hand, interleaved
// in one process and on the same buffers, so that their outputs are compared too.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/runtime/host/host.h"
#include "tests/performance/direct_conv.h"
#include "tests/performance/timing.h"
#include "tests/performance/winograd_conv.h"

namespace {

using hone::benchmark::give_up;
using hone::benchmark::median;
using hone::benchmark::seconds;

using namespace hone;  // NOLINT: a program of one file

template <class T>
T value_of(Result<T> result) {
  if (result) return std::move(*result);
  give_up(result.error());
}

void compare(const hone_winograd_shape& s, const Target& target, int samples) {
  const Task task = value_of(parse_task(fmt::format(
      "task v1\n%x = input f32[1x{0}x{2}x{2}]\n%w = constant f32[{1}x{0}x3x3]\n%b = constant f32[{1}]\n"
      "%0 = conv %x %w %b {{dilations=[1,1] groups=1 pads=[1,1,1,1] strides=[1,1]}}\n%y = relu %0\noutput "
      "%y\n",
      s.ic, s.oc, s.size)));
  const Formulation& winograd = *find_formulation("winograd4");
  const Ports ports = default_ports(winograd, task, target);
  const Candidate candidate = value_of(
      make_candidate(task, target, winograd, ports, winograd.default_parameters(task, target, ports)));
  const LoadedArtifact artifact = value_of(LoadedArtifact::load(value_of(compile(candidate)).shared_object));
  const ArtifactBuffers buffers = value_of(make_buffers(artifact, "winograd"));
  const auto buffer = [&](Role role, size_t skip) {
    for (size_t k = 0; k < buffers.pointers.size(); ++k)
      if (artifact.signature().buffers[k].role == role && skip-- == 0)
        return static_cast<float*>(buffers.pointers[k]);
    return static_cast<float*>(nullptr);
  };
  std::vector<float> y(static_cast<size_t>(s.oc * s.size * s.size)),
      memory(static_cast<size_t>(hone_hand_winograd_memory(&s)));
  std::vector<double> hand_times, times, ratios;
  for (int k = 0; k < samples + 2; ++k) {
    const double a = seconds([&] {
      hone_hand_winograd(&s, buffer(Role::input, 0), buffer(Role::constant, 0), buffer(Role::constant, 1),
                         y.data(), memory.data());
    });
    const double b = seconds([&] { artifact.run(buffers.pointers.data()); });
    if (k < 2) continue;
    hand_times.push_back(a), times.push_back(b), ratios.push_back(a / b);
  }
  double worst = 0;
  for (size_t k = 0; k < y.size(); ++k)
    worst = std::max(worst, std::abs(double(y[k]) - buffer(Role::output, 0)[k]));
  const double gflop = 2.0 * 9 * static_cast<double>(s.ic * s.oc * s.size * s.size) / 1e9;
  fmt::print("| {} > {} {}x{} | {:.0f} | {:.0f} | {:.2f} | {:.0e} |\n", s.ic, s.oc, s.size, s.size,
             gflop / median(hand_times), gflop / median(times), median(ratios), worst);
}

}  // namespace

/// winograd_benchmark [SAMPLES]: GFLOP/s count the direct convolution's operations.
int main(int argc, char** argv) {
  const Target target = value_of(resolve_target("host"));
  if (target.lanes() != hone_hand_lanes()) {
    fmt::print(stderr, "the kernel was compiled for {} lanes, the target has {}\n", hone_hand_lanes(),
               target.lanes());
    return 1;
  }
  fmt::print("{}\n| shape | by hand | generated | ratio | difference |\n", to_text(target));
  for (const hone_winograd_shape& shape :
       std::initializer_list<hone_winograd_shape>{{64, 64, 56, 1}, {128, 128, 28, 1}, {256, 256, 14, 4}})
    compare(shape, target, argc > 1 ? std::atoi(argv[1]) : 101);
}
