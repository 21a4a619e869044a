// Runners that come and come back, their health, and what people want of boards.
#include <algorithm>

#include "scheduler/core.h"

namespace hone::scheduler {

BoardRecord* Core::board_of(const PeerId& peer) {
  const auto place = peers_.find(peer);
  return place == peers_.end() || place->second.role != wire::Role::runner
             ? nullptr
             : boards_.find(place->second.board_name);
}

std::optional<std::string> Core::objection_to(const wire::Hello& hello, const Board& board,
                                              const KeyHolder& key) {
  if (auto why = boards_.objection(hello.name, board, key)) return why;
  if (key.name.empty()) return std::nullopt;
  // Whoever has the key may start the runner anew; another key pushes nobody out.
  const BoardRecord* record = boards_.find(hello.name);
  const auto there = record == nullptr ? peers_.end() : peers_.find(record->peer);
  if (there == peers_.end() || there->second.key.public_key == key.public_key) return std::nullopt;
  return "the board " + hello.name + " is connected with another key, of " + there->second.key.name +
         ": stop its runner first";
}

void Core::greet_runner(const PeerId& peer, PeerState state, const wire::Hello& hello, Board board) {
  PeerId replaced;
  BoardRecord& record = boards_.connect(now_, peer, hello, board, !state.key.name.empty(), replaced);
  state.board = std::move(board);
  state.board_name = record.name;
  state.name = record.name;
  peers_.emplace(peer, std::move(state));
  const auto old = peers_.find(replaced);
  if (old != peers_.end()) {
    const uint64_t before = old->second.instance;
    if (hello.instance != 0 && before == hello.instance) {
      take_over(replaced, peer);
    } else {
      lose_peer(replaced, "its runner was started anew");
      if (hello.instance != 0 && before != 0)
        send(replaced, wire::Refuse{"another runner of the board " + record.name + " has taken its place"});
    }
  }
  // It was only out of reach: what it was lost with is not to blame, nor is the board.
  if (hello.instance == 0) return;
  for (auto& [id, work] : works_) {
    auto* measure = std::get_if<MeasureWork>(&work.what);
    if (measure == nullptr) continue;
    if (std::erase(measure->killed, std::pair{record.name, hello.instance}) > 0)
      boards_.forgive(now_, *boards_.find(peers_.at(peer).board_name));
  }
}

void Core::take_over(const PeerId& from, const PeerId& to) {
  PeerState& old = peers_.at(from);
  PeerState& worker = peers_.at(to);
  worker.leases = std::move(old.leases);
  old.leases.clear();
  worker.idle_since = old.idle_since;
  for (const uint64_t id : worker.leases) {
    Work& work = works_.at(id);
    work.holder = to;
    work.renewed = work.told = now_.steady;
    work.is_held = false;
  }
  peers_.erase(from);
  hungry_runners_.erase(from);
  want_due_.erase(from);
}

void Core::health(const PeerId& peer, const wire::HealthReport& report) {
  BoardRecord* board = board_of(peer);
  if (board != nullptr && board->peer == peer) boards_.report(now_, *board, report);
}

void Core::board_request(const PeerId& peer, const wire::BoardRequest& request) {
  const KeyHolder& key = peers_.at(peer).key;
  if (request.action != wire::BoardAction::show && !key.name.empty() && !key.is_operator) {
    send(peer, wire::NotUnderstood{
                   "only an operator may drain, resume, retire or release boards, and this key is " +
                   key.name + "'s, a client: hone keys add operator " + key.name +
                   ".pub --keys LIST, where the scheduler is"});
    return;
  }
  if (const Status status = boards_.request(now_, request); !status) {
    send(peer, wire::NotUnderstood{status.error().text()});
    return;
  }
  boards_changed();
  wire::Boards answer;
  answer.boards.push_back(board_summary(*boards_.find(request.name)));
  send_when_durable(peer, std::move(answer));  // what a person was told must hold after a restart too
}

void Core::boards_changed() {
  for (const std::string& name : boards_.take_changed()) {
    const BoardRecord* board = boards_.find(name);
    if (board == nullptr) continue;
    workers_changed_ = true;
    journal(board_entry(boards_.summary(*board, now_)));
    if (!board->is_connected()) continue;
    want_due_.insert(board->peer);
    hungry_runners_.insert(board->peer);
    if (!board->is_usable()) hold_still(board->peer);
  }
  for (std::string& line : boards_.take_notes()) out_.notes.push_back(std::move(line));
}

void Core::hold_still(const PeerId& peer) {
  const auto place = peers_.find(peer);
  if (place == peers_.end()) return;
  const BoardRecord* board = board_of(peer);
  const bool is_over = board != nullptr && board->state == BoardState::retired;
  const std::vector<uint64_t> leases = place->second.leases;
  for (size_t i = is_over ? 0 : 1; i < leases.size(); ++i) {
    Work& work = works_.at(leases[i]);
    release(work);
    requeue(work);
  }
}

void Core::count_workers() {
  uint32_t tuners = 0;
  for (const auto& [id, peer] : peers_)
    if (peer.role == wire::Role::tuner) ++tuners;
  for (auto& [id, job] : jobs_) {
    if (is_terminal(job.state)) continue;
    if (job.targets.empty() || job.lanes.empty()) set_up_lanes(job);
    job.tuners = tuners;
    job.boards = 0;
    for (Lane& lane : job.lanes) lane.boards = 0;
    for (auto& [peer_id, peer] : peers_) {
      if (peer.role != wire::Role::runner || !boards_.find(peer.board_name)->is_usable()) continue;
      bool is_used = false;
      for (size_t part = 0; part < job.request.parts.size(); ++part) {
        Lane* lane = fits(job, part, peer) ? lane_for(job, part, peer.board.model) : nullptr;
        if (lane == nullptr) continue;
        ++lane->boards;
        is_used = true;
      }
      job.boards += is_used ? 1 : 0;
    }
  }
}

wire::BoardSummary Core::board_summary(const BoardRecord& board) const {
  wire::BoardSummary summary = boards_.summary(board, now_);
  const auto place = peers_.find(board.peer);
  if (place == peers_.end()) return summary;
  const PeerState& peer = place->second;
  std::set<uint64_t> jobs;
  for (const uint64_t work : peer.leases) jobs.insert(works_.at(work).job);
  summary.jobs.assign(jobs.begin(), jobs.end());
  summary.leases = static_cast<uint32_t>(peer.leases.size());
  if (peer.leases.empty()) summary.idle_ms = (now_.steady - peer.idle_since).count();
  summary.silent_ms = (now_.steady - peer.heard).count();
  return summary;
}

void Core::list_boards(const PeerId& peer) {
  wire::Boards answer;
  for (const auto& [name, board] : boards_.all()) {
    if (answer.boards.size() == wire::Limits::tasks) break;
    answer.boards.push_back(board_summary(board));
  }
  send(peer, std::move(answer));
}

}  // namespace hone::scheduler
