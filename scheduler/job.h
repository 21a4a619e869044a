// A job and its tasks as values: what the records say about them, what is in flight, when a task is through.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/base/target.h"
#include "measure/measurement.h"
#include "measure/wire.h"
#include "scheduler/effects.h"
#include "scheduler/settings.h"
#include "scheduler/transfer.h"

namespace hone::scheduler {

enum class JobState : uint8_t { starting, in_progress, stopping, stopped, completed, failed };
std::string_view to_text(JobState state);  ///< "Starting", "InProgress", ...
bool is_terminal(JobState state);
/// The only changes there are.
bool is_legal(JobState from, JobState to);

/// What one candidate of a task showed so far.
struct Shown {
  Record record;               ///< its last search record, or its last final if there is none
  std::vector<double> finals;  ///< medians of its good finals, ns
  bool good = false;           ///< has a time: ok and nothing wrong since
  bool failed = false;         ///< by its own fault, at some time
  int final_repetitions = 0;   ///< finals committed, failures included
  double figure = 0;           ///< median over the finals if there are any, else the search's median; ns
};

enum class TaskPhase : uint8_t { search, finals, done };

struct TaskState {
  wire::JobTask task;
  Digest key;
  TaskPhase phase = TaskPhase::search;

  std::map<std::string, Shown> candidates;  ///< by "formulation parameters"
  std::set<std::string> pending;            ///< built and not yet measured, same keys
  std::set<std::string> aliases;            ///< built to the same code as another candidate
  std::set<Digest> artifacts;               ///< of trials: each counts once
  std::set<Digest> pending_artifacts;       ///< built in this run
  std::vector<double> times;                ///< of good trials in the order of commits, ns
  std::vector<double> best_after;           ///< best time after each trial (raced out ones too), ns
  uint32_t new_trials = 0;                  ///< of this run
  double spent_ms = 0;                      ///< building and measuring in this run
  double candidates_paid = 0;               ///< that this was spent on
  uint32_t failures = 0;
  uint64_t next_trial = 0;
  uint32_t zero_rounds = 0;   ///< rounds that asked for trial 0
  uint32_t asked = 0;         ///< candidates asked for in rounds that are not done
  uint32_t rounds = 0;        ///< rounds that are not done
  uint32_t empty_rounds = 0;  ///< in a row, without one fresh candidate
  uint32_t measuring = 0;     ///< measurements queued or leased
  bool exhausted = false;
  bool settled = false;  ///< expected gain under the noise
  bool finals_made = false;
  std::vector<NearPoint> near;  ///< points that were best for like tasks of earlier runs, nearest first
  Digest reference;             ///< of the check, once a tuner has sent it

  uint32_t trials() const { return static_cast<uint32_t>(best_after.size()); }
  bool has_time() const { return !times.empty(); }
  const Shown* best() const;  ///< by finals first, as LogDatabase::best; nullptr: none
  const Shown* trial_zero() const;
  double best_ns = 0;   ///< figure of best(), 0: none
  double first_ns = 0;  ///< of trial 0, 0: none
  /// Takes one committed record of this task into account; `is_new`: of this run.
  void observe(const Record& record, bool is_new);
  /// The best of the search, best first, at most `count`; for rounds and finals.
  std::vector<const Shown*> top(size_t count) const;
  /// Whether this candidate was measured in its present search space, is about to be, or is the same code as
  /// one that was.
  bool knows(const std::string& key, int space_version) const;

 private:
  mutable std::vector<std::string> ranked_;  ///< keys of what top() gave last
  mutable size_t ranked_for_ = 0;            ///< its count; 0: something was observed since
};

/// Text of a candidate within its task: "formulation parameters", as rounds list what was seen.
std::string candidate_key(const std::string& formulation, const std::string& parameters);

struct Job {
  uint64_t id = 0;
  wire::JobRequest request;
  JobState state = JobState::starting;
  std::string reason;
  std::string board_model;       ///< of the request, or of the first board that fits
  Target target;                 ///< of the request
  bool loaded = false;           ///< the log's records have been observed
  std::vector<TaskState> tasks;  ///< in the order of the request
  std::set<PeerId> followers;

  Time followed{0};       ///< when a client last followed it
  Time started{0};        ///< shifted back by what earlier runs of the scheduler spent on it
  Time waiting_since{0};  ///< for a board or a tuner
  Time last_event{0}, last_snapshot{0}, ended{0};
  bool changed = false;  ///< an event is due
  bool search_over = false;
  std::string search_reason;  ///< why
  bool for_target = false;    ///< it is over since the estimate is under the request's target
  double target_trust =
      1;  ///< the finals' time of the whole model as part of the estimate, when it was last over
  uint64_t measured_before = 0, candidates = 0;
  std::map<MeasureStatus, std::pair<uint64_t, std::string>> failed;
  wire::Stages stages;
  double measure_ms = 0;  ///< mean of one measurement on a board, all its stages
  double board_ms = 0;    ///< time on boards so far
  int64_t created_unix_ms = 0;
  uint64_t kept_trials = 0;    ///< of an ended job of an earlier start, whose tasks are not looked at
  uint64_t stopped_after = 0;  ///< sequence that must be durable before Stopping ends
  uint32_t boards = 0, tuners = 0;

  uint64_t trials() const;
  /// Whether `record` belongs to this job's conditions; gives the index of its task.
  std::optional<size_t> task_of(const Record& record) const;
  bool all_done() const;
  /// Milliseconds of the whole model: weight x best time, summed; 0 while a task has no time. `searched`: the
  /// fastest trials count even where finals were made before them.
  double model_ms(bool searched = false) const;
  /// Finals still to be measured if the search ended now.
  size_t finals_ahead(const Settings& settings) const;
};

}  // namespace hone::scheduler
