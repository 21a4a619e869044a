// A job, its lanes and their tasks as values: what the records say about them, what is in flight, when a task
// is through.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/base/target.h"
#include "measure/record.h"
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
  /// Its last search record, or its last final if there is none, without what all records of the task share
  /// and without samples and features: see TaskState::whole.
  Record record;
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

  std::map<std::string, Shown> candidates;       ///< by "formulation parameters"
  std::unordered_set<std::string> pending;       ///< built and not yet measured, same keys
  std::unordered_set<std::string> aliases;       ///< built to the same code as another candidate
  std::unordered_set<Digest> artifacts;          ///< of trials: each counts once
  std::unordered_set<Digest> pending_artifacts;  ///< built in this run
  std::vector<double> times;                     ///< of good trials in the order of commits, ns
  std::vector<double> best_after;                ///< best time after each trial (raced out ones too), ns
  uint32_t new_trials = 0;                       ///< of this run
  double building_ms = 0, boards_ms = 0;         ///< spent in this run, finals not counted
  uint32_t built = 0;  ///< candidates that the first was spent on, failures included
  uint32_t failures = 0;
  uint64_t next_trial = 0;
  uint32_t zero_rounds = 0;   ///< rounds that asked for trial 0
  uint32_t asked = 0;         ///< candidates asked for in rounds that are not done
  uint32_t rounds = 0;        ///< rounds that are not done
  uint32_t empty_rounds = 0;  ///< in a row, without one fresh candidate
  uint32_t measuring = 0;     ///< measurements queued or leased
  bool exhausted = false;
  bool settled = false;                ///< expected gain under the noise
  bool finals_made = false;            ///< no repetition of finals will follow
  std::vector<std::string> finalists;  ///< of the last repetition, keys of `candidates`
  int final_round = 0;                 ///< repetitions made in this run
  std::string final_winner;            ///< of the last repetition but one
  std::vector<NearPoint> near;  ///< points that were best for like tasks of earlier runs, nearest first
  Digest reference;             ///< of the check, once a tuner has sent it

  uint32_t trials() const { return static_cast<uint32_t>(best_after.size()); }
  bool has_time() const { return !times.empty(); }
  /// Of `built`, those that wait for no board: what `boards_ms` was spent on.
  uint32_t settled_candidates() const { return built - std::min(built, measuring); }
  const Shown* best() const;  ///< by finals first, as LogDatabase::best; nullptr: none
  const Shown* trial_zero() const;
  /// The record of `shown` with task, target and ports, still without samples and features.
  Record whole(const Shown& shown) const;
  double best_ns = 0;   ///< figure of best(), 0: none
  double first_ns = 0;  ///< of trial 0, 0: none
  /// Takes one committed record of this task into account; `is_new`: of this run.
  void observe(const Record& record, bool is_new);
  /// The best of the search, best first, at most `count`; for rounds and finals.
  std::vector<const Shown*> top(size_t count) const;
  /// Chooses `finalists` for the next repetition: the best of the search and trial 0, then those of them that
  /// may still win. False: it is decided (one alone has one final, to be right on other data too).
  bool next_finals(const Settings& settings);
  /// Whether this candidate was measured in its present search space, is about to be, or is the same code as
  /// one that was.
  bool knows(const std::string& key, int space_version) const;

 private:
  static bool is_better(const Shown& shown, const Shown& best);
  void find_best();
  void find_zero();
  std::string best_key_, zero_key_;          ///< of best() and trial_zero(); empty: none
  Record common_;                            ///< what all records of the task share
  mutable std::vector<std::string> ranked_;  ///< keys of what top() gave last
  mutable size_t ranked_for_ = 0;            ///< its count; 0: something was observed since
};

/// Text of a candidate within its task: "formulation parameters", as rounds list what was seen.
std::string candidate_key(const std::string& formulation, const std::string& parameters);
std::string candidate_key(const CandidateText& candidate);

/// A job on one model of boards with one target: what is best there is found there, with a budget of its own.
/// A job has one for each model that fits.
struct Lane {
  size_t part = 0;          ///< 0: the request's own target and tasks, i: request.also[i - 1]
  std::string target_text;  ///< canonical
  Target target;
  std::string board_model;
  uint32_t threads = 1;
  TimingMode mode = TimingMode::llc;
  bool loaded = false;           ///< the log's records have been observed
  std::vector<TaskState> tasks;  ///< in the order of the request
  uint64_t candidates = 0;
  uint32_t boards = 0;
  Time waiting_since{0};  ///< for a board
  bool search_over = false;
  std::string search_reason;  ///< why
  bool for_target = false;    ///< it is over since the estimate is under the request's target
  double target_trust =
      1;  ///< the finals' time of the whole model as part of the estimate, when it was last over
  double measure_ms = 0;  ///< mean of one measurement on a board, all its stages

  uint64_t trials() const;
  /// The task that `record` was measured for, if target, board, threads and mode are this lane's; a candidate
  /// that could not be built belongs to all boards.
  std::optional<size_t> task_of(const Record& record) const;
  /// The task of that key and ports.
  std::optional<size_t> find_task(const Digest& key, const std::string& ports) const;
  bool all_done() const;
  /// Milliseconds of the whole model: weight x best time, summed; 0 while a task has no time. `searched`: the
  /// fastest trials count even where finals were made before them.
  double model_ms(bool searched = false) const;
  /// Finals still to be measured if the search ended now.
  size_t finals_ahead(const Settings& settings) const;
  /// Candidates that are asked for, or built and not measured, for each of its boards.
  double backlog() const;

 private:
  mutable std::unordered_multimap<Digest, size_t>
      by_key_;  ///< of `tasks`; made anew when their number changes
};

/// Which lane, and what it tried: what is kept of it over restarts.
struct RecoveredLane {
  uint64_t part = 0;
  std::string board_model;
  uint64_t candidates = 0;
  bool operator==(const RecoveredLane&) const = default;
};

struct Job {
  uint64_t id = 0;
  wire::JobRequest request;
  size_t bytes = 0;  ///< of its texts
  JobState state = JobState::starting;
  std::string reason;
  std::vector<Target> targets;             ///< of the request's parts
  std::vector<Lane> lanes;                 ///< in the order in which their first boards came
  std::vector<RecoveredLane> known_lanes;  ///< of an earlier run of it, until `lanes` are set up
  std::set<PeerId> followers;

  Time followed{0};       ///< when a client last followed it
  Time started{0};        ///< shifted back by what earlier runs of the scheduler spent on it
  Time waiting_since{0};  ///< for a board or a tuner
  Time last_event{0}, last_snapshot{0}, ended{0};
  bool changed = false;  ///< an event is due
  uint64_t measured_before = 0;
  std::map<MeasureStatus, std::pair<uint64_t, std::string>> failed;
  wire::Stages stages;
  double board_ms = 0;  ///< time on boards so far
  int64_t created_unix_ms = 0;
  uint64_t kept_trials = 0;    ///< of an ended job of an earlier start, whose tasks are not looked at
  uint64_t stopped_after = 0;  ///< sequence that must be durable before Stopping ends
  uint32_t boards = 0, tuners = 0;

  uint64_t trials() const;
  uint64_t candidates() const;
  /// Mean over its lanes of one measurement's ms; 0: nothing was measured.
  double measure_ms() const;
  std::vector<RecoveredLane> recovered_lanes() const;
  bool loaded() const;  ///< it has lanes, and all are
  /// Its targets and tasks: `part` 0 are the request's own.
  /// The boards' models, each once: "A, B".
  std::string board_models() const;
};

}  // namespace hone::scheduler
