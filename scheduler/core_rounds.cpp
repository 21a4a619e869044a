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

}  // namespace

std::optional<uint32_t> Core::room_for_round(const Job& job, const Lane& lane, const TaskState& task) const {
  uint64_t queued = 0, in_flight = 0;
  for (const TaskState& other : lane.tasks) {
    queued += other.measuring;
    in_flight += other.asked + (other.phase == TaskPhase::search ? other.measuring : 0);
  }
  const uint64_t boards = std::max(1u, lane.boards);
  // What waits must fit the artifact store too.
  const uint64_t most =
      std::min<uint64_t>(boards * settings_.queue_rounds * settings_.round_size,
                         std::max<uint64_t>(settings_.artifact_count / 4 / job.lanes.size(), 1));
  if (queued >= most) return std::nullopt;
  uint64_t count = settings_.round_size;
  if (!task.has_time() && task.failures == 0) count = 1;  // trial 0 first: all else builds on its time
  if (job.request.max_trials > 0) {
    const uint64_t used = lane.trials() + in_flight, tried = lane.candidates + in_flight;
    if (used >= job.request.max_trials || tried >= 2 * job.request.max_trials) return std::nullopt;
    count = std::min({count, job.request.max_trials - used, 2 * job.request.max_trials - tried});
  }
  return static_cast<uint32_t>(count);
}

bool Core::make_rebuild(const PeerId& tuner) {
  if (peers_.at(tuner).protocol < 2) return false;
  while (!rebuilds_.empty()) {
    const auto first = rebuilds_.begin();
    const auto [job_id, lane_index, index] = first->first;
    wire::Rebuild rebuild;
    std::vector<uint64_t> rebuilding;
    while (!first->second.empty() && rebuilding.size() < 2 * settings_.round_size) {
      const auto work = works_.find(first->second.front());
      first->second.pop_front();
      if (work == works_.end()) continue;  // cancelled in the meantime
      const Record& record = std::get<MeasureWork>(work->second.what).record;
      rebuilding.push_back(work->first);
      const auto is_same = [&](const CandidateText& other) {
        return other.formulation == record.candidate.formulation &&
               other.parameters == record.candidate.parameters;
      };
      if (std::ranges::none_of(rebuild.candidates, is_same)) rebuild.candidates.push_back(record.candidate);
    }
    if (first->second.empty()) rebuilds_.erase(first);
    if (rebuilding.empty()) continue;
    Lane& lane = jobs_.at(job_id).lanes[lane_index];
    wire::Round round;
    round.asks = std::move(rebuild);
    round.job = job_id;
    round.task = lane.tasks[index].task.task;
    round.target = lane.target_text;
    round.ports = lane.tasks[index].task.ports;
    round.threads = lane.threads;
    round.mode = lane.mode;
    Work work;
    work.id = next_work_++;
    work.job = job_id;
    work.lane = lane_index;
    work.task = index;
    work.what = RoundWork{std::move(round), 0, 0, std::move(rebuilding)};
    ++lane.tasks[index].rounds;
    grant(works_.emplace(work.id, std::move(work)).first->second, tuner);
    return true;
  }
  return false;
}

std::string Core::take_reference(Work& work, const Digest& reference) {
  TaskState& task = task_of(work);
  const PeerState& tuner = peers_.at(work.holder);
  const std::string& target = lane_of(work).target_text;
  const bool any = !references_.first(task.key, target, tuner.build).empty();
  if (reference.empty() || (!any && !artifacts_.has(reference))) return "";
  const std::string conflict = references_.claim(task.key, target, tuner.build, reference, tuner.name);
  if (!conflict.empty() && noted_conflicts_.size() < 1000 && noted_conflicts_.insert(conflict).second)
    out_.notes.push_back(conflict);
  if (!task.reference.empty() && artifacts_.has(task.reference)) return conflict;  // the first stays
  const Digest first = references_.first(task.key, target, tuner.build);
  if (artifacts_.has(first)) task.reference = first;
  return conflict;
}

