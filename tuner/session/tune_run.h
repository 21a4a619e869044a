// A tuning run on this machine: scheduler, tuner and runner as real processes, one job, followed to its end
// through the death of any of them.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "measure/wire.h"
#include "tuner/session/interrupt.h"

namespace hone::session {

struct TuneRun {
  wire::JobRequest request;
  std::string log;                         ///< path of the log, absolute
  std::vector<std::string> transfer = {};  ///< other logs to learn from, absolute
  /// The folder of hone-scheduler, hone-tuner and hone-runner; empty: that of this process's executable.
  std::filesystem::path programs = {};
};

/// What a run tells while it goes on.
struct ProgramDied {
  std::string program, how;  ///< it was started again
};
struct Stopping {};  ///< as it was asked to; what was measured is in the log
struct JobAccepted {
  uint64_t job = 0;
};
/// It was asked to end, and the job of a lab goes on without it.
struct JobGoesOn {
  uint64_t job = 0;
};
struct SchedulerTrouble {
  std::string what;  ///< why nothing goes on at present
};
using TuneNews =
    std::variant<wire::JobEvent, ProgramDied, Stopping, JobAccepted, JobGoesOn, SchedulerTrouble>;
/// Called on the thread that runs. May be empty.
using TellNews = std::function<void(const TuneNews&)>;

struct TuneOutcome {
  wire::JobEvent last;       ///< the last event: the job's end, or what was known when the run was given up
  bool interrupted = false;  ///< it was asked to end
};

/// Errors: a program is missing, or one of them keeps dying (with its last words), or the job failed. The
/// children die with the thread that calls this.
Result<TuneOutcome> run_tuning(const TuneRun& run, const TellNews& tell, const Interrupt& interrupt = {});

}  // namespace hone::session
