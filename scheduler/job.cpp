// Bookkeeping over committed records. Nothing here knows of peers or leases.
#include "scheduler/job.h"

#include <algorithm>
#include <utility>

namespace hone::scheduler {
namespace {

/// Without what is the same for all records of a task, and without its bulk. The task key stays: it says that
/// there is a record.
Record slim(const Record& record) {
  Record out;
  out.task_key = record.task_key;
  out.candidate.formulation = record.candidate.formulation;
  out.candidate.parameters = record.candidate.parameters;
  out.candidate.schedule = record.candidate.schedule;
  out.candidate.space_version = record.candidate.space_version;
  out.artifact = record.artifact;
  out.board = record.board;
  out.measurement = record.measurement;
  out.measurement.samples_ns = std::vector<double>();
  out.from = record.from;
  out.feature_version = record.feature_version;
  return out;
}

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

std::string candidate_key(const CandidateText& candidate) {
  return candidate_key(candidate.formulation, candidate.parameters);
}

std::string candidate_key(const std::string& formulation, const std::string& parameters) {
  return parameters.empty() ? formulation : formulation + " " + parameters;
}

void TaskState::observe(const Record& record, bool is_new) {
  ranked_for_ = 0;
  const Measurement& measured = record.measurement;
  const auto place = candidates.try_emplace(candidate_key(record.candidate)).first;
  Shown& shown = place->second;
  const bool was_good = shown.good, had_finals = !shown.finals.empty();
  const double figure_before = shown.figure;
  // The same parameters in a newer space are other code: what was known of them no longer counts.
  if (!shown.record.task_key.empty() && record.candidate.space_version > shown.record.candidate.space_version)
    shown = {};
  const bool is_fault = is_candidates_fault(measured.status);
  next_trial = std::max(next_trial, record.from.trial + 1);
  if (is_fault) shown.failed = true;
  if (record.from.final) {
    shown.final_repetitions = std::max(shown.final_repetitions, record.from.repetition + 1);
    if (measured.status == MeasureStatus::ok) shown.finals.push_back(measured.median_ns);
    if (shown.record.task_key.empty()) shown.record = slim(record);
  } else {
    shown.record = slim(record);
  }
  if (common_.task_key.empty()) {
    common_.task_key = record.task_key;
    common_.candidate.task = record.candidate.task;
    common_.task_summary = record.task_summary;
    common_.candidate.target = record.candidate.target;
    common_.candidate.ports = record.candidate.ports;
  }
  shown.good = !shown.failed && (shown.good || measured.status == MeasureStatus::ok);
  shown.figure = shown.finals.empty() ? shown.record.measurement.median_ns : median_of(shown.finals);
  // Only a best that got worse makes a look at all of them necessary.
  const bool is_worse =
      was_good && (!shown.good || had_finals || !shown.finals.empty() || shown.figure > figure_before);
  if (place->first == best_key_ && is_worse)
    find_best();
  else if (shown.good && (best_key_.empty() || is_better(shown, candidates.at(best_key_))))
    best_key_ = place->first;
  const Shown* fastest = best();
  best_ns = fastest == nullptr ? 0 : fastest->figure;
  if (shown.good && shown.record.from.trial == 0 && (zero_key_.empty() || place->first < zero_key_))
    zero_key_ = place->first;
  else if (place->first == zero_key_ && !(shown.good && shown.record.from.trial == 0))
    find_zero();
  const Shown* zero = trial_zero();
  first_ns = zero == nullptr ? 0 : zero->figure;
  if (record.from.final) return;
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
    return candidate_key(a->record.candidate) < candidate_key(b->record.candidate);
  });
  good.erase(middle, good.end());
  ranked_.clear();
  for (const Shown* shown : good) ranked_.push_back(candidate_key(shown->record.candidate));
  ranked_for_ = count;
  return good;
}

bool TaskState::next_finals(const Settings& settings) {
  if (final_round++ == 0) {
    for (const Shown* shown : top(static_cast<size_t>(settings.finalists)))
      finalists.push_back(candidate_key(shown->record.candidate));
    if (!zero_key_.empty() && std::ranges::find(finalists, zero_key_) == finalists.end())
      finalists.push_back(zero_key_);
    return !finalists.empty() && settings.repetitions > 0;
  }
  const bool alone = finalists.size() == 1;
  std::erase_if(finalists, [&](const std::string& key) {
    return !candidates.at(key).good || candidates.at(key).finals.empty();
  });
  if (alone || finalists.empty() || final_round > settings.repetitions) return false;
  // Within the repetition: a board is not equally fast in all minutes.
  const auto last_ns = [&](const std::string& key) { return candidates.at(key).finals.back(); };
  const std::string winner = *std::ranges::min_element(finalists, {}, last_ns);
  const double most_ns = last_ns(winner) * (1 + settings.final_margin);
  std::erase_if(finalists, [&](const std::string& key) { return last_ns(key) > most_ns; });
  return finalists.size() > 1 && std::exchange(final_winner, winner) != winner;
}

bool TaskState::is_better(const Shown& shown, const Shown& best) {
  const bool has_finals = !shown.finals.empty();
  return (has_finals && best.finals.empty()) ||
         (has_finals == !best.finals.empty() && shown.figure < best.figure);
}

