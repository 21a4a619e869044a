// Measures peaks with loops that the widest vectors of this CPU run, chosen when the program runs.
#include "devices/roofline.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "codegen/base/target.h"

namespace hone::roofline {
namespace {

using Clock = std::chrono::steady_clock;

/// One loop of 16 independent multiply-adds, `rounds` times, and one over memory; per width of vectors.
template <int Bytes>
struct Vector {
  typedef float type __attribute__((vector_size(Bytes), may_alias));
};

#define HONE_LOOPS(name, bytes, attribute)                                             \
  attribute float multiply_add_##name(int64_t rounds, float factor, float addend) {    \
    using V = Vector<bytes>::type;                                                     \
    V sums[16];                                                                        \
    const V a = V{} + factor, b = V{} + addend;                                        \
    _Pragma("GCC unroll 16") for (int k = 0; k < 16; ++k) sums[k] = V{} + float(k);    \
    for (int64_t i = 0; i < rounds; ++i) {                                             \
      _Pragma("GCC unroll 16") for (int k = 0; k < 16; ++k) sums[k] = sums[k] * a + b; \
    }                                                                                  \
    _Pragma("GCC unroll 16") for (int k = 1; k < 16; ++k) sums[0] += sums[k];          \
    return sums[0][0];                                                                 \
  }                                                                                    \
  attribute float read_##name(const float* from, int64_t floats) {                     \
    using V = Vector<bytes>::type;                                                     \
    constexpr int64_t lanes = bytes / 4;                                               \
    V sums[8] = {};                                                                    \
    for (int64_t i = 0; i + 8 * lanes <= floats; i += 8 * lanes) {                     \
      _Pragma("GCC unroll 8") for (int k = 0; k < 8; ++k) sums[k] +=                   \
          *reinterpret_cast<const V*>(from + i + k * lanes);                           \
    }                                                                                  \
    _Pragma("GCC unroll 8") for (int k = 1; k < 8; ++k) sums[0] += sums[k];            \
    return sums[0][0];                                                                 \
  }

#if defined(__x86_64__)
HONE_LOOPS(512, 64, __attribute__((target("avx512f"))))
HONE_LOOPS(256, 32, __attribute__((target("avx2,fma"))))
#endif
HONE_LOOPS(128, 16, )

struct Loops {
  float (*multiply_add)(int64_t, float, float);
  float (*read)(const float*, int64_t);
  int lanes;
};

Loops loops_of_this_cpu() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return {multiply_add_512, read_512, 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {multiply_add_256, read_256, 8};
#endif
  return {multiply_add_128, read_128, 4};
}

/// What `step` gives per second, `threads` of them at once: the best of a few spans of a few milliseconds. A
/// step returns how much it did.
template <class Step>
double best_rate(int threads, const Step& step) {
  double best = 0;
  for (int attempt = 0; attempt < 4; ++attempt) {
    std::vector<double> rates(static_cast<size_t>(threads));
    std::atomic<int> waiting{threads};
    const auto work = [&](int thread) {
      --waiting;
      while (waiting != 0) std::this_thread::yield();
      double done = 0, seconds = 0;
      for (const auto begin = Clock::now(); seconds < 6e-3;
           seconds = std::chrono::duration<double>(Clock::now() - begin).count())
        done += step(thread);
      rates[static_cast<size_t>(thread)] = done / seconds;
    };
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work, t);
    work(0);
    for (std::thread& other : others) other.join();
    double sum = 0;
    for (const double rate : rates) sum += rate;
    best = std::max(best, sum);
  }
  return best;
}

std::atomic<float> sink;  // what loops give is used

}  // namespace

Machine measure_machine(int threads) {
  const Loops loops = loops_of_this_cpu();
  Machine machine;
  machine.threads = threads;
  const Board board = probe_board();
  if (board.l2_bytes > 0) machine.l2_size = board.l2_bytes;
  if (board.llc_bytes > 0) machine.llc_size = board.llc_bytes;
  machine.llc_size = std::max(machine.llc_size, machine.l2_size);
  machine.flops = best_rate(threads, [&](int) {
    constexpr int64_t rounds = 20000;
    sink = loops.multiply_add(rounds, 0.999f, 1e-3f);
    return static_cast<double>(rounds * 16 * 2 * loops.lanes);
  });
  // Each thread reads a part of its own; what one level holds is larger than the level below it.
  const auto bandwidth = [&](int64_t bytes_of_thread) {
    const int64_t floats = bytes_of_thread / 4;
    std::vector<std::vector<float>> arrays(static_cast<size_t>(threads));
    for (auto& array : arrays) array.assign(static_cast<size_t>(floats + 16), 1.0f);
    return best_rate(threads, [&](int thread) {
      const auto address = reinterpret_cast<uintptr_t>(arrays[static_cast<size_t>(thread)].data());
      sink = loops.read(reinterpret_cast<const float*>((address + 63) / 64 * 64), floats);
      return static_cast<double>(floats * 4);
    });
  };
  machine.l2_bytes = bandwidth(machine.l2_size / 2);
  machine.llc_bytes = bandwidth(std::max(machine.llc_size / 2 / threads, machine.l2_size));
  machine.dram_bytes = bandwidth(std::min(2 * machine.llc_size, int64_t{256} << 20) / threads);
  return machine;
}

Bound bound_of(const Work& work, double all_constant_bytes, const Machine& machine) {
  const double half = static_cast<double>(machine.llc_size) / 2;
  const auto speed = [&](double bytes) {
    if (bytes <= static_cast<double>(machine.l2_size) * machine.threads / 2) return machine.l2_bytes;
    return bytes <= half ? machine.llc_bytes : machine.dram_bytes;
  };
  const double constants = all_constant_bytes > half ? machine.dram_bytes : machine.llc_bytes;
  return {work.arithmetic / machine.flops,
          work.constant_bytes / constants + work.other_bytes / speed(work.other_bytes)};
}

}  // namespace hone::roofline
