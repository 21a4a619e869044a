// Jobs: submitted, followed, advanced through their states, stopped, saved; and questions about records.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "scheduler/budget.h"
#include "scheduler/core.h"
#include "scheduler/transfer.h"

namespace hone::scheduler {
namespace {

std::string milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g ms", ms);
  return text;
}

double seconds(Time time) { return static_cast<double>(time.count()) / 1000; }

std::set<std::string> features_of(const Target& target) {
  std::set<std::string> out;
  for (size_t from = 0; from < target.features.size();) {
    const size_t comma = std::min(target.features.find(',', from), target.features.size());
    out.insert(target.features.substr(from, comma - from));
    from = comma + 1;
  }
  return out;
}

/// Whether code for `wanted` runs where `has` is the best target.
bool has_all_of(const Target& has, const Target& wanted) {
  if (wanted.triple != has.triple || wanted.vector_bits > has.vector_bits) return false;
  const auto wanted_features = features_of(wanted), board_features = features_of(has);
  return std::all_of(wanted_features.begin(), wanted_features.end(), [&](const std::string& feature) {
    return feature.empty() || feature[0] == '-' || board_features.contains(feature);
  });
}

}  // namespace

void Core::set_up_tasks(Job& job) {
  if (auto target = parse_target(job.request.target)) job.target = std::move(*target);
  for (const wire::JobTask& task : job.request.tasks) {
    TaskState state;
    state.task = task;
    state.key = digest_of(task.task);
    job.tasks.push_back(std::move(state));
  }
}

bool Core::fits(const Job& job, PeerState& peer) {
  if (peer.role != wire::Role::runner || (!job.board_model.empty() && job.board_model != peer.board.model))
    return false;
  const auto [place, is_new] = peer.target_fits.try_emplace(job.id, false);
  if (is_new)
    place->second =
        has_all_of(peer.board.target, job.target) && boards_.find(peer.board_name)->has(job.request.require);
  return place->second;
}

void Core::submit(const PeerId& peer, const wire::JobRequest& request) {
  auto refuse = [&](const std::string& why) {
    send(peer, wire::NotUnderstood{"the job was not accepted: " + why});
  };
  if (stopping_) return refuse("the scheduler is stopping");
  if (request.tasks.empty()) return refuse("it has no tasks");
  if (auto target = parse_target(request.target); !target) return refuse(target.error().text());
  std::set<std::pair<std::string, std::string>> distinct;
  for (const wire::JobTask& task : request.tasks) {
    if (task.task.empty() || task.weight == 0) return refuse("a task without a text or a weight");
    if (!distinct.emplace(task.task, task.ports).second)
      return refuse("a task is there twice: " + task.summary);
  }
  const uint64_t id = next_job_++;
  auto entry = submit_entry(id, request);
  if (!entry) return refuse(entry.error().text());
  journal(std::move(*entry));
  Job job;
  job.id = id;
  job.request = request;
  job.board_model = request.board_model;
  job.started = job.waiting_since = job.last_snapshot = job.followed = now_.steady;
  job.followers.insert(peer);
  job.changed = true;
  jobs_.emplace(id, std::move(job));
  workers_changed_ = true;
  after_[sequence_].push_back({peer, wire::Accepted{id}, {}});
}

void Core::follow(const PeerId& peer, uint64_t id) {
  const auto place = jobs_.find(id);
  if (place == jobs_.end()) {
    send(peer, wire::NotUnderstood{"there is no job " + std::to_string(id)});
    return;
  }
  place->second.followers.insert(peer);
  Outgoing outgoing{peer, event_of(place->second), {}};
  if (is_terminal(place->second.state) && durable_ < sequence_)
    after_[sequence_].push_back(std::move(outgoing));
  else
    out_.send.push_back(std::move(outgoing));
}

