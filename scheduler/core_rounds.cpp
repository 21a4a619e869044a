// Rounds for tuners and what they build.
#include <algorithm>

#include "scheduler/budget.h"
#include "scheduler/core.h"
#include "scheduler/transfer.h"

namespace hone::scheduler {
namespace {

/// Splitmix64 (Steele et al. 2014): neighbouring inputs give unrelated seeds.
uint64_t mixed(uint64_t value) {
  value += 0x9E3779B97F4A7C15ull;
  value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9ull;
  value = (value ^ (value >> 27)) * 0x94D049BB133111EBull;
  return value ^ (value >> 31);
}

/// What a tuner needs of a record to propose from it.
Record without_bulk(Record record) {
  record.features.clear();
  record.measurement.samples_ns.clear();
  return record;
}

}  // namespace

std::optional<uint32_t> Core::room_for_round(const Job& job, const TaskState& task) const {
  uint64_t queued = 0, in_flight = 0;
  for (const TaskState& other : job.tasks) {
    queued += other.measuring;
    in_flight += other.asked + (other.phase == TaskPhase::search ? other.measuring : 0);
  }
  const uint64_t boards = std::max(1u, job.boards);
  // What waits must fit the artifact store too.
  const uint64_t most = std::min<uint64_t>(boards * settings_.queue_rounds * settings_.round_size,
                                           std::max<uint64_t>(settings_.artifact_count / 4, 1));
  if (queued >= most) return std::nullopt;
  uint64_t count = settings_.round_size;
  if (!task.has_time() && task.failures == 0) count = 1;  // trial 0 first: all else builds on its time
  if (job.request.max_trials > 0) {
    const uint64_t used = job.trials() + in_flight, tried = job.candidates + in_flight;
    if (used >= job.request.max_trials || tried >= 2 * job.request.max_trials) return std::nullopt;
    count = std::min({count, job.request.max_trials - used, 2 * job.request.max_trials - tried});
  }
  return static_cast<uint32_t>(count);
}

bool Core::make_round(const PeerId& tuner) {
  if (!round_queue_.empty()) {
    const uint64_t id = round_queue_.front();
    round_queue_.pop_front();
    grant(works_.at(id), tuner);
    return true;
  }
  std::vector<Job*> candidates;
  for (auto& [id, job] : jobs_)
    if (job.state == JobState::in_progress && !job.search_over &&
        (settings_.abandon == Time(0) || !job.followers.empty()))
      candidates.push_back(&job);
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const Job* a, const Job* b) { return a->last_round < b->last_round; });
  for (Job* job : candidates) {
    const auto chosen = choose_task(*job, settings_);
    if (!chosen) continue;
    if (const auto model = models_.find(job->request.target); model != models_.end() && model->second.warming)
      continue;
    TaskState& task = job->tasks[*chosen];
    const auto count = room_for_round(*job, task);
    if (!count) continue;
    wire::Round round;
    round.job = job->id;
    round.task = task.task.task;
    round.target = job->request.target;
    round.ports = task.task.ports;
    round.threads = job->request.threads;
    round.mode = job->request.mode;
    round.count = *count;
    const bool tried_zero = task.zero_rounds >= settings_.round_attempts ||
                            std::any_of(task.candidates.begin(), task.candidates.end(),
                                        [](const auto& entry) { return entry.second.record.trial == 0; });
    if (!task.has_time() && !tried_zero) {
      ++task.zero_rounds;
      round.first_trial = 0;
      round.count = 1;
    } else {
      round.first_trial = std::max<uint64_t>(task.next_trial, 1);
    }
    task.next_trial = std::max(task.next_trial, round.first_trial + round.count);
    round.seed = mixed(job->request.seed +
                       mixed(std::stoull(task.key.substr(0, 15), nullptr, 16) + mixed(round.first_trial)));
    if (const auto model = models_.find(round.target);
        model != models_.end() && artifacts_.has(model->second.digest))
      round.cost_model = model->second.digest;
    for (const Shown* shown : task.top(static_cast<size_t>(settings_.top_records)))
      round.top.push_back(without_bulk(shown->record));
    std::map<std::string, uint32_t> seen;
    for (const auto& [key, shown] : task.candidates)
      seen[key] = static_cast<uint32_t>(shown.record.space_version);
    for (const std::set<std::string>* present : {&task.pending, &task.aliases})
      for (const std::string& key : *present) seen[key] = 0;
    for (const auto& [key, version] : seen) {
      round.seen.push_back(key);
      round.seen_versions.push_back(version);
    }
    if (task.has_time()) round.hints = hints_for(*job, *chosen, settings_);

    Work work;
    work.id = next_work_++;
    work.job = job->id;
    work.task = *chosen;
    work.what = RoundWork{std::move(round), 0, 0};
    ++task.rounds;
    task.asked += std::get<RoundWork>(work.what).round.count;
    job->last_round = next_work_;
    grant(works_.emplace(work.id, std::move(work)).first->second, tuner);
    return true;
  }
  return false;
}

