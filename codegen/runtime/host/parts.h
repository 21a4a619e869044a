// Private to runtime/host: the parts of one large job on several cores, for the time of one call.
#pragma once

#include <sched.h>

#include <algorithm>
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace hone {

/// Calls work(begin, end) for disjoint ranges that together are [0, count), on up to four of the cores that
/// this process may use; here alone if there are fewer than `worth` for each, or no threads to be had.
template <class Work>
void in_parts(size_t count, size_t worth, const Work& work) {
  cpu_set_t set;
  const size_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? static_cast<size_t>(CPU_COUNT(&set)) : 1;
  const size_t parts = std::max<size_t>(1, std::min({count / worth, cores, size_t{4}}));
  std::vector<std::thread> others;
  others.reserve(parts);
  size_t begun = 1;
  try {
    for (; begun < parts; ++begun)
      others.emplace_back([&, part = begun] { work(count * part / parts, count * (part + 1) / parts); });
  } catch (const std::system_error&) {  // no more threads: the rest is done here
  }
  work(0, count / parts);
  for (; begun < parts; ++begun) work(count * begun / parts, count * (begun + 1) / parts);
  for (std::thread& other : others) other.join();
}

}  // namespace hone