void Core::load(Job& job) {
  if (job.tasks.empty()) set_up_tasks(job);
  job.loaded = true;
  for (const Record& record : log_.records())
    if (const auto task = job.task_of(record)) job.tasks[*task].observe(record, false);
  job.measured_before = job.trials();
  // Shares moved a little while other tasks became faster: what was finished then is finished now.
  for (size_t i = 0; i < job.tasks.size(); ++i)
    job.tasks[i].settled =
        !job.request.more && is_settled(job.tasks[i], settings_, 0.6 * share_of_model(job, i));
  job.changed = true;
  for (TaskState& task : job.tasks)
    task.near = near_points({&log_.records(), &transfer_}, job.request, task.task, task.key, settings_);
  // A warm start: the model learns from what the log holds before the first round.
  Model& model = models_[job.request.target];
  if (model.trained_on > 0 || model.request != 0) return;
  NearTargets is_near(job.request.target);
  for (const std::vector<Record>* records :
       {static_cast<const std::vector<Record>*>(&transfer_), &log_.records()})
    for (const Record& record : *records) {
      if (record.features.empty() || !is_near(record.target)) continue;
      ++model.records_since;
      model.version = record.feature_version;
    }
  if (model.records_since > 0) train_if_due(job.request.target, model.version);
  model.warming = model.request != 0;
}

void Core::set_state(Job& job, JobState state, const std::string& reason) {
  HONE_CHECK(is_legal(job.state, state));
  job.state = state;
  job.reason = reason;
  journal(state_entry(job.id, saved(job)));
  job.changed = true;
  if (!is_terminal(state)) return;
  cancel(job, std::nullopt, true);
  job.ended = now_.steady;
  // The end is only told once every record and the state itself are durable.
  for (const PeerId& follower : job.followers) after_[sequence_].push_back({follower, event_of(job), {}});
  job.changed = false;
}

void Core::stop_job(Job& job, const std::string& reason) {
  if (job.state == JobState::stopping) return;
  set_state(job, JobState::stopping, reason);
  cancel(job, std::nullopt, true);
}

void Core::cancel(Job& job, std::optional<size_t> task, bool leased_too) {
  std::vector<uint64_t> doomed;
  for (const auto& [id, work] : works_) {
    if (work.job != job.id || (task && work.task != *task)) continue;
    if (std::holds_alternative<MeasureWork>(work.what) && !work.holder.empty() && !leased_too) continue;
    doomed.push_back(id);
  }
  for (const uint64_t id : doomed) remove(id);
}

void Core::advance(Job& job) {
  if (is_terminal(job.state)) return;
  if (job.tasks.empty()) set_up_tasks(job);
  if (!job.followers.empty()) job.followed = now_.steady;
  if (settings_.abandon > Time(0) && job.state != JobState::stopping &&
      now_.steady - job.followed >= settings_.abandon)
    stop_job(job, "no client followed it for " + std::to_string(settings_.abandon.count() / 1000) + " s");
  if (job.state == JobState::stopping) {
    if (committing_.empty()) set_state(job, JobState::stopped, job.reason);
    return;
  }
  if (!job.loaded && !job.board_model.empty()) {
    load(job);
    journal(state_entry(job.id, saved(job)));
  }
  if (job.loaded) {
    search_limits(job);
    for (size_t i = 0; i < job.tasks.size(); ++i) advance_task(job, i);
    if (job.all_done() && !reopen(job)) {
      const bool any = std::any_of(job.tasks.begin(), job.tasks.end(),
                                   [](const TaskState& task) { return task.has_time(); });
      if (any) {
        set_state(job, JobState::completed, job.search_over ? job.search_reason : "every task is finished");
      } else {
        std::string why = "no candidate of any task could be measured";
        const auto most =
            std::max_element(job.failed.begin(), job.failed.end(),
                             [](const auto& x, const auto& y) { return x.second.first < y.second.first; });
        if (most != job.failed.end())
          why += ": " + std::string(to_text(most->first)) + ": " + most->second.second;
        set_state(job, JobState::failed, why);
      }
      return;
    }
    if (job.state == JobState::starting && job.boards > 0 && job.tuners > 0)
      set_state(job, JobState::in_progress, "");
  }
  workers_missing(job);
  if (now_.steady - job.last_snapshot >= settings_.snapshot && !is_terminal(job.state)) {
    job.last_snapshot = now_.steady;
    out_.jobs.push_back(state_entry(job.id, saved(job)));
  }
}

