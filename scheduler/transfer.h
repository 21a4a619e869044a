// What is learned elsewhere and may help here: which records a cost model may be trained on, and which points
// were best for tasks like one that is searched now. Pure functions of records.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "measure/record.h"
#include "measure/wire.h"
#include "scheduler/settings.h"

namespace hone::scheduler {

struct Lane;

/// Says of target texts whether code for them runs through the same loops as code for one target: the same
/// triple and vector width, whatever the CPU.
class NearTargets {
 public:
  explicit NearTargets(std::string target);
  bool operator()(const std::string& other);

 private:
  std::string target_;
  std::map<std::string, bool> known_;  ///< parsing is dear, and logs have few targets
};

/// How far two tasks are from each other by their summaries ("conv3x3 s2 64>128 28x28 +relu"): 0 for equal
/// ones, half for each number that is twice as large and for each word that only one has; infinite for
/// another kind.
double task_distance(std::string_view a, std::string_view b);

/// A point that was the best somewhere.
struct NearPoint {
  double distance = 0;
  std::string point;  ///< "formulation parameters"
  bool operator==(const NearPoint&) const = default;
};

/// Under what a search measures.
struct Conditions {
  std::string target;       ///< canonical text
  std::string board_model;  ///< empty: any
  uint32_t threads = 1;
  TimingMode mode = TimingMode::llc;
};

/// The best points of like tasks in `logs`, nearest first; of the first of them, the job's own log, only
/// those under other conditions than the search's (another task, board, target, layout or mode).
std::vector<NearPoint> near_points(const std::vector<const std::vector<Record>*>& logs,
                                   const Conditions& search, const wire::JobTask& task, const Digest& key,
                                   const Settings& settings);

/// For a round of task `index`: `near_points` of earlier runs and the best of like tasks of this job, nearest
/// first. Empty once the task has trials enough of its own.
std::vector<std::string> hints_for(const Lane& lane, size_t index, const Settings& settings);

}  // namespace hone::scheduler
