#include "devices/cold.h"

#include <algorithm>
#include <array>
#include <ctime>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace hone {
namespace {

constexpr size_t line = 64;

#if defined(__x86_64__)
bool has_clflushopt() {
  unsigned a, b, c, d;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & (1u << 23));
}
__attribute__((target("clflushopt"))) void flush_optimised(const std::byte* data, size_t bytes) {
  for (size_t i = 0; i < bytes; i += line) _mm_clflushopt(const_cast<std::byte*>(data + i));
}
void flush(const std::byte* data, size_t bytes) {
  for (size_t i = 0; i < bytes; i += line) _mm_clflush(data + i);
}
void fence() {
  _mm_mfence();
  _mm_lfence();
}
#elif defined(__aarch64__)
void flush(const std::byte* data, size_t bytes) {
  for (size_t i = 0; i < bytes; i += line) asm volatile("dc civac, %0" ::"r"(data + i) : "memory");
}
void fence() { asm volatile("dsb sy\n isb" ::: "memory"); }
#endif

}  // namespace

void flush_lines(const std::vector<MemoryRange>& ranges) {
#if defined(__x86_64__)
  static const bool optimised = has_clflushopt();
  for (const MemoryRange& range : ranges)
    optimised ? flush_optimised(range.data, range.bytes) : flush(range.data, range.bytes);
#else
  for (const MemoryRange& range : ranges) flush(range.data, range.bytes);
#endif
  fence();
}

void touch_lines(const std::vector<MemoryRange>& ranges) {
  uint8_t sum = 0;
  for (const MemoryRange& range : ranges)
    for (size_t i = 0; i < range.bytes; i += line) sum ^= static_cast<uint8_t>(range.data[i]);
  asm volatile("" ::"r"(sum) : "memory");
}

FlushDenormals::FlushDenormals() {
#if defined(__x86_64__)
  before_ = _mm_getcsr();
  _mm_setcsr(static_cast<unsigned>(before_) | 0x8040u);  // FTZ and DAZ
#elif defined(__aarch64__)
  asm volatile("mrs %0, fpcr" : "=r"(before_));
  asm volatile("msr fpcr, %0" ::"r"(before_ | (1ull << 24)));
#endif
}

FlushDenormals::~FlushDenormals() {
#if defined(__x86_64__)
  _mm_setcsr(static_cast<unsigned>(before_));
#elif defined(__aarch64__)
  asm volatile("msr fpcr, %0" ::"r"(before_));
#endif
}

int64_t clock_ns() {
  fence();
  timespec time;
  ::clock_gettime(CLOCK_MONOTONIC_RAW, &time);
  fence();
  return int64_t{time.tv_sec} * 1000000000 + time.tv_nsec;
}

int64_t clock_overhead_ns() {
  int64_t least = INT64_MAX;
  for (int i = 0; i < 64; ++i) {
    int64_t start = clock_ns();
    least = std::min(least, clock_ns() - start);
  }
  return least;
}

bool known_kernel_is_right() {
  // a[i][k] = i + k, b[k][j] = k - j: sums of small integers, exact in any order.
  constexpr int n = 96;
  std::vector<float> a(n * n), b(n * n), c(n * n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) {
      a[static_cast<size_t>(i * n + j)] = static_cast<float>(i + j);
      b[static_cast<size_t>(i * n + j)] = static_cast<float>(i - j);
    }
  asm volatile("" ::"r"(a.data()), "r"(b.data()) : "memory");
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < n; ++k)
      for (int j = 0; j < n; ++j)
        c[static_cast<size_t>(i * n + j)] +=
            a[static_cast<size_t>(i * n + k)] * b[static_cast<size_t>(k * n + j)];
  asm volatile("" ::"r"(c.data()) : "memory");
  // sum of (i + k)(k - j) = sum k^2 + (i - j) sum k - n i j
  const int64_t sum = n * (n - 1) / 2, squares = int64_t{n - 1} * n * (2 * n - 1) / 6;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j)
      if (c[static_cast<size_t>(i * n + j)] != static_cast<float>(squares + (i - j) * sum - n * i * j))
        return false;
  return true;
}

double reference_kernel_ns() {
  constexpr int passes = 4, steps = 16000;
  std::array<double, passes> times;
  for (double& time : times) {
    int64_t start = clock_ns();
    std::array<float, 8> x = {1, 2, 3, 4, 5, 6, 7, 8};
    for (int step = 0; step < steps; ++step) {
      for (float& v : x) v = v * 0.999f + 0.5f;
      asm volatile("" ::: "memory");  // one step after the other, whatever the optimiser would like
    }
    asm volatile("" ::"r"(x.data()) : "memory");
    time = static_cast<double>(clock_ns() - start);
  }
  std::sort(times.begin(), times.end());
  return (times[1] + times[2]) / 2;
}

}  // namespace hone
