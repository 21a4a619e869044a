// Hello, state and want; leases given, renewed, lost. What a lease is for is the business of core_rounds and
// core_measure.
#include <algorithm>

#include "scheduler/core.h"

namespace hone::scheduler {
namespace {

std::string range(uint32_t from, uint32_t to) {
  return from == to ? std::to_string(from) : std::to_string(from) + " to " + std::to_string(to);
}

/// Both ranges, both builds, and who has to change.
std::string no_common_protocol(const wire::Hello& hello) {
  const bool is_peer_older = hello.protocol_max < wire::protocol_oldest;
  return "this scheduler (" + std::string(build_name) + ") speaks protocol " +
         range(wire::protocol_oldest, wire::protocol_version) + ", the peer (" +
         (hello.build.empty() ? "unknown build" : hello.build) + ") " +
         range(hello.protocol_min, hello.protocol_max) + ": " +
         (is_peer_older ? "the peer is too old" : "the scheduler is too old");
}

/// A name that a peer gives itself is only shown with its key's.
std::string shown_name(const std::string& said, const KeyHolder& key) {
  if (key.name.empty()) return said;
  if (said.empty() || owns_board({key.name}, said)) return said.empty() ? key.name : said;
  return key.name + "/" + said;
}

}  // namespace

void Core::hello(const PeerId& peer, const wire::Hello& hello, const KeyHolder& key) {
  if (peers_.contains(peer)) lose_peer(peer, "it said hello again");
  const uint32_t protocol = std::min(hello.protocol_max, wire::protocol_version);
  if (protocol < std::max(hello.protocol_min, wire::protocol_oldest)) {
    send(peer, wire::Refuse{no_common_protocol(hello)});
    return;
  }
  PeerState state;
  state.role = hello.role;
  state.worker = next_worker_++;
  state.name = shown_name(hello.name, key);
  state.build = hello.build;
  state.protocol = protocol;
  state.instance = hello.instance;
  state.feature_version = static_cast<int>(std::min<uint32_t>(hello.feature_version, 1u << 30));
  state.key = key;
  state.capacity = std::max(1u, hello.capacity);
  state.heard = state.idle_since = now_.steady;
  if (hello.role == wire::Role::runner) {
    auto board = parse_board(hello.board);
    if (!board) {
      send(peer, wire::Refuse{"its board is not understood: " + board.error().text()});
      return;
    }
    wire::Hello named = hello;
    named.name = whole_board_name(key, hello.name);
    if (const auto why = objection_to(named, *board, key)) {
      ++counters_.refused_boards;
      out_.notes.push_back("refused a runner: " + *why);
      send(peer, wire::Refuse{*why});
      return;
    }
    greet_runner(peer, std::move(state), named, std::move(*board));
  } else {
    peers_.emplace(peer, std::move(state));
  }
  workers_changed_ = true;
  if (hello.role == wire::Role::runner) hungry_runners_.insert(peer);
  if (hello.role == wire::Role::tuner) hungry_tuners_.insert(peer);
  send(peer,
       wire::Welcome{protocol, peers_.at(peer).worker, static_cast<uint32_t>(settings_.heartbeat.count()),
                     static_cast<uint32_t>(settings_.lease.count())});
  if (stopping_) want_due_.insert(peer);
}

void Core::state(const PeerId& peer, const wire::WorkerState& said) {
  PeerState& worker = peers_.at(peer);
  if (BoardRecord* board = board_of(peer)) {
    board->last.temperature_celsius = said.temperature_celsius;
    board->last.frequency_mhz = said.frequency_mhz;
  }
  std::set<uint64_t> held;
  bool agrees = true;
  for (const wire::LeaseRef& lease : said.leases) {
    Work* work = leased(lease, peer);
    if (work == nullptr) {  // the want will not name it, so the worker drops it
      agrees = false;
      continue;
    }
    held.insert(lease.id);
    work->renewed = now_.steady;
    work->is_held = true;
  }
  for (const uint64_t id : std::vector<uint64_t>(worker.leases)) {
    Work& work = works_.at(id);
    if (held.contains(id)) continue;
    if (work.is_held) {
      // It had it and has it no more, without a result.
      if (std::holds_alternative<RoundWork>(work.what))
        round_lost(work, "the tuner dropped the round");
      else
        measurement_lost(work, "the runner dropped the measurement", nullptr);
    } else if (work.is_told && !waits_for_disk(work) && now_.steady - work.told >= settings_.heartbeat * 2) {
      work.is_told = false;  // the want was lost or crossed with this state: send the work again
      agrees = false;
    }
  }
  // What it would be told it was told just now, or will be with what changes next.
  if (!agrees || now_.steady - worker.wanted >= settings_.heartbeat / 2) want_due_.insert(peer);
}

void Core::fetch(const PeerId& peer, const wire::Fetch& fetch) {
  BlobPointer bytes = artifacts_.get(fetch.digest);
  if (bytes)
    send(peer, wire::Blob{fetch.digest, true}, {bytes});
  else
    send(peer, wire::Blob{fetch.digest, false});
}

Work* Core::leased(const wire::LeaseRef& lease, const PeerId& peer) {
  const auto place = works_.find(lease.id);
  if (place == works_.end() || place->second.epoch != lease.epoch || place->second.holder != peer)
    return nullptr;
  return &place->second;
}

uint32_t Core::free_slots(const PeerState& peer) const {
  const uint32_t capacity =
      peer.role == wire::Role::runner ? std::min(peer.capacity, settings_.prefetch) : peer.capacity;
  return capacity > peer.leases.size() ? capacity - static_cast<uint32_t>(peer.leases.size()) : 0;
}

void Core::grant(Work& work, const PeerId& peer) {
  HONE_CHECK(work.holder.empty());
  PeerState& worker = peers_.at(peer);
  work.holder = peer;
  work.epoch = next_epoch_++;
  work.granted = work.renewed = work.moved = now_.steady;
  work.is_told = work.is_held = false;
  if (auto* round = std::get_if<RoundWork>(&work.what)) round->round.lease = {work.id, work.epoch};
  if (worker.leases.empty() && worker.role == wire::Role::runner)
    if (Job* job = live_job(work.job)) charge_idle(*job, worker);
  worker.leases.push_back(work.id);
  want_due_.insert(peer);
}

void Core::release(Work& work, bool tell) {
  if (work.holder.empty()) return;
  if (const auto place = peers_.find(work.holder); place != peers_.end()) {
    std::erase(place->second.leases, work.id);
    if (place->second.leases.empty())
      place->second.idle_since = now_.steady;
    else
      works_.at(place->second.leases.front()).moved = now_.steady;  // its turn begins
    if (tell) want_due_.insert(work.holder);
    (place->second.role == wire::Role::runner ? hungry_runners_ : hungry_tuners_).insert(work.holder);
  }
  work.holder.clear();
}

void Core::remove(uint64_t id, bool tell) {
  const auto place = works_.find(id);
  if (place == works_.end()) return;
  const bool was_held = !place->second.holder.empty();  // then it is in no queue
  release(place->second, tell);
  if (!was_held) {
    if (const auto queue = measure_queues_.find({place->second.job, place->second.lane});
        queue != measure_queues_.end()) {
      std::erase(queue->second, id);
      if (queue->second.empty()) measure_queues_.erase(queue);
    }
    std::erase(round_queue_, id);
  }
  if (const auto job = jobs_.find(place->second.job);
      job != jobs_.end() && place->second.lane < job->second.lanes.size()) {
    TaskState& task = task_of(place->second);
    if (const auto* measure = std::get_if<MeasureWork>(&place->second.what)) {
      --task.measuring;
      task.pending.erase(measure->key);
    } else {
      --task.rounds;
      const auto& round = std::get<RoundWork>(place->second.what);
      if (const auto* propose = std::get_if<wire::Propose>(&round.round.asks))
        task.asked -= std::min(task.asked, propose->count - std::min(propose->count, round.delivered));
    }
  }
  works_.erase(place);
}

void Core::lose_peer(const PeerId& peer, const std::string& why) {
  const auto place = peers_.find(peer);
  const std::vector<uint64_t> leases = place->second.leases;
  const bool is_worker = place->second.role != wire::Role::client;
  const std::string name = place->second.name;
  BoardRecord* board = board_of(peer);
  peers_.erase(place);
  hungry_runners_.erase(peer);
  hungry_tuners_.erase(peer);
  want_due_.erase(peer);
  workers_changed_ = workers_changed_ || is_worker;
  if (board != nullptr) {
    if (board->peer == peer)
      boards_.disconnect(now_, *board, why, !leases.empty());
    else if (!leases.empty())
      boards_.fault(now_, *board, "it was lost at work: " + why);
  }
  for (auto& [id, job] : jobs_) job.followers.erase(peer);
  if (is_worker) {
    ++counters_.lost_workers;
    out_.notes.push_back("lost " + name + ": " + why);
  }
  bool first = true;
  for (const uint64_t id : leases) {
    const auto work = works_.find(id);
    if (work == works_.end()) continue;
    // A board works on its oldest lease; the others only waited there and are not to blame.
    if (std::holds_alternative<RoundWork>(work->second.what)) {
      round_lost(work->second, "the tuner was lost: " + why);
    } else if (first) {
      measurement_lost(work->second, "the board was lost while it held this candidate: " + why, board);
    } else {
      release(work->second);
      requeue(work->second);
    }
    first = false;
  }
}

void Core::expire() {
  std::vector<PeerId> lost;
  for (const auto& [id, peer] : peers_)
    if (peer.role != wire::Role::client && now_.steady - peer.heard > settings_.loss) lost.push_back(id);
  for (const PeerId& id : lost)
    lose_peer(id, "silent for " + std::to_string((now_.steady - peers_.at(id).heard).count()) + " ms");

  for (const uint64_t id : late_leases()) {
    const auto place = works_.find(id);
    if (place == works_.end()) continue;
    ++counters_.expired_leases;
    if (std::holds_alternative<RoundWork>(place->second.what))
      round_lost(place->second, "the lease of the round ran out");
    else
      lease_ran_out(place->second);
  }
  std::set<std::string> busy;
  for (const auto& [id, peer] : peers_)
    if (!peer.leases.empty()) busy.insert(peer.board_name);
  boards_.tick(now_, busy);
}

std::vector<uint64_t> Core::late_leases() {
  // Times of leases only ever move to the present, so none is late before the first that was seen coming. A
  // thousand boards hold many leases: they are not looked at at every tick.
  if (trouble_.empty() && now_.steady < next_late_) return {};
  const Time measure_limit = settings_.upload + settings_.run + settings_.measure_slack;
  next_late_ = now_.steady + std::min({settings_.lease, settings_.round_limit, measure_limit}) + Time(1);
  std::vector<uint64_t> late;
  for (auto& [id, work] : works_) {
    if (work.holder.empty()) continue;
    if (waits_for_disk(work)) work.renewed = work.moved = now_.steady;
    const bool is_round = std::holds_alternative<RoundWork>(work.what);
    // A waiting measurement is not late: only the oldest lease of a board runs.
    const bool runs = is_round || peers_.at(work.holder).leases.front() == id;
    Time end = work.renewed + settings_.lease;
    if (runs) end = std::min(end, work.moved + (is_round ? settings_.round_limit : measure_limit));
    if (now_.steady > end)
      late.push_back(id);
    else
      next_late_ = std::min(next_late_, end + Time(1));
  }
  return late;
}

bool Core::waits_for_disk(const Work& work) const {
  return !trouble_.empty() && !work.is_held && std::holds_alternative<MeasureWork>(work.what);
}

void Core::lease_ran_out(Work& work) {
  BoardRecord* board = board_of(work.holder);
  const std::string why = "the lease of the measurement ran out";
  measurement_lost(work, why, board);
  if (board != nullptr) boards_.fault(now_, *board, why);
}

std::vector<PeerId> Core::take_stock(std::set<PeerId>& hungry) {
  std::erase_if(hungry, [&](const PeerId& id) {
    const auto place = peers_.find(id);
    return place == peers_.end() || free_slots(place->second) == 0;
  });
  return {hungry.begin(), hungry.end()};
}

void Core::dispatch() {
  // Not before this start is on the disk: the next one would give the same ids and epochs to other leases.
  if (!results_.is_durable(1)) return;
  // A thousand boards that wait for work are only looked at when there is some. No measurement goes out
  // before its issue is journaled.
  std::vector<PeerId> runners, tuners = take_stock(hungry_tuners_);
  if (trouble_.empty() && !measure_queues_.empty()) runners = take_stock(hungry_runners_);
  // One lease each in turn, so that two boards share a short queue; who gets none now gets none later.
  while (!runners.empty() && !measure_queues_.empty())
    std::erase_if(runners,
                  [&](const PeerId& id) { return !lease_measurement(id) || free_slots(peers_.at(id)) == 0; });
  while (!tuners.empty())
    std::erase_if(tuners,
                  [&](const PeerId& id) { return !make_round(id) || free_slots(peers_.at(id)) == 0; });
}

void Core::send_wants() {
  for (const PeerId& id : std::exchange(want_due_, {})) {
    const auto place = peers_.find(id);
    if (place == peers_.end() || place->second.role == wire::Role::client) continue;
    place->second.wanted = now_.steady;
    wire::Want want;
    want.stopping = stopping_;
    for (const uint64_t lease : place->second.leases) {
      Work& work = works_.at(lease);
      want.leases.push_back({work.id, work.epoch});
      if (work.is_told) continue;
      work.is_told = true;
      work.told = now_.steady;
      if (const auto* round = std::get_if<RoundWork>(&work.what))
        want.rounds.push_back(round->round);
      else
        want.measurements.push_back(request_of(work));
    }
    if (const BoardRecord* board = board_of(id); board != nullptr && board->peer == id) {
      want.check = board->check;
      want.check_ms = board->check == 0 ? 0 : static_cast<uint32_t>(settings_.check.count());
      want.board_state = to_text(board->state);
      want.board_reason = board->reason;
    }
    send(id, std::move(want));
  }
}

}  // namespace hone::scheduler