/// "; b1 is Bad: ..." for the boards that the job could have had.
std::string Core::unusable_boards(const Job& job) {
  std::string out;
  for (const auto& [name, board] : boards_.all()) {
    if ((!job.board_model.empty() && job.board_model != board.board.model) ||
        !has_all_of(board.board.target, job.target))
      continue;
    if (!board.has(job.request.require))
      out += "; " + name + " lacks the labels";
    else
      out += "; " + name + " is " + std::string(to_text(board.state)) + ": " + board.reason;
    if (out.size() > 500) return out + "; and others";
  }
  return out;
}

void Core::workers_missing(Job& job) {
  if (job.boards > 0 && job.tuners > 0) {
    job.waiting_since = now_.steady;
    return;
  }
  if (now_.steady - job.waiting_since < settings_.worker_wait) return;
  const std::string waited = " within " + std::to_string(settings_.worker_wait.count() / 1000) + " s";
  if (job.boards == 0)
    set_state(job, JobState::failed,
              "no board that fits the target" +
                  (job.board_model.empty() ? "" : " and is a " + job.board_model) + " was Good" + waited +
                  unusable_boards(job));
  else
    set_state(job, JobState::failed, "no tuner came" + waited);
}

void Core::search_limits(Job& job) {
  const wire::JobRequest& request = job.request;
  auto end = [&](const std::string& why) {
    if (job.search_over) return;
    job.search_over = true;
    job.search_reason = why;
  };
  if (request.max_trials > 0 && job.trials() >= request.max_trials)
    end("the log holds " + std::to_string(job.trials()) + " trials");
  if (request.max_trials > 0 && job.candidates >= 2 * request.max_trials)
    end(std::to_string(job.candidates) + " candidates were tried");
  // What the finals then say counts: if that is over the target, the search goes on (see reopen).
  const double estimate = request.target_ms > 0 ? job.model_ms(true) : 0;
  if (estimate > 0 && estimate * job.target_trust <= request.target_ms && !job.search_over) {
    job.for_target = true;
    end("the model's tasks add up to " + milliseconds(estimate) + ", under the target of " +
        milliseconds(request.target_ms));
  }
  if (request.max_seconds <= 0) return;
  const double elapsed = seconds(now_.steady - job.started);
  const double finals =
      static_cast<double>(job.finals_ahead(settings_)) * job.measure_ms / 1000 / std::max(1u, job.boards);
  if (elapsed >= request.max_seconds - std::min(finals, 0.4 * request.max_seconds)) end("the time is up");
  if (elapsed < request.max_seconds) return;
  const bool overdue = elapsed > request.max_seconds * 1.1 + 2;
  for (size_t i = 0; i < job.tasks.size(); ++i) {
    if (job.tasks[i].phase == TaskPhase::done) continue;
    job.tasks[i].finals_made = true;
    cancel(job, i, overdue);
  }
}

bool Core::reopen(Job& job) {
  if (!job.for_target) return false;
  job.for_target = false;
  const double estimate = job.model_ms(true), confirmed = job.model_ms();
  if (confirmed <= job.request.target_ms) {
    job.search_reason = "the model's tasks add up to " + milliseconds(confirmed) + ", under the target of " +
                        milliseconds(job.request.target_ms);
    return false;
  }
  bool any = false;
  for (TaskState& task : job.tasks) {
    if (task.settled || task.exhausted) continue;
    task.phase = TaskPhase::search;
    task.finals_made = false;
    any = true;
  }
  job.search_reason = "the finals add up to " + milliseconds(confirmed) + ", over the target of " +
                      milliseconds(job.request.target_ms) + ", and every task is finished";
  if (!any) return false;
  job.target_trust = std::max(job.target_trust, confirmed / estimate);
  job.search_over = false;
  job.changed = true;
  return true;
}

