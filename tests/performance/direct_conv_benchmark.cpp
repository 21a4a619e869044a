// Times the direct convolution that hone generates against the one written by hand, interleaved in one
// process, and both against the peak of the multiply-add units measured in the same run. Prints GFLOP/s,
// share of peak and the ratio.
#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "codegen/base/target.h"
#include "codegen/llvm/emit.h"
#include "codegen/loop/loop.h"
#include "tests/performance/direct_conv.h"
#include "tests/performance/timing.h"

namespace {

using hone::benchmark::give_up;
using hone::benchmark::seconds;

using hone::Computation;
using hone::Index;
using hone::ScalarOp;
using Clock = std::chrono::steady_clock;

struct Case {
  const char* name;
  int64_t channels_in, channels_out, height, width, kernel, stride;
};

// ResNet-50's shapes; 1x1 with stride 1 have their rows fused, as hone does without a halo.
constexpr Case cases[] = {
    {"3x3 64>64 56x56", 64, 64, 56, 56, 3, 1},        {"3x3 128>128 28x28", 128, 128, 28, 28, 3, 1},
    {"3x3 256>256 14x14", 256, 256, 14, 14, 3, 1},    {"3x3 512>512 7x7", 512, 512, 7, 7, 3, 1},
    {"3x3 s2 128>128 28x28", 128, 128, 28, 28, 3, 2}, {"1x1 64>64 56x56", 64, 64, 1, 3136, 1, 1},
    {"1x1 64>256 56x56", 64, 256, 1, 3136, 1, 1},     {"1x1 256>64 56x56", 256, 64, 1, 3136, 1, 1},
    {"1x1 512>128 28x28", 512, 128, 1, 784, 1, 1},    {"1x1 256>1024 14x14", 256, 1024, 1, 196, 1, 1},
    {"1x1 1024>256 14x14", 1024, 256, 1, 196, 1, 1},  {"1x1 512>2048 7x7", 512, 2048, 1, 49, 1, 1},
};

hone_conv_shape shape_of(const Case& c) {
  return {c.channels_in,
          c.channels_out,
          c.height,
          c.width,
          c.kernel,
          c.stride,
          (c.height - 1) * c.stride + c.kernel,
          (c.width - 1) * c.stride + c.kernel};
}

Computation computation_of(const Case& c, int64_t lanes) {
  const auto axis = [](const char* name) { return Index::axis(name); };
  const int64_t halo = (c.kernel - 1) / 2;
  const hone_conv_shape s = shape_of(c);
  Computation result;
  hone::Tensor x, w, b, y;
  x.name = "x";
  x.type.shape = {1, c.channels_in, s.ih - 2 * halo, s.iw - 2 * halo};
  x.layout = hone::Layout::channel_blocked(lanes);
  if (halo) x.placement = {{0, 0, halo, halo}, {0, 0, halo, halo}, 0, 0};
  w.name = "w";
  w.role = hone::Role::constant;
  w.type.shape = {c.channels_out, c.channels_in, c.kernel, c.kernel};
  w.layout = {{0, 1, 2, 3}, {{1, lanes}, {0, lanes}}};
  b.name = "b";
  b.role = hone::Role::constant;
  b.type.shape = {c.channels_out};
  b.layout = hone::Layout::plain(1);
  y.name = "y";
  y.role = hone::Role::output;
  y.type.shape = {1, c.channels_out, c.height, c.width};
  y.layout = hone::Layout::channel_blocked(lanes);
  result.tensors = {x, w, b, y};
  hone::Stage stage;
  stage.name = "conv";
  stage.output = 3;
  stage.axes = {{"oc", c.channels_out}, {"oh", c.height}, {"ow", c.width}};
  stage.store_index = {0, axis("oc"), axis("oh"), axis("ow")};
  const auto input = hone::scalar::read(0, {0, axis("ic"), axis("oh") * c.stride + axis("kh") - halo,
                                            axis("ow") * c.stride + axis("kw") - halo});
  const auto weight = hone::scalar::read(1, {axis("oc"), axis("ic"), axis("kh"), axis("kw")});
  stage.reduction = {{{"ic", c.channels_in}, {"kh", c.kernel}, {"kw", c.kernel}},
                     hone::Combiner::sum,
                     hone::scalar::binary(ScalarOp::mul, input, weight)};
  const auto biased =
      hone::scalar::binary(ScalarOp::add, hone::scalar::accumulator(), hone::scalar::read(2, {axis("oc")}));
  stage.value = hone::scalar::binary(ScalarOp::maximum, biased, hone::scalar::constant(0));
  result.stages = {stage};
  return result;
}

std::string schedule_of(const Case& c, int64_t lanes, int64_t columns) {
  const int64_t tile = std::min(columns, c.width);
  return fmt::format(
      "split oc {0} -> oc.b oc.v; split oc.b 2 -> oc.o oc.t; split ic {0} -> ic.o ic.v; split ow {1} peel -> "
      "ow.o ow.i\n"
      "reorder oc.o oh ow.o ic.o kh kw ic.v oc.t ow.i oc.v\n"
      "unroll ic.v 4; register_tile oc.t ow.i; vectorize oc.v; parallel oc.o oh\n",
      lanes, tile);
}

/// A 64-byte aligned array of small varied numbers.
struct Floats {
  explicit Floats(int64_t count)
      : size(count),
        data(static_cast<float*>(std::aligned_alloc(64, (count * 4 + 127) / 64 * 64)), &std::free) {
    for (int64_t k = 0; k < count; ++k)
      data.get()[k] = static_cast<float>(k * 2654435761u % 1000) / 1000 - 0.5f;
  }
  int64_t size;
  std::unique_ptr<float, void (*)(void*)> data;
};

struct Spread {
  double median, quarter, three_quarters;
};
Spread spread(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {samples[samples.size() / 2], samples[samples.size() / 4], samples[samples.size() * 3 / 4]};
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

hone::loop::Program lowered(const Case& c, int64_t lanes, int64_t columns) {
  auto schedule = hone::parse_schedule(schedule_of(c, lanes, columns));
  if (!schedule) give_up(schedule.error());
  auto program = hone::loop::lower(computation_of(c, lanes), *schedule);
  if (!program) give_up(program.error());
  return std::move(*program);
}

/// Generated code in this process, and what making it cost.
struct Generated {
  hone::loop::Program program;
  void (*run)(void* const*, int32_t, int64_t, int64_t) = nullptr;
  int64_t code_bytes = 0;
  int spills = 0;
  double lower_seconds = 0, emit_seconds = 0, link_seconds = 0;
};

Generated generate(const Case& c, const hone::Target& target, const std::string& dump) {
  Generated result;
  result.lower_seconds =
      seconds([&] { result.program = lowered(c, hone_hand_lanes(), hone_hand_columns()); });
  hone::Result<hone::ObjectCode> code;
  hone::EmitOptions options;
  if (!dump.empty()) {
    options.dump_prefix = dump + "/" + c.name;
    std::replace(options.dump_prefix.begin() + static_cast<long>(dump.size()), options.dump_prefix.end(), ' ',
                 '_');
    std::replace(options.dump_prefix.begin() + static_cast<long>(dump.size()), options.dump_prefix.end(), '>',
                 '-');
  }
  result.emit_seconds = seconds([&] { code = hone::emit({{"run", &result.program}}, target, options); });
  if (!code) give_up(code.error());
  hone::Result<std::vector<std::byte>> elf;
  result.link_seconds = seconds([&] { elf = hone::link_shared({code->elf}, target, {"run"}); });
  if (!elf) give_up(elf.error());
  result.code_bytes = code->code_bytes;
  result.spills = code->spills;
  const int file = memfd_create("benchmark", MFD_CLOEXEC);
  if (write(file, elf->data(), elf->size()) != static_cast<ssize_t>(elf->size())) std::abort();
  void* library = dlopen(fmt::format("/proc/self/fd/{}", file).c_str(), RTLD_NOW);
  if (!library) give_up({dlerror()});
  // The file stays open: the loader would take another under the same number for this one.
  result.run = reinterpret_cast<decltype(result.run)>(dlsym(library, "run"));
  return result;
}

void compare(const Case& c, const hone::Target& target, double peak, int samples, const std::string& dump) {
  const hone_conv_shape shape = shape_of(c);
  const Generated generated = generate(c, target, dump);
  Floats x(c.channels_in * shape.ih * shape.iw), w(c.channels_in * c.channels_out * c.kernel * c.kernel),
      b(c.channels_out);
  Floats by_hand(c.channels_out * c.height * c.width), y(by_hand.size);
  void* buffers[] = {x.data.get(), w.data.get(), b.data.get(), y.data.get()};
  const auto hand = [&] {
    hone_hand_direct_conv(&shape, x.data.get(), w.data.get(), b.data.get(), by_hand.data.get());
  };
  const auto ours = [&] {
    for (size_t p = 0; p < generated.program.phases.size(); ++p) {
      generated.run(buffers, static_cast<int32_t>(p), 0, generated.program.phases[p].extent);
    }
  };
  std::vector<double> hand_times, our_times, ratios;
  for (int k = 0; k < samples + 2; ++k) {
    const double a = seconds(hand), z = seconds(ours);
    if (k < 2) continue;
    hand_times.push_back(a);
    our_times.push_back(z);
    ratios.push_back(a / z);
  }
  double worst = 0;
  for (int64_t k = 0; k < y.size; ++k)
    worst = std::max(worst, std::abs(double(y.data.get()[k]) - by_hand.data.get()[k]));
  const double gflop = 2.0 * c.channels_in * c.channels_out * c.height * c.width * c.kernel * c.kernel / 1e9;
  const Spread h = spread(hand_times), g = spread(our_times);
  fmt::print(
      "{:<22} {:7.1f} {:5.1f}% {:8.1f} {:5.1f}%  +-{:4.1f}% {:7.3f} {:6} {:6} {:7.1f} {:6.1f} {:6.1f}  "
      "{:.1e}\n",
      c.name, gflop / h.median, 100 * gflop / h.median / peak, gflop / g.median,
      100 * gflop / g.median / peak, 50 * (g.three_quarters - g.quarter) / g.median, spread(ratios).median,
      generated.code_bytes, generated.spills, generated.lower_seconds * 1e3, generated.emit_seconds * 1e3,
      generated.link_seconds * 1e3, worst);
}

}  // namespace

/// direct_conv_benchmark [SAMPLES [DUMP_FOLDER]]
int main(int argc, char** argv) {
  const int samples = argc > 1 ? std::atoi(argv[1]) : 31;
  const std::string dump = argc > 2 ? argv[2] : "";
  auto target = hone::resolve_target("host");
  if (!target) give_up(target.error());
  const double peak = peak_gflops();
  fmt::print("{}\npeak of multiply-add: {:.1f} GFLOP/s\n", to_text(*target), peak);
  fmt::print("{:<22} {:>7} {:>6} {:>8} {:>6}  {:>6} {:>7} {:>6} {:>6} {:>7} {:>6} {:>6}  {}\n", "", "hand",
             "peak", "hone", "peak", "spread", "ratio", "bytes", "spills", "lower", "emit", "link",
             "difference");
  if (target->lanes() != hone_hand_lanes()) {
    fmt::print(stderr, "the hand-written kernel was compiled for {} lanes, the target has {}\n",
               hone_hand_lanes(), target->lanes());
    return 1;
  }
  for (const Case& c : cases) compare(c, *target, peak, samples, dump);
}
