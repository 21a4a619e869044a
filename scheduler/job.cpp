// Bookkeeping over committed records. Nothing here knows of peers or leases.
#include "scheduler/job.h"

#include <algorithm>

namespace hone::scheduler {
namespace {

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

}  // namespace

std::string_view to_text(JobState state) {
  switch (state) {
    case JobState::starting:
      return "Starting";
    case JobState::in_progress:
      return "InProgress";
    case JobState::stopping:
      return "Stopping";
    case JobState::stopped:
      return "Stopped";
    case JobState::completed:
      return "Completed";
    case JobState::failed:
      return "Failed";
  }
  HONE_CHECK(false);
}

bool is_terminal(JobState state) { return state >= JobState::stopped; }

bool is_legal(JobState from, JobState to) {
  switch (from) {
    case JobState::starting:
      return to == JobState::in_progress || to == JobState::stopping || to == JobState::completed ||
             to == JobState::failed;
    case JobState::in_progress:
      return to == JobState::stopping || to == JobState::completed || to == JobState::failed;
    case JobState::stopping:
      return to == JobState::stopped;
    case JobState::stopped:
    case JobState::failed:
      return to == JobState::starting;  // resumed
    default:
      return false;
  }
}

std::string candidate_key(const std::string& formulation, const std::string& parameters) {
  return parameters.empty() ? formulation : formulation + " " + parameters;
}

void TaskState::observe(const Record& record, bool is_new) {
  ranked_for_ = 0;
  const Measurement& measured = record.measurement;
  Shown& shown = candidates[candidate_key(record.formulation, record.parameters)];
  // The same parameters in a newer space are other code: what was known of them no longer counts.
  if (!shown.record.task_key.empty() && record.space_version > shown.record.space_version) shown = {};
  const bool is_fault = is_candidates_fault(measured.status);
  next_trial = std::max(next_trial, record.trial + 1);
  if (is_fault) shown.failed = true;
  if (record.final) {
    shown.final_repetitions = std::max(shown.final_repetitions, record.repetition + 1);
    if (measured.status == MeasureStatus::ok) shown.finals.push_back(measured.median_ns);
    if (shown.record.task_key.empty()) shown.record = record;
  } else {
    shown.record = record;
  }
  shown.good = !shown.failed && (shown.good || measured.status == MeasureStatus::ok);
  shown.figure = shown.finals.empty() ? shown.record.measurement.median_ns : median_of(shown.finals);
  const Shown* fastest = best();
  best_ns = fastest == nullptr ? 0 : fastest->figure;
  const Shown* zero = trial_zero();
  first_ns = zero == nullptr ? 0 : zero->figure;
  if (record.final) return;
  if (measured.status == MeasureStatus::ok || measured.status == MeasureStatus::raced_out) {
    if (!artifacts.insert(record.artifact).second) return;
    if (measured.status == MeasureStatus::ok) times.push_back(measured.median_ns);
    const double before = best_after.empty() ? 0 : best_after.back();
    const bool better = measured.status == MeasureStatus::ok && (before == 0 || measured.median_ns < before);
    best_after.push_back(better ? measured.median_ns : before);
    if (is_new) ++new_trials;
  } else {
    ++failures;
  }
}

std::vector<const Shown*> TaskState::top(size_t count) const {
  std::vector<const Shown*> good;
  if (count > 0 && count <= ranked_for_) {  // other tasks ask for hints again and again
    for (size_t i = 0; i < std::min(count, ranked_.size()); ++i) good.push_back(&candidates.at(ranked_[i]));
    return good;
  }
  for (const auto& [key, shown] : candidates)
    if (shown.good) good.push_back(&shown);
  // Ties go by the candidate's text, the order that `candidates` gives them in.
  const auto middle = good.begin() + static_cast<std::ptrdiff_t>(std::min(count, good.size()));
  std::partial_sort(good.begin(), middle, good.end(), [](const Shown* a, const Shown* b) {
    if (a->figure != b->figure) return a->figure < b->figure;
    return candidate_key(a->record.formulation, a->record.parameters) <
           candidate_key(b->record.formulation, b->record.parameters);
  });
  good.erase(middle, good.end());
  ranked_.clear();
  for (const Shown* shown : good)
    ranked_.push_back(candidate_key(shown->record.formulation, shown->record.parameters));
  ranked_for_ = count;
  return good;
}

const Shown* TaskState::best() const {
  const Shown* best = nullptr;
  for (const auto& [key, shown] : candidates) {
    if (!shown.good) continue;
    const bool has_finals = !shown.finals.empty();
    if (best == nullptr || (has_finals && best->finals.empty()) ||
        (has_finals == !best->finals.empty() && shown.figure < best->figure))
      best = &shown;
  }
  return best;
}

const Shown* TaskState::trial_zero() const {
  for (const auto& [key, shown] : candidates)
    if (shown.good && shown.record.trial == 0) return &shown;
  return nullptr;
}

bool TaskState::knows(const std::string& key, int space_version) const {
  if (pending.contains(key) || aliases.contains(key)) return true;
  const auto found = candidates.find(key);
  return found != candidates.end() && found->second.record.space_version >= space_version;
}

uint64_t Job::trials() const {
  if (tasks.empty()) return kept_trials;
  uint64_t sum = 0;
  for (const TaskState& task : tasks) sum += task.trials();
  return sum;
}

std::optional<size_t> Job::task_of(const Record& record) const {
  if (record.target != request.target || record.measurement.threads != static_cast<int>(request.threads) ||
      record.measurement.mode != request.mode ||
      (!record.board_model.empty() && record.board_model != board_model))
    return std::nullopt;
  for (size_t i = 0; i < tasks.size(); ++i)
    if (tasks[i].key == record.task_key && tasks[i].task.ports == record.ports) return i;
  return std::nullopt;
}

bool Job::all_done() const {
  return std::all_of(tasks.begin(), tasks.end(),
                     [](const TaskState& task) { return task.phase == TaskPhase::done; });
}

double Job::model_ms(bool searched) const {
  double sum = 0;
  for (const TaskState& task : tasks) {
    if (task.best_ns <= 0) return 0;
    const double last = searched && !task.best_after.empty() ? task.best_after.back() : 0;
    sum += task.task.weight * (last > 0 ? std::min(last, task.best_ns) : task.best_ns) * 1e-6;
  }
  return sum;
}

size_t Job::finals_ahead(const Settings& settings) const {
  size_t sum = 0;
  for (const TaskState& task : tasks) {
    if (task.phase == TaskPhase::done || task.new_trials == 0) continue;
    if (task.phase == TaskPhase::finals && task.finals_made)
      sum += task.measuring;
    else
      sum += std::min(task.times.size(), static_cast<size_t>(settings.finalists) + 1) *
             static_cast<size_t>(settings.repetitions);
  }
  return sum;
}

}  // namespace hone::scheduler