void Core::rebuilt(Work& work, const wire::Built& built, std::vector<wire::Bytes> blobs) {
  for (wire::Bytes& blob : blobs) artifacts_.put(std::move(blob));
  TaskState& task = task_of(work);
  const std::string conflict = take_reference(work, built.reference);
  std::vector<uint64_t>& waiting = std::get<RoundWork>(work.what).rebuilding;
  std::vector<uint64_t> matching;
  std::erase_if(waiting, [&](uint64_t id) {
    const auto place = works_.find(id);
    if (place == works_.end()) return true;
    const Record& record = std::get<MeasureWork>(place->second.what).record;
    const bool is_this = record.candidate.formulation == built.candidate.formulation &&
                         record.candidate.parameters == built.candidate.parameters;
    if (is_this) matching.push_back(id);
    return is_this;
  });
  if (built.status != MeasureStatus::ok || !conflict.empty() || !artifacts_.has(built.artifact) ||
      task.reference.empty() || !artifacts_.has(task.reference)) {
    give_up_rebuilding(matching, !conflict.empty()       ? conflict
                                 : built.message.empty() ? "the tuner sent no artifact"
                                                         : built.message);
    return;
  }
  for (const uint64_t id : matching) {
    MeasureWork& measure = std::get<MeasureWork>(works_.at(id).what);
    measure.record.artifact = built.artifact;
    measure.reference = task.reference;
    requeue(works_.at(id));
  }
}

void Core::give_up_rebuilding(const std::vector<uint64_t>& works, const std::string& why) {
  for (const uint64_t id : works) {
    const auto place = works_.find(id);
    if (place == works_.end()) continue;
    out_.notes.push_back("a lost artifact of " +
                         std::get<MeasureWork>(place->second.what).record.task_summary +
                         " could not be built again, its measurement is left out: " + why);
    remove(id);
  }
}

bool Core::make_round(const PeerId& tuner) {
  if (!round_queue_.empty()) {
    const uint64_t id = round_queue_.front();
    round_queue_.pop_front();
    grant(works_.at(id), tuner);
    return true;
  }
  if (make_rebuild(tuner)) return true;
  std::vector<Job*> candidates;
  for (auto& [id, job] : jobs_)
    if (job.state == JobState::in_progress && (!is_private() || !job.followers.empty()))
      candidates.push_back(&job);
  while (!candidates.empty()) {
    std::vector<Claim> claims;
    for (const Job* job : candidates) claims.push_back(claim_of(*job));
    const size_t turn = claims.size() == 1 ? 0 : round_share_.pick(claims);
    Job* job = candidates[turn];
    candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(turn));
    std::vector<std::pair<double, size_t>> order;  // whose boards have least to do comes first
    for (size_t lane = 0; lane < job->lanes.size(); ++lane)
      if (job->lanes[lane].loaded && !job->lanes[lane].search_over)
        order.emplace_back(job->lanes[lane].backlog(), lane);
    std::sort(order.begin(), order.end());
    for (const auto& [backlog, lane] : order)
      if (make_round(tuner, *job, lane)) return true;
  }
  return false;
}

