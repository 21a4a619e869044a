#include "measure/sampling.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace hone {
namespace {

/// Whether every sample so far says that it is slower than the best: the fewer there are, the more by.
bool is_out(const std::vector<double>& ns, const SamplingParameters& parameters, double best_ns) {
  if (best_ns <= 0 || parameters.out_factor <= 0) return false;
  const double part = std::max(1, parameters.min_samples) / static_cast<double>(ns.size());
  const double factor = 1 + (parameters.out_factor - 1) * part * part;
  return *std::min_element(ns.begin(), ns.end()) > best_ns * factor;
}

}  // namespace

Samples take_samples(const SamplingParameters& parameters, double best_ns,
                     const std::function<std::chrono::nanoseconds()>& now,
                     const std::function<double()>& sample) {
  const int least = std::max(1, parameters.min_samples);
  const int most = std::max(least, parameters.max_samples);
  const auto start = now();
  Samples samples;
  samples.ns.reserve(static_cast<size_t>(most));
  Measurement so_far;
  so_far.samples_ns.reserve(static_cast<size_t>(most));
  for (int taken = 1; taken <= most; ++taken) {
    samples.ns.push_back(sample());
    if (taken == 2 && best_ns > 0 && parameters.race_factor > 0) {
      const double faster = std::min(samples.ns[0], samples.ns[1]);
      if (faster > best_ns * parameters.race_factor) {
        char text[96];
        std::snprintf(text, sizeof text, "%.4g us, %.2f times the best (%.4g us)", faster / 1e3,
                      faster / best_ns, best_ns / 1e3);
        samples.raced_out = true;
        samples.message = text;
        return samples;
      }
    }
    if (taken > 1 && is_out(samples.ns, parameters, best_ns)) break;
    if (taken < least) continue;
    so_far.samples_ns = samples.ns;
    summarise(so_far);
    if (taken > 1 && so_far.spread <= parameters.target_spread * std::sqrt(double(taken) / least)) break;
    if (now() - start >= parameters.budget) break;
  }
  return samples;
}

}  // namespace hone
