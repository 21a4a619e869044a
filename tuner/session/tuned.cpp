// Sums and selections over a job's events.
#include "tuner/session/tuned.h"

#include "codegen/base/digest.h"

namespace hone::session {

TunedParts parts_of(const wire::JobSummary& job) {
  TunedParts parts;
  for (const wire::JobPart& part : job.parts) {
    std::vector<TunedTask>& tasks = parts.emplace_back();
    for (const wire::JobTask& task : part.tasks)
      tasks.push_back({task.summary, digest_of(task.task), static_cast<int>(task.weight), task.flops});
  }
  return parts;
}

wire::TaskProgress progress_of(const wire::JobEvent& event, size_t task) {
  return task < event.tasks.size() ? event.tasks[task] : wire::TaskProgress();
}

uint64_t new_trials(const wire::JobEvent& event) {
  uint64_t sum = 0;
  for (const wire::TaskProgress& task : event.tasks) sum += task.new_trials;
  return sum;
}

std::vector<LaneView> lane_views(const TunedParts& parts, const wire::JobEvent& event) {
  if (event.lanes.size() < 2) return {{"", "", 0, &parts.front(), event}};
  std::vector<LaneView> views;
  for (const wire::JobLane& lane : event.lanes) {
    if (lane.part >= parts.size()) continue;
    LaneView& view = views.emplace_back();
    view.board_model = lane.board_model;
    view.reason = lane.reason;
    view.part = lane.part;
    view.tasks = &parts[lane.part];
    view.event = event;
    view.event.lanes.clear();
    view.event.tasks = lane.tasks;
    view.event.boards = lane.boards;
    view.event.trials = view.event.measured_before = 0;
    view.event.failed.clear();
    view.event.eta_seconds = -1;
    for (const wire::TaskProgress& task : lane.tasks) view.event.trials += task.trials;
  }
  return views;
}

ModelTime model_time(const std::vector<TunedTask>& tasks, const wire::JobEvent& event) {
  ModelTime time;
  time.complete = !tasks.empty();
  for (size_t i = 0; i < tasks.size(); ++i) {
    const wire::TaskProgress progress = progress_of(event, i);
    if (progress.best_ns <= 0) time.complete = false;
    time.best_ms += progress.best_ns * 1e-6 * tasks[i].count;
    time.first_ms += (progress.first_ns > 0 ? progress.first_ns : progress.best_ns) * 1e-6 * tasks[i].count;
  }
  return time;
}

std::vector<std::string> unmeasured_tasks(const std::vector<TunedTask>& tasks, const wire::JobEvent& event) {
  std::vector<std::string> names;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (progress_of(event, i).best_ns <= 0) names.push_back(tasks[i].summary);
  }
  return names;
}

}  // namespace hone::session
