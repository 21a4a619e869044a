// `hone bench` as functions: how long a built model takes, as a whole and per operator, and how near that is
// to what the machine could do.
#pragma once

#include <string>
#include <vector>

#include "codegen/runtime/host/host.h"
#include "devices/roofline.h"

namespace hone::session {

struct BenchRequest {
  std::string model;  ///< file
  bool require_digest = false;
  int threads = 1;
  double seconds = 1;      ///< how long to measure, in all
  bool operators = false;  ///< each of them too
};

/// One operator of the model.
struct OperatorTime {
  std::string name, task, formulation;
  bool tuned = false;     ///< else it has the schedule that the target alone implies
  std::string described;  ///< all that the model says of it: a JSON object
  double flops = 0, bytes = 0;
  double one_thread = 0;  ///< seconds; 0: not measured, since there is no more than one
  roofline::Work work;    ///< its `seconds` are the median
  roofline::Bound bound;

  double share() const { return bound.seconds() / work.seconds; }  ///< of the roof
  /// Beyond what a microsecond's jitter makes.
  bool slower_than_alone() const {
    return one_thread > 0 && work.seconds > 1.05 * one_thread && work.seconds > one_thread + 5e-7;
  }
};
struct BenchOutcome {
  std::vector<double> samples;  ///< seconds of each run of the whole
  double median = 0, least = 0;
  std::vector<OperatorTime> operators;  ///< if asked for, in the order of the model
  roofline::Machine machine;            ///< measured only if operators were asked for
};

/// `model` was loaded from `request.model` with as many threads. Errors: the model's description cannot be
/// read, it cannot be run.
Result<BenchOutcome> bench(LoadedModel& model, const BenchRequest& request);
/// The operators under the machine's roof, as SVG.
std::string bench_plot(const BenchOutcome& outcome, const std::string& title);

}  // namespace hone::session
