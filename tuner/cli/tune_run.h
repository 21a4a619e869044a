// A tuning run on this machine: scheduler, tuner and runner as real processes, one job, followed to its end
// through the death of any of them.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "measure/wire.h"

namespace hone::cli {

struct TuneRun {
  wire::JobRequest request;
  std::string log;                                      ///< path of the log, absolute
  std::vector<std::string> transfer = {};               ///< other logs to learn from, absolute
  std::function<void(const wire::JobEvent&)> on_event;  ///< news to show
  std::function<void(const std::string&)> on_message;   ///< a process died, the job is being stopped
};

struct TuneOutcome {
  wire::JobEvent last;       ///< the last event: the job's end, or what was known when the run was given up
  bool interrupted = false;  ///< by Ctrl-C or SIGTERM
};

/// Errors: a program is missing, or one of them keeps dying (with its last words), or the job failed.
Result<TuneOutcome> run_tuning(const TuneRun& run);

}  // namespace hone::cli