void TaskState::find_best() {
  const Shown* best = nullptr;
  best_key_.clear();
  for (const auto& [key, shown] : candidates) {
    if (!shown.good || (best != nullptr && !is_better(shown, *best))) continue;
    best = &shown;
    best_key_ = key;
  }
}

void TaskState::find_zero() {
  zero_key_.clear();
  for (const auto& [key, shown] : candidates) {
    if (!shown.good || shown.record.from.trial != 0) continue;
    zero_key_ = key;
    return;
  }
}

const Shown* TaskState::best() const { return best_key_.empty() ? nullptr : &candidates.at(best_key_); }

const Shown* TaskState::trial_zero() const { return zero_key_.empty() ? nullptr : &candidates.at(zero_key_); }

Record TaskState::whole(const Shown& shown) const {
  Record record = shown.record;
  record.candidate.task = common_.candidate.task;
  record.task_summary = common_.task_summary;
  record.candidate.target = common_.candidate.target;
  record.candidate.ports = common_.candidate.ports;
  return record;
}

bool TaskState::knows(const std::string& key, int space_version) const {
  if (pending.contains(key) || aliases.contains(key)) return true;
  const auto found = candidates.find(key);
  return found != candidates.end() && found->second.record.candidate.space_version >= space_version;
}

uint64_t Lane::trials() const {
  uint64_t sum = 0;
  for (const TaskState& task : tasks) sum += task.trials();
  return sum;
}

std::optional<size_t> Lane::task_of(const Record& record) const {
  const bool is_elsewhere =
      !record.artifact.empty() && !record.board.model.empty() && record.board.model != board_model;
  if (is_elsewhere || record.candidate.target != target_text ||
      record.measurement.threads != static_cast<int>(threads) || record.measurement.mode != mode)
    return std::nullopt;
  return find_task(record.task_key, record.candidate.ports);
}

std::optional<size_t> Lane::find_task(const Digest& key, const std::string& ports) const {
  if (by_key_.size() != tasks.size()) {
    by_key_.clear();
    for (size_t i = 0; i < tasks.size(); ++i) by_key_.emplace(tasks[i].key, i);
  }
  const auto [first, last] = by_key_.equal_range(key);
  for (auto place = first; place != last; ++place)
    if (tasks[place->second].task.ports == ports) return place->second;
  return std::nullopt;
}

bool Lane::all_done() const {
  return std::all_of(tasks.begin(), tasks.end(),
                     [](const TaskState& task) { return task.phase == TaskPhase::done; });
}

double Lane::model_ms(bool searched) const {
  double sum = 0;
  for (const TaskState& task : tasks) {
    if (task.best_ns <= 0) return 0;
    const double last = searched && !task.best_after.empty() ? task.best_after.back() : 0;
    sum += task.task.weight * (last > 0 ? std::min(last, task.best_ns) : task.best_ns) * 1e-6;
  }
  return sum;
}

size_t Lane::finals_ahead(const Settings& settings) const {
  size_t sum = 0;
  for (const TaskState& task : tasks) {
    if (task.phase == TaskPhase::done || task.new_trials == 0) continue;
    if (task.phase == TaskPhase::finals && task.finals_made) {
      sum += task.measuring;
    } else if (task.phase == TaskPhase::finals && task.final_round > 0) {
      sum += task.measuring + task.finalists.size();
    } else {
      const size_t finalists = std::min(task.times.size(), static_cast<size_t>(settings.finalists) + 1);
      sum += finalists > 1 ? finalists * static_cast<size_t>(settings.repetitions) : finalists;
    }
  }
  return sum;
}

double Lane::backlog() const {
  double sum = 0;
  for (const TaskState& task : tasks) sum += task.asked + task.measuring;
  return sum / std::max(1u, boards);
}

uint64_t Job::trials() const {
  if (lanes.empty()) return kept_trials;
  uint64_t sum = 0;
  for (const Lane& lane : lanes) sum += lane.trials();
  return sum;
}

uint64_t Job::candidates() const {
  uint64_t sum = 0;
  for (const Lane& lane : lanes) sum += lane.candidates;
  return sum;
}

double Job::measure_ms() const {
  double sum = 0, count = 0;
  for (const Lane& lane : lanes) {
    sum += lane.measure_ms;
    count += lane.measure_ms > 0 ? 1 : 0;
  }
  return count > 0 ? sum / count : 0;
}

std::vector<RecoveredLane> Job::recovered_lanes() const {
  if (lanes.empty()) return known_lanes;
  std::vector<RecoveredLane> out;
  for (const Lane& lane : lanes) out.push_back({lane.part, lane.board_model, lane.candidates});
  return out;
}

bool Job::loaded() const { return !lanes.empty() && std::ranges::all_of(lanes, &Lane::loaded); }

std::string Job::board_models() const {
  std::vector<std::string> models;
  for (const RecoveredLane& lane : recovered_lanes())
    if (std::ranges::find(models, lane.board_model) == models.end()) models.push_back(lane.board_model);
  std::string out;
  for (const std::string& model : models) out += (out.empty() ? "" : ", ") + model;
  return out.empty() ? request.board_model : out;
}

}  // namespace hone::scheduler
