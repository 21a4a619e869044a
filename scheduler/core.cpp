// The way in and the way out of every step: a message is handed to its part, then work is dealt out and
// events go to clients.
#include "scheduler/core.h"
#include "scheduler/door.h"

#include <algorithm>
#include <iterator>
#include <type_traits>

namespace hone::scheduler {
namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

template <class Message, class... Kinds>
concept OneOf = (std::is_same_v<Message, Kinds> || ...);

/// What a scheduler says and never hears. A message that is neither here nor handled does not compile.
template <class Message>
concept OfAScheduler =
    OneOf<Message, wire::Welcome, wire::Refuse, wire::Want, wire::Blob, wire::Committed, wire::Accepted,
          wire::JobEvent, wire::Records, wire::Jobs, wire::Boards, wire::LogChunk, wire::SchedulerStatus>;

}  // namespace

Core::Core(Settings settings, LogDatabase log, Recovered recovered, std::vector<Record> transfer)
    : settings_(settings),
      log_(std::move(log)),
      transfer_(std::move(transfer)),
      recovered_(std::move(recovered)),
      artifacts_(settings.artifact_count, settings.artifact_bytes) {
  next_work_ = next_epoch_ = (recovered_.boot << 32) + 1;
  next_job_ = (recovered_.boot << 16) + 1;
}

Effects Core::start(Now now) {
  now_ = now;
  born_ = now.steady;
  journal(boot_entry(recovered_.boot));
  results_.restore(recovered_.issued);
  for (const auto& [name, board] : recovered_.boards) boards_.restore(board, now);
  for (const auto& [id, saved] : recovered_.jobs) {
    Job job;
    job.id = id;
    job.request = saved.request;
    job.bytes = bytes_of(job.request);
    job.state = saved.state;
    job.reason = saved.reason;
    job.created_unix_ms = static_cast<int64_t>(saved.created_unix_ms);
    job.kept_trials = saved.trials;
    job.board_ms = static_cast<double>(saved.board_ms);
    job.ended = now.steady;
    if (!job.request.token.empty()) tokens_[{job.request.user, job.request.token}] = id;
    job.measured_before = saved.measured_before;
    job.known_lanes = saved.lanes;
    job.started = now.steady - Time(saved.elapsed_ms);
    job.waiting_since = job.last_snapshot = job.followed = now.steady;
    jobs_.emplace(id, std::move(job));
    Job& kept = jobs_.at(id);
    if (is_terminal(kept.state)) continue;
    if (kept.state == JobState::stopping) {
      set_state(kept, JobState::stopped, kept.reason);
      continue;
    }
    set_up_lanes(kept);
    kept.measured_before = 0;
    for (Lane& lane : kept.lanes) load(kept, lane);
    if (saved.loaded) kept.measured_before = saved.measured_before;
  }
  return finish();
}

Effects Core::message(Now now, const PeerId& peer, const wire::Message& message,
                      std::vector<wire::Bytes> blobs, const KeyHolder& key) {
  take(now, peer, message, std::move(blobs), key);
  return finish();
}

Effects Core::finish(Now now) {
  now_ = now;
  return finish();
}

void Core::take(Now now, const PeerId& peer, const wire::Message& message, std::vector<wire::Bytes> blobs,
                const KeyHolder& key) {
  now_ = now;
  if (const auto why = too_long(message)) {
    ++counters_.malformed;
    if (std::holds_alternative<wire::Hello>(message))
      send(peer, wire::Refuse{*why});
    else
      send(peer, wire::NotUnderstood{*why});
    return;
  }
  if (const auto shorter = clipped(message)) return take(now, peer, *shorter, std::move(blobs), key);
  if (const auto* greeting = std::get_if<wire::Hello>(&message)) {
    hello(peer, *greeting, key);
    return;
  }
  const auto place = peers_.find(peer);
  if (place == peers_.end()) {
    send(peer, wire::NotUnderstood{"say hello first"});
    return;
  }
  place->second.heard = now.steady;
  const wire::Role role = place->second.role;
  const auto only = [&](wire::Role wanted, auto act) {
    if (role == wanted) return act();
    ++counters_.malformed;
    send(peer, wire::NotUnderstood{"this message is not for a peer of this role"});
  };
  using enum wire::Role;
  std::visit(
      Overloaded{[](const wire::NotUnderstood&) {},
                 [](const wire::Hello&) {},  // is answered before
                 [&](const wire::WorkerState& said) {
                   if (role != client) state(peer, said);
                 },
                 [&](const wire::Fetch& said) { fetch(peer, said); },
                 [&](const wire::Built& said) { only(tuner, [&] { built(peer, said, std::move(blobs)); }); },
                 [&](const wire::Featurised& said) { only(tuner, [&] { featurised(peer, said); }); },
                 [&](const wire::RoundDone& said) { only(tuner, [&] { round_done(peer, said); }); },
                 [&](const wire::Measured& said) { only(runner, [&] { measured(peer, said); }); },
                 [&](const wire::HealthReport& said) { only(runner, [&] { health(peer, said); }); },
                 [&](const wire::JobRequest& said) { only(client, [&] { submit(peer, said); }); },
                 [&](const wire::Follow& said) { only(client, [&] { follow(peer, said.job); }); },
                 [&](const wire::Stop& said) { only(client, [&] { stop_request(peer, said.job); }); },
                 [&](const wire::Resume& said) { only(client, [&] { resume(peer, said.job); }); },
                 [&](const wire::Query& said) { only(client, [&] { query(peer, said); }); },
                 [&](const wire::ListJobs& said) { only(client, [&] { list_jobs(peer, said.job); }); },
                 [&](const wire::ListBoards&) { only(client, [&] { list_boards(peer); }); },
                 [&](const wire::BoardRequest& said) { only(client, [&] { board_request(peer, said); }); },
                 [&](const wire::PullLog& said) { only(client, [&] { pull_log(peer, said); }); },
                 [&](const wire::AskStatus&) { only(client, [&] { status(peer); }); },
                 [&]<OfAScheduler M>(const M&) {
                   ++counters_.malformed;
                   send(peer, wire::NotUnderstood{"only a scheduler sends this message"});
                 }},
      message);
}