void Core::advance_task(Job& job, size_t index) {
  TaskState& task = job.tasks[index];
  if (task.phase == TaskPhase::search) {
    const bool may_settle = !job.request.more || task.new_trials > settings_.settle_trials;
    // Below a quarter of the window no share settles a task, and the share costs a look at all of them.
    const bool may_be = !task.has_time() || task.trials() > settings_.settle_trials / 4;
    task.settled =
        task.settled || (may_settle && may_be && is_settled(task, settings_, share_of_model(job, index)));
    if (job.search_over || task.settled)
      cancel(job, index, false);
    else if (!task.exhausted || task.rounds > 0)
      return;
    if (task.measuring > 0) return;
    task.phase = TaskPhase::finals;
    job.changed = true;
  }
  if (task.phase == TaskPhase::finals) {
    if (!task.finals_made) make_finals(job, index);
    if (task.measuring == 0) task.phase = TaskPhase::done;
  }
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
  out.board_model = job.board_model;
  out.elapsed_ms = static_cast<uint64_t>(std::max<int64_t>(0, (now_.steady - job.started).count()));
  out.candidates = job.candidates;
  out.measured_before = job.measured_before;
  out.loaded = job.loaded;
  return out;
}

void Core::query(const PeerId& peer, const wire::Query& query) {
  wire::Records answer;
  if (query.best_only) {
    std::set<Digest> keys(query.task_keys.begin(), query.task_keys.end());
    if (keys.empty())
      for (const Record& record : log_.records())
        if (record.target == query.target) keys.insert(record.task_key);
    BestQuery best;
    best.target = query.target;
    for (const Record* record : log_.best_of({keys.begin(), keys.end()}, best))
      if (record != nullptr) answer.records.push_back(*record);
  } else {
    LogQuery wanted;
    wanted.task_keys = query.task_keys;
    wanted.target = query.target;
    for (const Record* record : log_.query(wanted)) answer.records.push_back(*record);
  }
  if (answer.records.size() > wire::Limits::records) {
    send(peer, wire::NotUnderstood{std::to_string(answer.records.size()) +
                                   " records are too many for one answer: name tasks"});
    return;
  }
  send(peer, std::move(answer));
}

wire::JobEvent Core::event_of(const Job& job) const {
  wire::JobEvent event;
  event.job = job.id;
  event.state = to_text(job.state);
  event.reason = job.reason;
  uint64_t new_trials = 0;
  for (const TaskState& task : job.tasks) {
    event.tasks.push_back(
        {task.trials(), task.new_trials, task.first_ns, task.best_ns, task.phase == TaskPhase::done});
    new_trials += task.new_trials;
  }
  event.tasks.resize(job.request.tasks.size());
  event.trials = job.trials();
  event.measured_before = job.measured_before;
  event.candidates = job.candidates;
  for (const auto& [status, failure] : job.failed)
    event.failed.push_back({status, failure.first, failure.second});
  event.seconds = seconds((is_terminal(job.state) ? job.ended : now_.steady) - job.started);
  event.stages = job.stages;
  event.boards = job.boards;
  event.tuners = job.tuners;
  if (job.state != JobState::in_progress) return event;
  const double finals =
      static_cast<double>(job.finals_ahead(settings_)) * job.measure_ms / 1000 / std::max(1u, job.boards);
  double eta = INFINITY;
  if (job.search_over) eta = finals;
  if (!job.search_over && job.request.max_trials > 0 && new_trials > 0 && event.seconds > 0)
    eta = static_cast<double>(job.request.max_trials - std::min(job.request.max_trials, event.trials)) *
              event.seconds / static_cast<double>(new_trials) +
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
