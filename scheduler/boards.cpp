// Every change of state goes through set_state, which knows the legal ones and keeps the history.
#include "scheduler/boards.h"

#include <algorithm>
#include <utility>

namespace hone::scheduler {
namespace {

constexpr size_t kept_changes = 32, kept_references = 9;

double median_of(std::vector<double> values) {
  if (values.empty()) return -1;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string milliseconds_text(double ns) {
  const std::string text = std::to_string(ns / 1e6);
  return text.substr(0, text.find('.') + 4) + " ms";
}

/// The beginning of its id, fit for a name.
std::string short_id(const Board& board) {
  std::string id = board.id.substr(0, 8);
  for (char& c : id)
    if (!is_board_name(std::string(1, c))) c = '-';
  return id;
}

}  // namespace

std::string_view to_text(BoardState state) {
  switch (state) {
    case BoardState::unknown:
      return "Unknown";
    case BoardState::good:
      return "Good";
    case BoardState::bad:
      return "Bad";
    case BoardState::maintenance:
      return "Maintenance";
    case BoardState::retired:
      return "Retired";
  }
  HONE_CHECK(false);
}

bool is_legal(BoardState from, BoardState to) {
  if (from == to) return false;
  switch (from) {
    case BoardState::unknown:
    case BoardState::good:
    case BoardState::bad:
      return true;
    case BoardState::maintenance:
      return to == BoardState::unknown || to == BoardState::retired;
    case BoardState::retired:
      return to == BoardState::unknown;
  }
  HONE_CHECK(false);
}

double BoardRecord::usual_reference_ns() const { return median_of(references); }

bool BoardRecord::has(const std::vector<std::string>& required_labels) const {
  return std::ranges::all_of(required_labels, [&](const std::string& label) {
    return std::ranges::find(labels, label) != labels.end();
  });
}

BoardRecord* Boards::find(const std::string& name) {
  const auto place = boards_.find(name);
  return place == boards_.end() ? nullptr : &place->second;
}

std::string Boards::name_for(const wire::Hello& hello, const Board& board) const {
  const std::string name = hello.name.empty() ? "board-" + short_id(board) : hello.name;
  const auto place = boards_.find(name);
  // Another machine of the same name that is there at the same time is another board.
  if (place != boards_.end() && place->second.board.id != board.id && place->second.is_connected())
    return name + "-" + short_id(board);
  return name;
}

std::optional<std::string> Boards::objection(const std::string& name, const Board& board,
                                             const KeyHolder& key) const {
  if (!name.empty() && !is_board_name(name))
    return "it has no name for a board: at most 128 letters, digits, '.', '_', '-', and '/' between names";
  if (key.name.empty()) return std::nullopt;
  if (!owns_board(key, name))
    return "the key of " + key.name + " owns the boards " + owned_boards(key) + ", not " + name +
           ": start the runner with such a --name, or let the key have this one: hone keys add runner " +
           key.name + ".pub --board " + name + " --keys LIST, where the scheduler is";
  const auto known = boards_.find(name);
  if (known != boards_.end()) {
    const std::string& bound = known->second.bound_id;
    if (bound.empty() || bound == board.id) return std::nullopt;
    return "the name " + name + " belongs to another machine (id " + bound.substr(0, 12) + ", not " +
           board.id.substr(0, 12) + "). If this one takes its place: hone boards release " + name +
           ", with an operator's key";
  }
  const auto of_key =
      std::ranges::count_if(boards_, [&](const auto& entry) { return owns_board(key, entry.first); });
  if (static_cast<size_t>(of_key) >= settings_.boards_of_key)
    return "the key of " + key.name + " has " + std::to_string(of_key) +
           " boards, the most that one key may have";
  if (boards_.size() >= settings_.boards && find_oldest_away() == boards_.end())
    return "this scheduler knows " + std::to_string(boards_.size()) + " boards, the most that it may";
  return std::nullopt;
}

BoardRecord& Boards::connect(Now now, const PeerId& peer, const wire::Hello& hello, Board board, bool bind,
                             PeerId& replaced) {
  const std::string name = name_for(hello, board);
  make_room();
  const auto [place, is_new] = boards_.try_emplace(name);
  BoardRecord& record = place->second;
  replaced = std::exchange(record.peer, peer);
  if (record.board.id != board.id) record.references.clear();
  record.name = name;
  const bool is_rebooted = !is_new && record.board.boot_id != board.boot_id;
  record.board = std::move(board);
  if (bind) record.bound_id = record.board.id;
  record.labels = hello.labels;
  record.os = hello.os;
  record.sandbox = hello.sandbox;
  record.emulated = hello.emulated;
  record.can_check = hello.can_check;
  record.max_frequency_mhz = hello.max_frequency_mhz;
  const bool is_same_process = hello.instance != 0 && hello.instance == record.instance;
  record.instance = hello.instance;
  record.check = 0;
  record.good_in_row = record.failed_in_row = 0;
  changed_.insert(name);
  if (is_new) record.since = now.steady;
  const std::string why = is_new            ? "it came"
                          : is_rebooted     ? "it came back after a reboot"
                          : is_same_process ? "it came back"
                                            : "its runner was started anew";
  if (record.state == BoardState::good) set_state(now, record, BoardState::unknown, why);
  if (record.state == BoardState::unknown) {
    record.reason = why;
    begin_check(now, record);
  }
  if (record.state == BoardState::bad && !record.retry_at) retry_at(record, now.steady + settings_.backoff);
  return record;
}

void Boards::disconnect(Now now, BoardRecord& board, const std::string& why, bool is_fault) {
  board.peer.clear();
  board.check = 0;
  changed_.insert(board.name);
  if (is_fault)
    fault(now, board, "it was lost at work: " + why);
  else if (board.state == BoardState::good)
    set_state(now, board, BoardState::unknown, "not connected: " + why);
  else if (board.state == BoardState::unknown)
    board.reason = "not connected: " + why;
  if (board.draining) {
    board.draining = false;
    if (is_legal(board.state, BoardState::maintenance))
      set_state(now, board, BoardState::maintenance, "drained: it is not connected");
  }
}

void Boards::set_state(Now now, BoardRecord& board, BoardState state, const std::string& reason) {
  HONE_CHECK(is_legal(board.state, state));
  board.state = state;
  board.reason = reason;
  board.since = now.steady;
  board.retry_at.reset();
  if (state == BoardState::maintenance || state == BoardState::retired) {
    board.draining = false;
    board.check = 0;
  }
  note_change(now, board, reason);
}

void Boards::note_change(Now now, BoardRecord& board, const std::string& reason) {
  const std::string state(to_text(board.state));
  board.history.push_back({now.unix_ms, state, reason});
  if (board.history.size() > kept_changes) board.history.erase(board.history.begin());
  changed_.insert(board.name);
  notes_.push_back("board " + board.name + " is " + state + ": " + reason);
}

void Boards::begin_check(Now now, BoardRecord& board) {
  if (!board.is_connected()) return;
  if (!board.can_check) {
    if (is_legal(board.state, BoardState::good))
      set_state(now, board, BoardState::good, board.reason + "; it cannot check itself");
    return;
  }
  board.check = next_check_++;
  // What it measures now is finished first.
  board.check_by = now.steady + settings_.check + settings_.upload + settings_.run + settings_.measure_slack;
  due(board.check_by);
  board.retry_at.reset();
  changed_.insert(board.name);
}

void Boards::quarantine(Now now, BoardRecord& board, const std::string& why) {
  const uint32_t level =
      board.faults > settings_.quarantine_after ? board.faults - settings_.quarantine_after : 0;
  Time backoff = settings_.backoff;
  for (uint32_t i = 0; i < level && backoff < settings_.backoff_most; ++i) backoff *= 2;
  backoff = std::min(backoff, settings_.backoff_most);
  board.check = 0;
  if (board.state == BoardState::bad) {
    board.reason = why;
    changed_.insert(board.name);
  } else {
    set_state(now, board, BoardState::bad, why);
  }
  retry_at(board, now.steady + backoff);
}

void Boards::fault(Now now, BoardRecord& board, const std::string& why) {
  if (board.state == BoardState::maintenance || board.state == BoardState::retired) return;
  ++board.faults;
  board.good_in_row = board.failed_in_row = 0;
  changed_.insert(board.name);
  if (board.faults >= settings_.quarantine_after || board.state == BoardState::bad) {
    quarantine(now, board, why + " (fault " + std::to_string(board.faults) + ")");
    return;
  }
  if (board.state != BoardState::unknown) set_state(now, board, BoardState::unknown, why);
  board.reason = why;
  begin_check(now, board);
}

void Boards::forgive(Now now, BoardRecord& board) {
  if (board.faults > 0) --board.faults;
  changed_.insert(board.name);
  if (board.state == BoardState::bad && board.faults < settings_.quarantine_after) {
    set_state(now, board, BoardState::unknown, "what it was lost with was to blame");
    begin_check(now, board);
  }
}

void Boards::report(Now now, BoardRecord& board, const wire::HealthReport& report) {
  board.last = report;
  if (report.check == 0) {
    if (!report.ok) fault(now, board, report.message.empty() ? "it says that it is unwell" : report.message);
    return;
  }
  if (report.check != board.check) return;  // an earlier check, or none is wanted any more
  board.check = 0;
  const std::string why =
      report.ok ? slowness(board, report.reference_ns) : "the health check failed: " + report.message;
  if (!why.empty()) {
    ++board.faults;
    quarantine(now, board, why);
    return;
  }
  if (report.reference_ns > 0) {
    board.references.push_back(report.reference_ns);
    if (board.references.size() > kept_references) board.references.erase(board.references.begin());
  }
  if (is_legal(board.state, BoardState::good))
    set_state(now, board, BoardState::good, "it passed a health check");
}

std::string Boards::slowness(const BoardRecord& board, double reference_ns) const {
  const double usual = board.usual_reference_ns();
  if (usual <= 0 || reference_ns <= usual * settings_.slow_factor) return "";
  return "it is slower than it was: its reference kernel took " + milliseconds_text(reference_ns) +
         ", usual is " + milliseconds_text(usual);
}

void Boards::result(Now now, BoardRecord& board, bool is_good) {
  ++board.measured;
  if (is_good) {
    board.failed_in_row = 0;
    if (board.faults > 0 && ++board.good_in_row >= settings_.forgive_after) {
      --board.faults;
      board.good_in_row = 0;
      changed_.insert(board.name);
    }
    return;
  }
  ++board.failed;
  if (++board.failed_in_row < settings_.suspect_after) return;
  board.failed_in_row = 0;
  if (board.state != BoardState::good) return;
  set_state(now, board, BoardState::unknown,
            std::to_string(settings_.suspect_after) + " measurements in a row failed on it");
  begin_check(now, board);
}

void Boards::due(Time time) { next_ = next_ ? std::min(*next_, time) : time; }

void Boards::retry_at(BoardRecord& board, Time time) {
  board.retry_at = time;
  due(time);
}

void Boards::tick(Now now, const std::set<std::string>& busy) {
  for (auto& [name, board] : boards_) {
    if (board.check != 0 && now.steady >= board.check_by) {
      board.check = 0;
      ++board.faults;
      quarantine(now, board, "it did not answer a health check");
    }
    if (board.retry_at && now.steady >= *board.retry_at) {
      board.retry_at.reset();
      // A board that is away is checked when it comes back.
      if (!board.is_connected())
        set_state(now, board, BoardState::unknown, "its quarantine is over; it is not connected");
      else
        begin_check(now, board);
    }
    if (board.draining && !busy.contains(name))
      set_state(now, board, BoardState::maintenance, "drained: " + board.reason);
  }
  next_.reset();
  for (const auto& [name, board] : boards_) {
    if (board.check != 0) due(board.check_by);
    if (board.retry_at) due(*board.retry_at);
  }
}

Status Boards::request(Now now, const wire::BoardRequest& request) {
  BoardRecord* board = find(request.name);
  if (board == nullptr) return fail("there is no board " + request.name);
  const std::string why = request.reason.empty() ? "a person asked for it" : request.reason;
  const std::string is = "board " + request.name + " is " + std::string(to_text(board->state));
  switch (request.action) {
    case wire::BoardAction::show:
      return {};
    case wire::BoardAction::drain:
      if (board->draining || board->state == BoardState::maintenance) return {};
      if (!is_legal(board->state, BoardState::maintenance)) return fail(is + ": resume it first");
      board->draining = true;
      board->reason = why;
      changed_.insert(board->name);
      return {};
    case wire::BoardAction::retire:
      if (board->state != BoardState::retired) set_state(now, *board, BoardState::retired, why);
      return {};
    case wire::BoardAction::resume:
      if (board->draining) {
        board->draining = false;
        changed_.insert(board->name);
        return {};
      }
      if (board->state == BoardState::good) return {};
      board->faults = 0;
      board->references.clear();  // what is usual for it is learnt anew
      if (board->state != BoardState::unknown) set_state(now, *board, BoardState::unknown, "resumed: " + why);
      begin_check(now, *board);
      return {};
    case wire::BoardAction::release:
      board->bound_id.clear();
      note_change(now, *board, "released: " + why);
      return {};
  }
  HONE_CHECK(false);
}

std::map<std::string, BoardRecord>::const_iterator Boards::find_oldest_away() const {
  auto oldest = boards_.end();
  for (auto board = boards_.begin(); board != boards_.end(); ++board)
    if (!board->second.is_connected() && board->second.state == BoardState::unknown &&
        board->second.bound_id.empty() &&  // whose name is whose is not forgotten
        (oldest == boards_.end() || board->second.since < oldest->second.since))
      oldest = board;
  return oldest;
}

void Boards::make_room() {
  if (boards_.size() < settings_.boards) return;
  if (const auto oldest = find_oldest_away(); oldest != boards_.end()) boards_.erase(oldest);
}

wire::BoardSummary Boards::summary(const BoardRecord& board, Now now) const {
  wire::BoardSummary out;
  out.name = board.name;
  out.board = to_text(board.board);
  out.labels = board.labels;
  out.measured = board.measured;
  out.failed = board.failed;
  out.temperature_celsius = board.last.temperature_celsius;
  out.frequency_mhz = board.last.frequency_mhz;
  out.state = to_text(board.state);
  out.reason = board.reason;
  out.state_ms = (now.steady - board.since).count();
  if (board.retry_at) out.retry_ms = std::max<int64_t>(0, (*board.retry_at - now.steady).count());
  out.faults = board.faults;
  out.connected = board.is_connected();
  out.draining = board.draining;
  out.os = board.os;
  out.emulated = board.emulated;
  out.sandbox = board.sandbox;
  out.reference_ns = board.usual_reference_ns();
  out.free_memory_bytes = board.last.free_memory_bytes;
  out.free_disk_bytes = board.last.free_disk_bytes;
  out.max_frequency_mhz = board.max_frequency_mhz;
  out.history = board.history;
  out.bound_id = board.bound_id;
  return out;
}

void Boards::restore(const wire::BoardSummary& summary, Now now) {
  auto facts = parse_board(summary.board);
  if (!facts || summary.name.empty()) return;
  BoardRecord board;
  board.name = summary.name;
  board.board = std::move(*facts);
  board.labels = summary.labels;
  board.os = summary.os;
  board.sandbox = summary.sandbox;
  board.emulated = summary.emulated;
  board.max_frequency_mhz = summary.max_frequency_mhz;
  board.measured = summary.measured;
  board.failed = summary.failed;
  board.faults = summary.faults;
  board.history = summary.history;
  board.bound_id = summary.bound_id;
  if (summary.reference_ns > 0) board.references = {summary.reference_ns};
  board.since = now.steady;
  board.reason = summary.reason;
  for (const BoardState state : {BoardState::bad, BoardState::maintenance, BoardState::retired})
    if (summary.state == to_text(state)) board.state = state;
  if (summary.draining) board.state = BoardState::maintenance;
  if (board.state == BoardState::bad) retry_at(board, now.steady + settings_.backoff);
  if (board.state == BoardState::unknown) board.reason = "the scheduler was started anew";
  if (board.history.empty() || board.history.back().state != to_text(board.state))
    board.history.push_back({now.unix_ms, std::string(to_text(board.state)), board.reason});
  boards_[board.name] = std::move(board);
}

}  // namespace hone::scheduler
