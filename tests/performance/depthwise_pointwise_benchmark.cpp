// Times depthwise into pointwise as hone generates it (the first stage computed inside the second, by
// compute_at, and both one after the other) against the kernel written by hand, interleaved in one process.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "tests/performance/depthwise_pointwise.h"
#include "tests/performance/direct_conv.h"
#include "tests/performance/timing.h"
#include "tests/support/samples.h"
#include "tests/unit/llvm/compiled.h"

namespace {

using hone::benchmark::give_up;
using hone::benchmark::median;
using hone::benchmark::seconds;

using namespace hone;  // NOLINT: a program of one file

/// `inside`: the depthwise stage is computed for one tile of a row of the pointwise stage.
std::string schedule_of(const hone_dwpw_shape& s, int64_t lanes, bool inside) {
  int64_t columns = s.width % hone_hand_columns() == 0 ? hone_hand_columns() : 7;
  return fmt::format(
      "stage dw\n{2}split c {0} -> c.b c.v; split w {1} -> w.o w.t\nreorder c.b h w.o kh kw w.t c.v\n"
      "unroll kh 3; unroll kw 3; register_tile w.t; vectorize c.v\n"
      "stage pw\nsplit oc {0} -> oc.b oc.v; split oc.b 2 -> oc.o oc.t; split ic {0} -> ic.o ic.v; split ow "
      "{1} -> ow.o ow.t\n"
      "reorder oh ow.o oc.o ic.o ic.v oc.t ow.t oc.v\n"
      "unroll ic.v 4; register_tile oc.t ow.t; vectorize oc.v; parallel oh\n",
      lanes, columns, inside ? "compute_at pw ow.o\n" : "");
}

struct Generated {
  loop::Program program;
  std::unique_ptr<test::Library> library;
};
Generated generate(const Computation& computation, const std::string& text, const Target& target) {
  auto schedule = parse_schedule(text);
  if (!schedule) give_up(schedule.error());
  auto program = loop::lower(computation, *schedule);
  if (!program) give_up(program.error());
  auto library = test::compile(*program, target);
  if (!library) give_up(library.error());
  return {std::move(*program), std::move(*library)};
}

test::Array<float> varied(int64_t count) {
  test::Array<float> array(static_cast<size_t>(count));
  for (int64_t k = 0; k < count; ++k) array[k] = static_cast<float>(k * 2654435761U % 1000) / 1000 - 0.5F;
  return array;
}

void compare(const hone_dwpw_shape& s, const Target& target, int samples) {
  const int64_t lanes = hone_hand_lanes();
  const Computation computation = test::depthwise_pointwise(s.channels, s.oc, s.height, s.width, lanes);
  const Generated fused = generate(computation, schedule_of(s, lanes, true), target);
  const Generated separate = generate(computation, schedule_of(s, lanes, false), target);
  auto x = varied(s.channels * (s.height + 2) * (s.width + 2)), dw = varied(s.channels * 9);
  auto pw = varied(s.channels * s.oc), y = varied(s.oc * s.height * s.width),
       by_hand = varied(s.oc * s.height * s.width);
  auto between = varied(s.channels * s.height * s.width);
  void* buffers[] = {x.data(), dw.data(), pw.data(), y.data(), between.data()};
  auto run = [&](const Generated& g) {
    for (size_t p = 0; p < g.program.phases.size(); ++p)
      g.library->function("run")(buffers, static_cast<int32_t>(p), 0, g.program.phases[p].extent);
  };
  std::vector<double> hand_times, fused_times, separate_times, ratios;
  for (int k = 0; k < samples + 2; ++k) {
    double a =
        seconds([&] { hone_hand_depthwise_pointwise(&s, x.data(), dw.data(), pw.data(), by_hand.data()); });
    double c = seconds([&] { run(separate); });
    double b = seconds([&] { run(fused); });
    if (k < 2) continue;
    hand_times.push_back(a), fused_times.push_back(b), separate_times.push_back(c), ratios.push_back(a / b);
  }
  double worst = 0;
  for (size_t k = 0; k < y.size(); ++k) worst = std::max(worst, std::abs(double(y[k]) - by_hand[k]));
  const double gflop = 2.0 * static_cast<double>(s.channels * s.height * s.width * (9 + s.oc)) / 1e9;
  fmt::print("| {} > {} {}x{} | {:.1f} | {:.1f} | {:.2f} | {:.1f} | {:.0e} |\n", s.channels, s.oc, s.height,
             s.width, gflop / median(hand_times), gflop / median(fused_times), median(ratios),
             gflop / median(separate_times), worst);
}

}  // namespace

/// depthwise_pointwise_benchmark [SAMPLES]
int main(int argc, char** argv) {
  auto target = resolve_target("host");
  if (!target) give_up(target.error());
  if (target->lanes() != hone_hand_lanes()) {
    fmt::print(stderr, "the kernel was compiled for {} lanes, the target has {}\n", hone_hand_lanes(),
               target->lanes());
    return 1;
  }
  fmt::print("{}\n| shape | by hand | generated, fused | ratio | generated, two phases | difference |\n",
             to_text(*target));
  for (const hone_dwpw_shape& shape : std::initializer_list<hone_dwpw_shape>{{96, 32, 56, 56},
                                                                             {144, 32, 28, 28},
                                                                             {192, 64, 28, 28},
                                                                             {384, 96, 14, 14},
                                                                             {576, 160, 14, 14},
                                                                             {960, 320, 7, 7}})
    compare(shape, *target, argc > 1 ? std::atoi(argv[1]) : 101);
}
