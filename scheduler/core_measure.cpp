// Measurements for boards, commits, finals and the training of the cost model.
#include <algorithm>

#include "scheduler/core.h"
#include "scheduler/training.h"

namespace hone::scheduler {

void Core::queue_measurement(Job& job, size_t lane, size_t index, Record record, bool first) {
  TaskState& task = job.lanes[lane].tasks[index];
  Work work;
  work.id = next_work_++;
  work.job = job.id;
  work.lane = lane;
  work.task = index;
  ++task.measuring;
  std::string key = candidate_key(record.candidate);
  task.pending.insert(key);
  work.what = MeasureWork{std::move(record), task.reference, std::move(key), 0, {}, {}};
  auto& queue = measure_queues_[{job.id, lane}];
  if (first)
    queue.push_front(work.id);
  else
    queue.push_back(work.id);
  works_.emplace(work.id, std::move(work));
}

void Core::requeue(Work& work) {
  HONE_CHECK(work.holder.empty());
  measure_queues_[{work.job, work.lane}].push_back(work.id);
}

Claim Core::claim_of(const Job& job) {
  return {job.request.user, job.id, std::max(1u, job.request.priority)};
}

bool Core::may_take(const std::string& board, const Work& work) {
  std::set<std::string> lost;
  for (const auto& [name, instance] : std::get<MeasureWork>(work.what).killed) lost.insert(name);
  if (!lost.contains(board)) return true;
  const Job& job = jobs_.at(work.job);
  const Lane& lane = job.lanes[work.lane];
  const auto is_there = [&](const std::string& name) {
    const BoardRecord* record = boards_.find(name);
    if (record == nullptr || !record->is_usable() || record->board.model != lane.board_model) return false;
    const auto peer = peers_.find(record->peer);
    return peer != peers_.end() && fits(job, lane.part, peer->second);
  };
  return lane.boards <= static_cast<size_t>(std::ranges::count_if(lost, is_there));
}

std::optional<uint64_t> Core::next_measurement(const PeerId& runner) {
  PeerState& board = peers_.at(runner);
  std::vector<Claim> claims;
  std::vector<uint64_t> first;
  for (const auto& [place_of, queue] : measure_queues_) {
    const Job& job = jobs_.at(place_of.first);
    const Lane& lane = job.lanes[place_of.second];
    if (lane.board_model != board.board.model || !fits(job, lane.part, board)) continue;
    const auto place =
        std::ranges::find_if(queue, [&](uint64_t id) { return may_take(board.board_name, works_.at(id)); });
    if (place == queue.end()) continue;
    claims.push_back(claim_of(job));
    first.push_back(*place);
  }
  if (claims.empty()) return std::nullopt;
  return first[claims.size() == 1 ? 0 : board_share_.pick(claims)];
}

bool Core::lease_measurement(const PeerId& runner) {
  PeerState& board = peers_.at(runner);
  if (!boards_.find(board.board_name)->is_usable()) return false;
  while (const auto id = next_measurement(runner)) {
    Work& work = works_.at(*id);
    Job& job = jobs_.at(work.job);
    const double usual_ms = lane_of(work).measure_ms;
    MeasureWork& measure = std::get<MeasureWork>(work.what);
    if (!artifacts_.has(measure.record.artifact) || !artifacts_.has(measure.reference)) {
      auto waiting = measure_queues_.find({work.job, work.lane});
      waiting->second.erase(std::ranges::find(waiting->second, *id));
      if (waiting->second.empty()) measure_queues_.erase(waiting);
      rebuilds_[{work.job, work.lane, work.task}].push_back(*id);
      for (const auto& [peer_id, peer] : peers_)
        if (peer.role == wire::Role::tuner) hungry_tuners_.insert(peer_id);
      continue;
    }
    measure.record.board.model = board.board.model;
    measure.record.board.id = board.board.id;
    measure.id = record_identity(measure.record);
    if (log_.contains(measure.id)) {
      ++counters_.duplicates;  // another job measured it in the meantime
      remove(*id);
      continue;
    }
    auto queue = measure_queues_.find({work.job, work.lane});
    queue->second.erase(std::ranges::find(queue->second, *id));
    if (queue->second.empty()) measure_queues_.erase(queue);
    measure.charged = usual_ms > 0 ? usual_ms : 50;
    board_share_.charge(claim_of(job), measure.charged);
    grant(work, runner);
    if (results_.issue(measure.id, measure.record))
      if (auto entry = issued_entry({measure.id, measure.record})) out_.jobs.push_back(std::move(*entry));
    return true;
  }
  return false;
}

wire::MeasureRequest Core::request_of(const Work& work) const {
  const MeasureWork& measure = std::get<MeasureWork>(work.what);
  const Record& record = measure.record;
  wire::MeasureRequest request;
  request.lease = {work.id, work.epoch};
  request.id = measure.id;
  request.artifact = record.artifact;
  request.reference = measure.reference;
  request.task_key = record.task_key;
  request.seed = record.from.final ? "finals" : "search";  // finalists must be right on other data too
  request.mode = record.measurement.mode;
  request.threads = static_cast<uint32_t>(record.measurement.threads);
  request.sampling = record.from.final ? settings_.final_sampling : settings_.sampling;
  const TaskState& task = jobs_.at(work.job).lanes[work.lane].tasks[work.task];
  if (!record.from.final && record.from.trial != 0 && !task.best_after.empty())
    request.best_ns = task.best_after.back();
  if (const Shown* best = task.best(); record.from.final && best != nullptr && !best->finals.empty())
    request.best_ns = best->figure;
  request.upload_ms = static_cast<uint32_t>(settings_.upload.count());
  request.run_ms = static_cast<uint32_t>(settings_.run.count());
  request.final = record.from.final;
  return request;
}

void Core::measured(const PeerId& peer, const wire::Measured& said) {
  if (log_.contains(said.id)) {
    ++counters_.duplicates;
    acknowledge(peer, said.id);
    return;
  }
  const Record* issued = results_.issued(said.id);
  if (issued == nullptr) {
    // Not of this log: nothing is known that a record could be made of. It is acknowledged so that the runner
    // forgets it.
    ++counters_.unknown_results;
    send(peer, wire::Committed{{said.id}});
    return;
  }
  if (issued->board.id != peers_.at(peer).board.id) {
    ++counters_.stale;
    return;
  }
  Measurement measurement = said.measurement;
  measurement.threads = issued->measurement.threads;
  measurement.mode = issued->measurement.mode;
  summarise(measurement);
  const bool has_time =
      measurement.status == MeasureStatus::ok || measurement.status == MeasureStatus::raced_out;
  if (has_time && measurement.median_ns <= 0) {
    measurement.status = MeasureStatus::board_unhealthy;
    measurement.message = "the board sent no time";
  }
  if (BoardRecord* board = board_of(peer)) {
    // Slow before and after: not a moment's disturbance. Its times are not what the candidate takes.
    const Health& health = measurement.health;
    const std::string why =
        boards_.slowness(*board, std::min(health.reference_before_ns, health.reference_after_ns));
    if (has_time && !why.empty()) {
      measurement.status = MeasureStatus::board_unhealthy;
      measurement.message = why;
    }
    boards_.result(now_, *board,
                   measurement.status == MeasureStatus::ok ||
                       measurement.status == MeasureStatus::raced_out ||
                       measurement.status == MeasureStatus::wrong_answer ||
                       measurement.status == MeasureStatus::implausible_time);
    if (measurement.status == MeasureStatus::board_unhealthy)
      boards_.fault(now_, *board, measurement.message);
  }

  const auto place = works_.find(said.lease.id);
  const bool is_current = place != works_.end() && std::holds_alternative<MeasureWork>(place->second.what) &&
                          std::get<MeasureWork>(place->second.what).id == said.id;
  if (is_current) {
    if (place->second.epoch != said.lease.epoch || place->second.holder != peer) ++counters_.late_commits;
    Job& job = jobs_.at(place->second.job);
    Lane& lane = lane_of(place->second);
    job.stages.upload_ms += said.upload_ms;
    job.stages.check_ms += said.check_ms;
    job.stages.run_ms += said.run_ms;
    const double whole = said.check_ms + said.run_ms;
    if (!issued->from.final) lane.tasks[place->second.task].boards_ms += whole;
    lane.measure_ms = lane.measure_ms == 0 ? whole : 0.9 * lane.measure_ms + 0.1 * whole;
    job.board_ms += whole;
    board_share_.charge(claim_of(job), whole - std::get<MeasureWork>(place->second.what).charged);
    std::get<MeasureWork>(place->second.what).charged = whole;
    settle_measurement(place->second, std::move(measurement), peer);
    return;
  }
  // Its work is gone (another start of the scheduler, or cancelled), but the result is as good as any.
  Record record = *issued;
  ++counters_.late_commits;
  if (measurement.status == MeasureStatus::ok || measurement.status == MeasureStatus::raced_out ||
      is_candidates_fault(measurement.status)) {
    record.measurement = std::move(measurement);
    commit(std::move(record));
  }
  acknowledge(peer, said.id);
}

void Core::settle_measurement(Work& work, Measurement measurement, const PeerId& peer) {
  MeasureWork& measure = std::get<MeasureWork>(work.what);
  const Digest id = measure.id;
  const bool is_gone = !artifacts_.has(measure.record.artifact) || !artifacts_.has(measure.reference);
  if (measurement.status == MeasureStatus::board_lost && is_gone) {
    if (!work.holder.empty()) {  // nobody is to blame: it is built again
      release(work);
      requeue(work);
    }
  } else if (measurement.status == MeasureStatus::board_lost) {
    measurement_lost(work, measurement.message, nullptr);
  } else if (measurement.status == MeasureStatus::board_unhealthy &&
             ++measure.unhealthy < settings_.unhealthy_attempts) {
    if (!work.holder.empty()) {
      release(work);
      requeue(work);
    }
  } else {
    Record record = std::move(measure.record);
    record.measurement = std::move(measurement);
    remove(work.id, work.holder != peer);
    commit_as(id, std::move(record));
  }
  acknowledge(peer, id);
}

void Core::measurement_lost(Work& work, const std::string& why, BoardRecord* board) {
  MeasureWork& measure = std::get<MeasureWork>(work.what);
  if (!work.holder.empty()) {
    release(work);
    requeue(work);
  }
  measure.killed.emplace_back(board == nullptr ? "" : board->name, board == nullptr ? 0 : board->instance);
  if (measure.killed.size() < settings_.board_attempts) return;
  Record record = measure.record;
  record.measurement.status = MeasureStatus::board_lost;
  record.measurement.message =
      "set aside after " + std::to_string(measure.killed.size()) + " attempts: " + why;
  out_.notes.push_back("a candidate of " + record.task_summary + " was " + record.measurement.message);
  // It was the candidate's fault then, not the boards'.
  for (const auto& [name, instance] : measure.killed)
    if (BoardRecord* innocent = boards_.find(name)) boards_.forgive(now_, *innocent);
  remove(work.id);
  commit(std::move(record));
}

void Core::commit(Record record) {
  const Digest id = record_identity(record);
  commit_as(id, std::move(record));
}

void Core::commit_as(const Digest& id, Record record) {
  record.from.unix_ms = now_.unix_ms;
  results_.settle(id);
  if (log_.contains(id)) return;
  for (auto& [job_id, job] : jobs_) {
    if (is_terminal(job.state)) continue;
    bool is_its = false;
    for (Lane& lane : job.lanes) {
      if (!lane.loaded) continue;
      const auto task = lane.task_of(record);
      if (!task) continue;
      lane.tasks[*task].observe(record, true);
      is_its = true;
    }
    if (!is_its) continue;
    job.changed = true;
    const MeasureStatus status = record.measurement.status;
    if (status != MeasureStatus::ok && status != MeasureStatus::raced_out)
      note_failure(job, status, record.measurement.message);
  }
  Model& model = models_[record.candidate.target];
  ++model.records_since;
  out_.records.push_back(record);
  out_.identities.push_back(id);
  results_.commit(id);
  const std::string target = record.candidate.target;
  const int version = record.feature_version;
  const bool has_features = !record.features.empty();
  log_.add(std::move(record), id);
  if (has_features) train_if_due(target, version);
}

void Core::acknowledge(const PeerId& peer, const Digest& id) { send(results_.acknowledge(peer, id)); }

void Core::train_if_due(const std::string& target, int version) {
  Model& model = models_[target];
  const size_t wait = model.trained_on == 0 ? settings_.train_every / 2
                                            : std::max(settings_.train_every, model.trained_on / 10);
  if (model.request != 0 || (model.records_since < wait && model.version == version)) return;
  if (now_.steady < model.rest_until) return;
  if (model.records_since < settings_.train_every / 2) return;
  auto request = training_rows({&log_.records(), &transfer_}, target, version, settings_);
  if (!request) return;
  request->id = next_train_++;
  request->seed = request->id;
  model.request = request->id;
  model.asked = now_.steady;
  model.version = version;
  model.records_since = 0;
  model.trained_on = request->scores.size();
  out_.train.push_back(std::move(*request));
}

Effects Core::trained(Now now, uint64_t request, const Result<std::string>& bytes) {
  now_ = now;
  for (auto& [target, model] : models_) {
    if (model.request != request) continue;
    model.request = 0;
    model.rest_until = now_.steady + 9 * (now_.steady - model.asked);
    model.warming = false;
    if (bytes) {
      const auto* data = reinterpret_cast<const std::byte*>(bytes->data());
      model.digest = artifacts_.put(wire::Bytes(data, data + bytes->size()));
    } else {
      out_.notes.push_back("no cost model: " + bytes.error().text());
    }
    train_on_featurised(target);
  }
  return finish();
}

void Core::make_finals(Job& job, size_t lane, size_t index) {
  TaskState& task = job.lanes[lane].tasks[index];
  // Without new trials all that is known was measured by earlier runs, finals included.
  task.finals_made = task.new_trials == 0 || !task.next_finals(settings_);
  if (task.finals_made) return;
  std::vector<Record> records;
  for (const std::string& key : task.finalists) {
    const Shown& shown = task.candidates.at(key);
    Record record = task.whole(shown);
    record.from.final = true;
    record.from.repetition = shown.final_repetitions;
    Measurement blank;
    blank.threads = record.measurement.threads;
    blank.mode = record.measurement.mode;
    record.measurement = blank;
    records.push_back(std::move(record));
  }
  for (Record& record : records) queue_measurement(job, lane, index, std::move(record), false);
}

}  // namespace hone::scheduler