void Core::built(const PeerId& peer, const wire::Built& built, std::vector<wire::Bytes> blobs) {
  Work* work = leased(built.lease, peer);
  if (work == nullptr || !std::holds_alternative<RoundWork>(work->what)) {
    ++counters_.stale;
    return;
  }
  const wire::Round& round = std::get<RoundWork>(work->what).round;
  if (built.candidate.task != round.task || built.candidate.target != round.target ||
      built.candidate.ports != round.ports) {
    ++counters_.malformed;
    send(peer, wire::NotUnderstood{"the candidate is not of the round's task, target and ports"});
    return;
  }
  Job& job = jobs_.at(work->job);
  TaskState& task = job.tasks[work->task];
  work->moved = now_.steady;
  RoundWork& progress = std::get<RoundWork>(work->what);
  if (progress.delivered < round.count) {
    ++progress.delivered;
    --task.asked;
  }
  job.stages.build_ms += built.build_ms;
  task.spent_ms += built.build_ms;
  ++task.candidates_paid;
  job.changed = true;

  Record record;
  record.task_key = task.key;
  record.task_text = round.task;
  record.task_summary = task.task.summary;
  record.target = round.target;
  record.formulation = built.candidate.formulation;
  record.parameters = built.candidate.parameters;
  record.schedule = built.candidate.schedule;
  record.ports = round.ports;
  record.space_version = static_cast<int>(built.candidate.space_version);
  record.board_model = job.board_model;
  record.measurement.threads = static_cast<int>(round.threads);
  record.measurement.mode = round.mode;
  record.trial = built.trial;
  record.features = built.features;
  record.feature_version = static_cast<int>(built.feature_version);
  record.job = job.request.name;
  record.tuner = peers_.at(peer).name;
  accept_built(*work, built, std::move(record), std::move(blobs));
}

void Core::accept_built(Work& work, const wire::Built& built, Record record, std::vector<wire::Bytes> blobs) {
  Job& job = jobs_.at(work.job);
  TaskState& task = job.tasks[work.task];
  const std::string key = candidate_key(record.formulation, record.parameters);
  if (task.knows(key, record.space_version)) {
    ++counters_.duplicates;
    return;
  }
  ++std::get<RoundWork>(work.what).fresh;
  ++job.candidates;
  for (wire::Bytes& blob : blobs) {
    const Digest digest = artifacts_.put(std::move(blob));
    if (digest == built.reference) task.reference = digest;
  }
  if (!built.reference.empty() && artifacts_.has(built.reference)) task.reference = built.reference;
  if (built.status != MeasureStatus::ok) {
    record.measurement.status = built.status;
    record.measurement.message = built.message;
    commit(std::move(record));
    return;
  }
  record.artifact = built.artifact;
  if (task.artifacts.contains(record.artifact) || task.pending_artifacts.contains(record.artifact)) {
    // Other parameters, the same code: no trial of its own.
    ++counters_.duplicates;
    task.aliases.insert(key);
    return;
  }
  if (!artifacts_.has(record.artifact) || task.reference.empty() || !artifacts_.has(task.reference)) {
    record.measurement.status = MeasureStatus::build_error;
    record.measurement.message = artifacts_.has(record.artifact)
                                     ? "the tuner sent no reference for the check"
                                     : "the tuner sent other bytes than the artifact it named";
    record.artifact.clear();
    commit(std::move(record));
    return;
  }
  const bool first = record.trial == 0;
  task.pending_artifacts.insert(record.artifact);
  queue_measurement(job, work.task, std::move(record), first);
}

void Core::round_done(const PeerId& peer, const wire::RoundDone& done) {
  Work* work = leased(done.lease, peer);
  if (work == nullptr || !std::holds_alternative<RoundWork>(work->what)) {
    ++counters_.stale;
    return;
  }
  Job& job = jobs_.at(work->job);
  TaskState& task = job.tasks[work->task];
  job.stages.propose_ms += done.propose_ms;
  job.changed = true;
  task.exhausted = task.exhausted || done.exhausted;
  end_round(work->id);
}

void Core::end_round(uint64_t id) {
  Work& work = works_.at(id);
  TaskState& task = jobs_.at(work.job).tasks[work.task];
  task.empty_rounds = std::get<RoundWork>(work.what).fresh == 0 ? task.empty_rounds + 1 : 0;
  if (task.empty_rounds >= 2) task.exhausted = true;
  remove(id);
}

void Core::round_lost(Work& work, const std::string& why) {
  release(work);
  if (++work.losses < settings_.round_attempts) {
    round_queue_.push_back(work.id);
    return;
  }
  Job& job = jobs_.at(work.job);
  const RoundWork& round = std::get<RoundWork>(work.what);
  const uint32_t missing = round.round.count - std::min(round.round.count, round.delivered);
  job.candidates += missing;
  job.tasks[work.task].failures += missing;
  for (uint32_t i = 0; i < missing; ++i) note_failure(job, MeasureStatus::build_error, why);
  out_.notes.push_back("a round of " + job.tasks[work.task].task.summary + " was set aside: " + why);
  remove(work.id);
}

}  // namespace hone::scheduler
