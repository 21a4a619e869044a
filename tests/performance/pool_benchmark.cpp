// What a phase costs on the pool of compiled models when there is nothing to do in it: handing parts over and
// waiting for them. usage: pool_benchmark [THREADS]
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "tests/performance/timing.h"

extern "C" {
#include "codegen/runtime/model/pool.h"
}

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  if (threads < 2 || hone_pool_acquire(threads) != 0 || hone_pool_enter() == 0) return 1;
  constexpr int kPhases = 1000;
  const auto nothing = [](void*, int64_t, int64_t) {};
  std::vector<double> us;
  for (int sample = 0; sample < 200; ++sample) {
    us.push_back(1e6 / kPhases * hone::benchmark::seconds([&] {
                   for (int i = 0; i < kPhases; ++i) hone_pool_run(nothing, nullptr, threads, threads);
                 }));
  }
  std::sort(us.begin(), us.end());
  fmt::print("{} threads, empty phases: median {:.2f} us, least {:.2f} us, most {:.2f} us\n", threads,
             us[100], us.front(), us.back());
  hone_pool_leave();
  hone_pool_release();
}
