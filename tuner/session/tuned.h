// What a job's events say of a model: its tasks, each model of boards by itself, the time of the whole.
#pragma once

#include <string>
#include <vector>

#include "codegen/base/digest.h"
#include "measure/wire.h"

namespace hone::session {

/// A task of a job as its model has it.
struct TunedTask {
  std::string summary;
  Digest key;
  int count = 1;  ///< how often the model has it
  double flops = 0;
};

/// The tasks of each target of a job: those of the request first.
using TunedParts = std::vector<std::vector<TunedTask>>;
TunedParts parts_of(const wire::JobSummary& job);

/// What an event says of one task; nothing yet if it does not name it.
wire::TaskProgress progress_of(const wire::JobEvent& event, size_t task);
/// Trials of this run, over all tasks.
uint64_t new_trials(const wire::JobEvent& event);

/// A job on one model of boards with one target, told as if it were all of the job.
struct LaneView {
  std::string board_model;  ///< empty if there is only one lane
  std::string reason;       ///< why nothing more is measured there; else empty
  uint32_t part = 0;        ///< index of its target
  const std::vector<TunedTask>* tasks = nullptr;
  wire::JobEvent event;  ///< its `boards` are those of this lane
};
/// One for each lane that is known; before the first board came one without times. Points into `parts`.
std::vector<LaneView> lane_views(const TunedParts& parts, const wire::JobEvent& event);

/// Milliseconds of the whole model as the sum over tasks; 0 while a task has no time yet.
struct ModelTime {
  double first_ms = 0, best_ms = 0;
  bool complete = false;  ///< every task has a time
};
ModelTime model_time(const std::vector<TunedTask>& tasks, const wire::JobEvent& event);
/// Names of the tasks that have no time: nothing could be measured, or the run ended before.
std::vector<std::string> unmeasured_tasks(const std::vector<TunedTask>& tasks, const wire::JobEvent& event);

}  // namespace hone::session
