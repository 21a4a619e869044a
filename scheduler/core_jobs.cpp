// Jobs: submitted, followed, resumed, stopped, saved; and the events that tell of them.
#include <algorithm>
#include <cmath>

#include "scheduler/budget.h"
#include "scheduler/core.h"
#include "scheduler/door.h"
#include "scheduler/transfer.h"

namespace hone::scheduler {
namespace {

double seconds(Time time) { return static_cast<double>(time.count()) / 1000; }

}  // namespace

void Core::set_up_lanes(Job& job) {
  if (job.targets.empty())
    for (const wire::JobPart& part : job.request.parts) {
      auto target = parse_target(part.target);
      job.targets.push_back(target ? std::move(*target) : Target());
    }
  for (const RecoveredLane& lane : std::exchange(job.known_lanes, {}))
    if (lane.part < job.request.parts.size())
      add_lane(job, lane.part, lane.board_model).candidates = lane.candidates;
  if (!job.lanes.empty() || job.request.board_model.empty()) return;
  for (size_t part = 0; part < job.request.parts.size(); ++part) add_lane(job, part, job.request.board_model);
}

Lane& Core::add_lane(Job& job, size_t part, const std::string& board_model) {
  Lane& lane = job.lanes.emplace_back();
  lane.part = part;
  lane.target_text = job.request.parts[part].target;
  lane.target = job.targets[part];
  lane.board_model = board_model;
  lane.threads = job.request.threads;
  lane.mode = job.request.parts[part].mode;
  lane.waiting_since = now_.steady;
  for (const wire::JobTask& task : job.request.parts[part].tasks) {
    TaskState state;
    state.task = task;
    state.key = digest_of(task.task);
    lane.tasks.push_back(std::move(state));
  }
  return lane;
}

Lane* Core::lane_for(Job& job, size_t part, const std::string& board_model) {
  for (Lane& lane : job.lanes)
    if (lane.part == part && lane.board_model == board_model) return &lane;
  if (job.lanes.size() >= settings_.lanes) return nullptr;
  Lane& lane = add_lane(job, part, board_model);
  journal(state_entry(job.id, saved(job)));
  return &lane;
}

bool Core::fits(const Job& job, size_t part, PeerState& peer) {
  if (peer.role != wire::Role::runner ||
      (!job.request.board_model.empty() && job.request.board_model != peer.board.model))
    return false;
  const auto [place, is_new] = peer.target_fits.try_emplace({job.id, part}, false);
  if (is_new)
    place->second = runs_on(peer.board.target, job.targets[part]) &&
                    boards_.find(peer.board_name)->has(job.request.require);
  return place->second;
}

void Core::submit(const PeerId& peer, const wire::JobRequest& asked) {
  auto refuse = [&](const std::string& why) {
    send(peer, wire::NotUnderstood{"the job was not accepted: " + why});
  };
  wire::JobRequest request = asked;
  if (const std::string& name = peers_.at(peer).key.name; !name.empty()) request.user = name;
  if (stopping_) return refuse("the scheduler is stopping");
  if (const auto known = tokens_.find({request.user, request.token});
      !request.token.empty() && known != tokens_.end()) {
    // Its answer was lost: the same job, which the peer follows again.
    jobs_.at(known->second).followers.insert(peer);
    send_when_durable(peer, wire::Accepted{known->second});
    return;
  }
  if (request.parts.size() > settings_.lanes)
    return refuse("it has " + std::to_string(request.parts.size()) + " targets, at most " +
                  std::to_string(settings_.lanes) + " are worked on");
  if (request.priority < 1 || request.priority > 100) return refuse("its priority is not 1 to 100");
  if (!(request.limit_seconds >= 0 && request.max_seconds >= 0)) return refuse("a negative time");
  for (const std::string& label : request.require)
    if (label.find('=') == std::string::npos) return refuse("the label '" + label + "' is not KEY=VALUE");
  std::set<std::string> targets;
  for (const auto& [text, tasks, mode] : request.parts) {
    if (tasks.empty()) return refuse("it has no tasks");
    if (auto target = parse_target(text); !target) return refuse(target.error().text());
    if (!targets.insert(text).second) return refuse("a target is there twice: " + text);
    std::set<std::pair<std::string, std::string>> distinct;
    for (const wire::JobTask& task : tasks) {
      if (task.task.empty() || task.weight == 0) return refuse("a task without a text or a weight");
      if (!distinct.emplace(task.task, task.ports).second)
        return refuse("a task is there twice: " + task.summary);
    }
  }
  const size_t bytes = bytes_of(request);
  if (bytes > settings_.job_bytes)
    return refuse("its texts have " + std::to_string(bytes) + " bytes, at most " +
                  std::to_string(settings_.job_bytes) + " are taken");
  size_t open = 0, of_user = 0, bytes_of_user = bytes;
  for (const auto& [number, other] : jobs_) {
    if (is_terminal(other.state)) continue;
    ++open;
    if (other.request.user != request.user) continue;
    ++of_user;
    bytes_of_user += other.bytes;
  }
  if (of_user >= settings_.open_jobs_of_user || bytes_of_user > settings_.open_job_bytes_of_user)
    return refuse(std::to_string(of_user) + " jobs of the same user have not ended, of at most " +
                  std::to_string(settings_.open_jobs_of_user) + " with " +
                  std::to_string(settings_.open_job_bytes_of_user >> 20) +
                  " MiB of texts: wait, or stop some");
  if (open >= settings_.open_jobs)
    return refuse(std::to_string(open) + " jobs have not ended, the most that this scheduler takes");
  const uint64_t id = next_job_++;
  auto entry = submit_entry(id, request);
  if (!entry) return refuse(entry.error().text());
  journal(std::move(*entry));
  if (!request.token.empty()) tokens_[{request.user, request.token}] = id;
  Job job;
  job.id = id;
  job.bytes = bytes;
  job.request = std::move(request);
  job.created_unix_ms = now_.unix_ms;
  job.started = job.waiting_since = job.last_snapshot = job.followed = now_.steady;
  job.followers.insert(peer);
  job.changed = true;
  jobs_.emplace(id, std::move(job));
  workers_changed_ = true;
  send_when_durable(peer, wire::Accepted{id});
}

void Core::resume(const PeerId& peer, uint64_t id) {
  const auto place = jobs_.find(id);
  if (place == jobs_.end()) {
    send(peer, wire::NotUnderstood{"there is no job " + std::to_string(id)});
    return;
  }
  Job& job = place->second;
  if (!may_change(peer, job)) return;
  if (is_terminal(job.state)) {
    if (!is_legal(job.state, JobState::starting)) {
      send(peer, wire::NotUnderstood{"job " + std::to_string(id) + " is " + std::string(to_text(job.state)) +
                                     ": submit it again with --more"});
      return;
    }
    const Time spent = job.ended - job.started;
    job.known_lanes = job.recovered_lanes();
    job.lanes.clear();
    job.measured_before = 0;
    job.started = now_.steady - spent;
    job.waiting_since = job.last_snapshot = job.followed = now_.steady;
    workers_changed_ = true;
    set_state(job, JobState::starting, "resumed");
  } else if (job.state == JobState::stopping) {
    send(peer, wire::NotUnderstood{"job " + std::to_string(id) + " is still being stopped"});
    return;
  }
  job.followers.insert(peer);
  send_when_durable(peer, wire::Accepted{id});
}

void Core::follow(const PeerId& peer, uint64_t id) {
  const auto place = jobs_.find(id);
  if (place == jobs_.end()) {
    send(peer, wire::NotUnderstood{"there is no job " + std::to_string(id)});
    return;
  }
  place->second.followers.insert(peer);
  if (place->second.lanes.empty() && is_terminal(place->second.state)) observe_log(place->second);
  if (is_terminal(place->second.state))
    send_when_durable(peer, event_of(place->second));
  else
    send(peer, event_of(place->second));
}

void Core::observe_log(Job& job) {
  set_up_lanes(job);
  for (Lane& lane : job.lanes) observe_log(lane);
}

void Core::observe_log(Lane& lane) const {
  for (const Record& record : log_.records())
    if (const auto task = lane.task_of(record)) lane.tasks[*task].observe(record, false);
}

void Core::load(Job& job, Lane& lane) {
  observe_log(lane);
  lane.loaded = true;
  job.measured_before += lane.trials();
  // Shares moved a little while other tasks became faster: what was finished then is finished now.
  for (size_t i = 0; i < lane.tasks.size(); ++i)
    lane.tasks[i].settled =
        !job.request.more && is_settled(lane.tasks[i], settings_, 0.6 * share_of_model(lane, i));
  job.changed = true;
  const Conditions conditions{lane.target_text, lane.board_model, lane.threads, lane.mode};
  for (TaskState& task : lane.tasks)
    task.near = near_points({&log_.records(), &transfer_}, conditions, task.task, task.key, settings_);
  // A warm start: the model learns from what the log holds before the first round.
  Model& model = models_[lane.target_text];
  if (model.trained_on > 0 || model.request != 0) return;
  NearTargets is_near(lane.target_text);
  for (const std::vector<Record>* records :
       {static_cast<const std::vector<Record>*>(&transfer_), &log_.records()})
    for (const Record& record : *records) {
      if (record.features.empty() || !is_near(record.candidate.target)) continue;
      ++model.records_since;
      model.version = record.feature_version;
    }
  const bool is_old = std::ranges::any_of(
      peers_, [&](const auto& peer) { return peer.second.feature_version > model.version; });
  if (model.records_since > 0 && !is_old) train_if_due(lane.target_text, model.version);
  model.warming = model.request != 0;
}

void Core::charge_idle(Job& job, PeerState& runner) {
  const Time from = std::max({runner.idle_since, runner.idle_charged, job.started});
  job.stages.idle_ms += static_cast<double>(std::max(Time(0), now_.steady - from).count());
  runner.idle_charged = now_.steady;
}

void Core::set_state(Job& job, JobState state, const std::string& reason) {
  HONE_CHECK(is_legal(job.state, state));
  job.state = state;
  job.reason = reason;
  journal(state_entry(job.id, saved(job)));
  job.changed = true;
  if (!is_terminal(state)) return;
  jobs_ended_ = true;
  for (auto& [peer, worker] : peers_) {
    bool is_used = false;
    for (size_t part = 0; part < job.targets.size(); ++part) is_used = is_used || fits(job, part, worker);
    if (is_used && worker.leases.empty()) charge_idle(job, worker);
  }
  cancel(job, std::nullopt, std::nullopt, true);
  job.ended = now_.steady;
  board_share_.forget_job(job.id);
  round_share_.forget_job(job.id);
  // The end is only told once every record and the state itself are durable.
  for (const PeerId& follower : job.followers) send_when_durable(follower, event_of(job));
  job.changed = false;
}

void Core::forget_ended_jobs() {
  if (!std::exchange(jobs_ended_, false)) return;
  size_t ended = 0, bytes = 0;
  for (const auto& [id, job] : jobs_)
    if (is_terminal(job.state)) {
      ++ended;
      bytes += job.bytes;
    }
  if (ended <= settings_.kept_jobs && bytes <= settings_.kept_job_bytes) return;
  std::set<uint64_t> needed;
  for (const auto& [id, work] : works_) needed.insert(work.job);
  for (auto place = jobs_.begin(); place != jobs_.end();) {
    const Job& job = place->second;
    if (ended <= settings_.kept_jobs && bytes <= settings_.kept_job_bytes) break;
    if (!is_terminal(job.state) || needed.contains(job.id)) {
      ++place;
      continue;
    }
    --ended;
    bytes -= job.bytes;
    tokens_.erase({job.request.user, job.request.token});
    for (auto& [id, peer] : peers_)
      std::erase_if(peer.target_fits, [&](const auto& entry) { return entry.first.first == job.id; });
    place = jobs_.erase(place);
  }
}

bool Core::may_change(const PeerId& peer, const Job& job) {
  const KeyHolder& key = peers_.at(peer).key;
  const std::string& owner = job.request.user;
  if (key.name.empty() || key.is_operator || key.name == owner) return true;
  send(peer, wire::NotUnderstood{"job " + std::to_string(job.id) + " belongs to " +
                                 (owner.empty() ? "nobody" : owner) + ": only " +
                                 (owner.empty() ? "" : owner + " or ") +
                                 "an operator may stop or resume it, and this key is " + key.name + "'s"});
  return false;
}

void Core::stop_request(const PeerId& peer, uint64_t id) {
  Job* job = live_job(id);
  if (job == nullptr) return follow(peer, id);
  if (!may_change(peer, *job)) return;
  const std::string& name = peers_.at(peer).key.name;
  stop_job(*job, name.empty() || name == job->request.user ? "stopped by a client" : "stopped by " + name);
}

void Core::stop_job(Job& job, const std::string& reason) {
  if (job.state == JobState::stopping) return;
  set_state(job, JobState::stopping, reason);
  cancel(job, std::nullopt, std::nullopt, true);
  job.stopped_after = results_.last_commit();
}

void Core::cancel(Job& job, std::optional<size_t> lane, std::optional<size_t> task, bool leased_too) {
  std::vector<uint64_t> doomed;
  for (const auto& [id, work] : works_) {
    if (work.job != job.id || (lane && work.lane != *lane) || (task && work.task != *task)) continue;
    if (std::holds_alternative<MeasureWork>(work.what) && !work.holder.empty() && !leased_too) continue;
    doomed.push_back(id);
  }
  for (const uint64_t id : doomed) remove(id);
}

void Core::note_failure(Job& job, MeasureStatus status, const std::string& message) {
  auto& [count, example] = job.failed[status];
  if (count++ == 0) example = message;
}

RecoveredJob Core::saved(const Job& job) const {
  RecoveredJob out;
  out.request = job.request;
  out.state = job.state;
  out.reason = job.reason;
  out.lanes = job.recovered_lanes();
  const Time until = is_terminal(job.state) && job.ended > Time(0) ? job.ended : now_.steady;
  out.elapsed_ms = static_cast<uint64_t>(std::max<int64_t>(0, (until - job.started).count()));
  out.measured_before = job.measured_before;
  out.loaded = job.loaded();
  out.trials = job.trials();
  out.created_unix_ms = static_cast<uint64_t>(job.created_unix_ms);
  out.board_ms = static_cast<uint64_t>(job.board_ms);
  return out;
}

wire::JobEvent Core::event_of(const Job& job) const {
  wire::JobEvent event;
  event.job = job.id;
  event.state = to_text(job.state);
  event.reason = job.reason;
  uint64_t new_trials = 0;
  for (const Lane& lane : job.lanes) {
    wire::JobLane& said = event.lanes.emplace_back();
    said.part = static_cast<uint32_t>(lane.part);
    said.board_model = lane.board_model;
    said.boards = lane.boards;
    said.reason = lane.search_reason;
    for (const TaskState& task : lane.tasks) {
      said.tasks.push_back(
          {task.trials(), task.new_trials, task.first_ns, task.best_ns, task.phase == TaskPhase::done});
      new_trials += task.new_trials;
    }
  }
  if (!event.lanes.empty()) event.tasks = event.lanes[0].tasks;
  event.tasks.resize(job.request.parts.front().tasks.size());
  event.trials = job.trials();
  event.measured_before = job.measured_before;
  event.candidates = job.candidates();
  for (const auto& [status, failure] : job.failed)
    event.failed.push_back({status, failure.first, failure.second});
  event.seconds = seconds((is_terminal(job.state) ? job.ended : now_.steady) - job.started);
  event.stages = job.stages;
  event.boards = job.boards;
  event.tuners = job.tuners;
  if (!trouble_.empty()) event.trouble = "nothing is acknowledged: " + trouble_;
  if (job.state != JobState::in_progress) return event;
  double finals = 0;
  bool is_over = !job.lanes.empty();
  for (const Lane& lane : job.lanes) {
    finals = std::max(finals, static_cast<double>(lane.finals_ahead(settings_)) * lane.measure_ms / 1000 /
                                  std::max(1u, lane.boards));
    is_over = is_over && lane.search_over;
  }
  const uint64_t goal = job.request.max_trials * job.lanes.size();
  double eta = INFINITY;
  if (is_over) eta = finals;
  if (!is_over && goal > 0 && new_trials > 0 && event.seconds > 0)
    eta = static_cast<double>(goal - std::min(goal, event.trials)) * event.seconds /
              static_cast<double>(new_trials) +
          finals;
  if (job.request.max_seconds > 0)
    eta = std::min(eta, std::max(0.0, job.request.max_seconds - event.seconds));
  if (std::isfinite(eta)) event.eta_seconds = eta;
  return event;
}

void Core::send_events() {
  for (auto& [id, job] : jobs_) {
    if (is_terminal(job.state) || job.followers.empty()) continue;
    const Time since = now_.steady - job.last_event;
    if (!(job.changed && since >= settings_.event) && since < Time(1000)) continue;
    job.changed = false;
    job.last_event = now_.steady;
    for (const PeerId& follower : job.followers) send(follower, event_of(job));
  }
}

}  // namespace hone::scheduler