bool Core::make_round(const PeerId& tuner, Job& job, size_t lane_index) {
  Lane& lane = job.lanes[lane_index];
  const auto chosen = choose_task(lane, settings_);
  if (!chosen) return false;
  if (make_featurising(tuner, job, lane_index)) return true;
  if (const auto model = models_.find(lane.target_text); model != models_.end() && model->second.warming)
    return false;
  if (is_featurising(lane.target_text)) return false;
  TaskState& task = lane.tasks[*chosen];
  const auto count = room_for_round(job, lane, task);
  if (!count) return false;
  wire::Round round;
  round.job = job.id;
  round.task = task.task.task;
  round.target = lane.target_text;
  round.ports = task.task.ports;
  round.threads = lane.threads;
  round.mode = lane.mode;
  wire::Propose propose;
  propose.count = *count;
  const bool tried_zero = task.zero_rounds >= settings_.round_attempts ||
                          std::any_of(task.candidates.begin(), task.candidates.end(),
                                      [](const auto& entry) { return entry.second.record.from.trial == 0; });
  if (!task.has_time() && !tried_zero) {
    ++task.zero_rounds;
    propose.first_trial = 0;
    propose.count = 1;
  } else {
    propose.first_trial = std::max<uint64_t>(task.next_trial, 1);
  }
  task.next_trial = std::max(task.next_trial, propose.first_trial + propose.count);
  propose.seed = mixed(job.request.seed +
                       mixed(std::stoull(task.key.hex(15), nullptr, 16) + mixed(propose.first_trial)));
  if (const auto model = models_.find(round.target);
      model != models_.end() && artifacts_.has(model->second.digest))
    propose.cost_model = model->second.digest;
  for (const Shown* shown : task.top(static_cast<size_t>(settings_.top_records)))
    propose.top.push_back(task.whole(*shown));
  std::map<std::string, uint32_t> seen;
  for (const auto& [key, shown] : task.candidates)
    seen[key] = static_cast<uint32_t>(shown.record.candidate.space_version);
  for (const auto* present : {&task.pending, &task.aliases})
    for (const std::string& key : *present) seen[key] = 0;
  for (const auto& [key, version] : seen) {
    propose.seen.push_back(key);
    propose.seen_versions.push_back(version);
  }
  if (task.has_time()) propose.hints = hints_for(lane, *chosen, settings_);

  const uint32_t asked = propose.count;
  round.asks = std::move(propose);
  Work work;
  work.id = next_work_++;
  work.job = job.id;
  work.lane = lane_index;
  work.task = *chosen;
  work.what = RoundWork{std::move(round), 0, 0};
  ++task.rounds;
  task.asked += asked;
  round_share_.charge(claim_of(job), asked);
  grant(works_.emplace(work.id, std::move(work)).first->second, tuner);
  return true;
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
  TaskState& task = task_of(*work);
  work->moved = now_.steady;
  if (std::holds_alternative<wire::Rebuild>(round.asks)) {
    job.stages.build_ms += built.build_ms;
    rebuilt(*work, built, std::move(blobs));
    return;
  }
  const auto* propose = std::get_if<wire::Propose>(&round.asks);
  if (propose == nullptr) {
    ++counters_.malformed;
    send(peer, wire::NotUnderstood{"the round asks for no candidate"});
    return;
  }
  RoundWork& progress = std::get<RoundWork>(work->what);
  if (progress.delivered < propose->count) {
    ++progress.delivered;
    --task.asked;
  }
  job.stages.build_ms += built.build_ms;
  task.building_ms += built.build_ms;
  ++task.built;
  job.changed = true;

  Record record;
  record.task_key = task.key;
  record.task_summary = task.task.summary;
  record.candidate = built.candidate;
  record.board.model = lane_of(*work).board_model;
  record.measurement.threads = static_cast<int>(round.threads);
  record.measurement.mode = round.mode;
  record.features = built.features;
  record.feature_version = static_cast<int>(built.feature_version);
  record.from.trial = built.trial;
  record.from.job = job.request.name;
  record.from.tuner = peers_.at(peer).name;
  accept_built(*work, built, std::move(record), std::move(blobs));
}