Effects Core::malformed(Now now, const PeerId& peer, const std::string& why) {
  now_ = now;
  ++counters_.malformed;
  send(peer, wire::NotUnderstood{why});
  return finish();
}

Effects Core::gone(Now now, const PeerId& peer) {
  now_ = now;
  if (peers_.contains(peer)) lose_peer(peer, "its connection was closed");
  return finish();
}

Effects Core::left(Now now, const std::vector<PeerLeft>& peers) {
  now_ = now;
  for (const PeerLeft& left : peers) {
    const auto place = peers_.find(left.peer);
    if (place == peers_.end()) continue;
    if (!left.why.empty() || place->second.role == wire::Role::client)
      lose_peer(left.peer, left.why.empty() ? "it left" : left.why);
  }
  return finish();
}

Effects Core::durable(Now now, uint64_t sequence) {
  now_ = now;
  for (Outgoing& outgoing : results_.durable(sequence)) out_.send.push_back(std::move(outgoing));
  return finish();
}

Effects Core::tick(Now now) {
  now_ = now;
  expire();
  return finish();
}

Effects Core::trouble(Now now, const std::string& why) {
  now_ = now;
  trouble_ = why;
  for (auto& [id, job] : jobs_) job.changed = true;
  return finish();
}

Effects Core::stop(Now now) {
  now_ = now;
  if (!is_private()) return finish();
  stopping_ = true;
  for (auto& [id, job] : jobs_)
    if (!is_terminal(job.state)) stop_job(job, "the scheduler was stopped");
  for (auto& [id, peer] : peers_) want_due_.insert(id);
  return finish();
}

Time Core::next_tick(Now now) const {
  Time next = now.steady + settings_.heartbeat;
  for (const auto& [id, job] : jobs_) {
    if (is_terminal(job.state)) continue;
    if (job.request.limit_seconds > 0)
      next = std::min(next, job.started + Time(static_cast<int64_t>(job.request.limit_seconds * 1000)));
    if (job.changed && !job.followers.empty()) next = std::min(next, job.last_event + settings_.event);
    if (job.request.max_seconds > 0) {
      const Time end = job.started + Time(static_cast<int64_t>(job.request.max_seconds * 1000));
      if (end > now.steady) next = std::min(next, end);
    }
  }
  if (const auto check = boards_.next_tick()) next = std::min(next, *check);
  return std::max(next, now.steady + Time(1));
}

Effects Core::finish() {
  boards_changed();
  forget_ended_jobs();
  if (std::exchange(workers_changed_, false)) count_workers();
  for (auto& [id, job] : jobs_) advance(job);
  if (!stopping_) dispatch();
  send_wants();
  send_events();
  trim_artifacts();
  Effects out = std::move(out_);
  out_ = {};
  for (Outgoing& outgoing : out.send)
    if (const auto place = peers_.find(outgoing.peer);
        place != peers_.end() && place->second.protocol < wire::protocol_version)
      outgoing.message = wire::for_protocol(std::move(outgoing.message), place->second.protocol);
  if (!out.records.empty() || !out.jobs.empty()) out.sequence = results_.sequence();
  return out;
}

void Core::send(const PeerId& peer, wire::Message message, std::vector<BlobPointer> blobs) {
  out_.send.push_back({peer, std::move(message), std::move(blobs)});
}

void Core::send(std::optional<Outgoing> outgoing) {
  if (outgoing) out_.send.push_back(std::move(*outgoing));
}

void Core::send_when_durable(const PeerId& peer, wire::Message message) {
  send(results_.when_durable({peer, std::move(message), {}}));
}

void Core::journal(JournalEntry entry) {
  out_.jobs.push_back(std::move(entry));
  results_.append();
}

Job* Core::live_job(uint64_t id) {
  const auto place = jobs_.find(id);
  return place == jobs_.end() || is_terminal(place->second.state) ? nullptr : &place->second;
}

void Core::trim_artifacts() {
  if (!artifacts_.over()) return;
  std::set<Digest> needed;
  for (const auto& [target, model] : models_) needed.insert(model.digest);
  for (const auto& [id, work] : works_)
    if (const auto* measure = std::get_if<MeasureWork>(&work.what)) {
      needed.insert(measure->record.artifact);
      needed.insert(measure->reference);
    }
  for (const auto& [id, job] : jobs_) {
    if (is_terminal(job.state)) continue;
    for (const Lane& lane : job.lanes)
      for (const TaskState& task : lane.tasks) {
        needed.insert(task.reference);
        for (const Shown* shown : task.top(static_cast<size_t>(settings_.finalists)))
          needed.insert(shown->record.artifact);
        if (const Shown* zero = task.trial_zero()) needed.insert(zero->record.artifact);
      }
  }
  artifacts_.trim(needed);
}

std::vector<JournalEntry> Core::snapshot_entries(Now now) const {
  Recovered now_recovered;
  now_recovered.boot = recovered_.boot;
  for (const auto& [id, job] : jobs_) now_recovered.jobs[id] = saved(job);
  now_recovered.issued = results_.issued();
  for (const auto& [name, board] : boards_.all()) now_recovered.boards[name] = boards_.summary(board, now);
  return snapshot(now_recovered);
}

}  // namespace hone::scheduler
