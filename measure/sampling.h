// The sampling loop: how many samples a candidate gets before its time is known well enough, or is known to
// be slow. Clock and sample are parameters, so that the loop itself has no time of its own and tests decide
// what it sees.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "measure/measurement.h"

namespace hone {

struct Samples {
  std::vector<double> ns;  ///< raw, in the order taken
  bool raced_out = false;  ///< stopped after two samples, both clearly slower than the best known
  std::string message;     ///< why, if raced out
};

/// Takes samples until there are `max_samples`, or at least `min_samples` and one of these: their spread is
/// at most target_spread * sqrt(taken / min_samples), or `budget` is over. From two on it stops once all of
/// them exceed best_ns * (1 + (out_factor - 1) * (min_samples / taken)^2). After two samples that both exceed
/// best_ns * race_factor it gives up (best_ns 0: no race, nothing is out; race_factor 0: no race). `now`: a
/// monotonic clock; `sample`: takes one sample and returns its nanoseconds.
Samples take_samples(const SamplingParameters& parameters, double best_ns,
                     const std::function<std::chrono::nanoseconds()>& now,
                     const std::function<double()>& sample);

}  // namespace hone