void Core::accept_built(Work& work, const wire::Built& built, Record record, std::vector<wire::Bytes> blobs) {
  Job& job = jobs_.at(work.job);
  TaskState& task = task_of(work);
  const std::string key = candidate_key(record.candidate);
  if (task.knows(key, record.candidate.space_version)) {
    ++counters_.duplicates;
    return;
  }
  ++std::get<RoundWork>(work.what).fresh;
  ++lane_of(work).candidates;
  for (wire::Bytes& blob : blobs) artifacts_.put(std::move(blob));
  const std::string conflict = take_reference(work, built.reference);
  if (built.status != MeasureStatus::ok) {
    record.measurement.status = built.status;
    record.measurement.message = built.message;
    record.board.model.clear();  // it was on none, and fails for all alike
    commit(std::move(record));
    return;
  }
  record.artifact = built.artifact;
  if (conflict.empty() &&
      (task.artifacts.contains(record.artifact) || task.pending_artifacts.contains(record.artifact))) {
    // Other parameters, the same code: no trial of its own.
    ++counters_.duplicates;
    task.aliases.insert(key);
    return;
  }
  if (!conflict.empty() || !artifacts_.has(record.artifact) || task.reference.empty() ||
      !artifacts_.has(task.reference)) {
    record.measurement.status = MeasureStatus::build_error;
    record.measurement.message = !conflict.empty() ? conflict
                                 : artifacts_.has(record.artifact)
                                     ? "the tuner sent no reference for the check"
                                     : "the tuner sent other bytes than the artifact it named";
    record.artifact = {};
    record.board.model.clear();
    commit(std::move(record));
    return;
  }
  const bool first = record.from.trial == 0;
  task.pending_artifacts.insert(record.artifact);
  queue_measurement(job, work.lane, work.task, std::move(record), first);
}

void Core::round_done(const PeerId& peer, const wire::RoundDone& done) {
  Work* work = leased(done.lease, peer);
  if (work == nullptr || !std::holds_alternative<RoundWork>(work->what)) {
    ++counters_.stale;
    return;
  }
  Job& job = jobs_.at(work->job);
  TaskState& task = task_of(*work);
  job.stages.propose_ms += done.propose_ms;
  job.changed = true;
  if (std::holds_alternative<wire::Propose>(std::get<RoundWork>(work->what).round.asks))
    task.exhausted = task.exhausted || done.exhausted;
  end_round(work->id);
}

void Core::end_round(uint64_t id) {
  Work& work = works_.at(id);
  TaskState& task = task_of(work);
  auto& round = std::get<RoundWork>(work.what);
  if (std::holds_alternative<wire::Featurise>(round.round.asks)) {
    const std::string target = round.round.target;
    remove(id);
    featurising_ended(target);
    return;
  }
  if (std::holds_alternative<wire::Rebuild>(round.round.asks)) {
    give_up_rebuilding(std::exchange(round.rebuilding, {}), "the tuner did not build it");
    remove(id);
    return;
  }
  task.empty_rounds = std::get<RoundWork>(work.what).fresh == 0 ? task.empty_rounds + 1 : 0;
  if (task.empty_rounds >= 2) task.exhausted = true;
  remove(id);
}

void Core::round_lost(Work& work, const std::string& why) {
  const bool was_held = work.is_held;
  release(work);
  const auto& asks = std::get<RoundWork>(work.what).round.asks;
  if (std::holds_alternative<wire::Featurise>(asks)) {  // not worth another tuner
    end_round(work.id);
    return;
  }
  const bool goes_on =
      was_held ? ++work.losses < settings_.round_attempts : ++work.departures < settings_.round_departures;
  if (goes_on) {
    round_queue_.push_back(work.id);
    return;
  }
  Job& job = jobs_.at(work.job);
  RoundWork& round = std::get<RoundWork>(work.what);
  if (std::holds_alternative<wire::Rebuild>(asks)) {
    give_up_rebuilding(std::exchange(round.rebuilding, {}), why);
    remove(work.id);
    return;
  }
  const uint32_t count = std::get<wire::Propose>(asks).count,
                 missing = count - std::min(count, round.delivered);
  lane_of(work).candidates += missing;
  task_of(work).failures += missing;
  for (uint32_t i = 0; i < missing; ++i) note_failure(job, MeasureStatus::build_error, why);
  out_.notes.push_back("a round of " + task_of(work).task.summary + " was set aside: " + why);
  remove(work.id);
}

}  // namespace hone::scheduler
