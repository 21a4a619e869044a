// How a tuning run looks: rows per task, the line of totals, the summary and its JSON. Pure functions of the
// job's events, and a small display that redraws them in place on a terminal.
#pragma once

#include <string>
#include <vector>

#include "codegen/model/model.h"
#include "tuner/cli/output.h"
#include "tuner/session/tune_run.h"
#include "tuner/session/tuned.h"

namespace hone::cli {

using session::TunedParts;
using session::TunedTask;

/// For each lane its heading, its task_table and its total_line.
std::vector<std::string> lane_lines(const TunedParts& parts, const wire::JobEvent& event);

/// The heading and a row per task, those with the most time to spend first; at most `rows` tasks, the rest
/// counted.
std::vector<std::string> task_table(const std::vector<TunedTask>& tasks, const wire::JobEvent& event,
                                    size_t rows);
/// "total 1,842 trials (31/s), 12 failed (9 run_timeout, 3 crashed)   2.81 ms -> 2.52 ms   22 s left"
std::string total_line(const std::vector<TunedTask>& tasks, const wire::JobEvent& event);
/// One line per kind of failure: "9 run_timeout, e.g. ...".
std::vector<std::string> failure_lines(const wire::JobEvent& event);
/// Where the time went: of builders and of boards, each summed over workers with its share, and how many
/// trials a second each stage would do alone: "builders  propose 2.0 s (9 %), build 21.0 s (91 %)" "boards
/// upload 0.5 s (2 %), check 6.9 s (28 %), run 3.6 s (15 %), idle 13.1 s (54 %)" "trials/s  propose 921,
/// build 88, check 249, run 512, 50.4 together"
std::vector<std::string> stage_lines(const wire::JobEvent& event);
/// One JSON object on one line, with "lanes" where there are several: trials, failed by kind,
/// measured_before, seconds, best per task, and where the time went.
std::string tune_json(const std::string& model, const TunedParts& parts, const wire::JobEvent& event);

/// `--tasks list`: a row per task: number, how often the model has it, name, operations.
std::vector<std::string> task_list(const std::vector<PlannedTask>& tasks);
/// What a run tells beside its events, in words; empty for an event. `scheduler`: the lab's, as the user gave
/// it.
std::string news_line(const session::TuneNews& news, const std::string& scheduler);

/// Redraws table and totals on stderr, at most a few times a second; silent if stderr is no terminal.
class ProgressDisplay {
 public:
  ProgressDisplay(const Output& output, TunedParts parts) : output_(output), parts_(std::move(parts)) {}
  void show(const wire::JobEvent& event);
  /// Takes the table away, so that the summary stands in its place.
  void clear();

 private:
  const Output& output_;
  TunedParts parts_;
  size_t drawn_ = 0;  ///< lines on the screen
};

}  // namespace hone::cli
