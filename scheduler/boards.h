// Which boards may be given work: what is known of each, its state, its health checks and its way back. A
// pure state machine: time comes as a parameter, what is to be told or journaled is collected for the Core.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/target.h"
#include "measure/board_names.h"
#include "measure/wire.h"
#include "scheduler/effects.h"
#include "scheduler/settings.h"

namespace hone::scheduler {

/// Good: works. Unknown: a health check is due or under way, or it is not connected. Bad: quarantined until
/// its next check. Maintenance, Retired: a person said so, and only a person ends it.
enum class BoardState : uint8_t { unknown, good, bad, maintenance, retired };
std::string_view to_text(BoardState state);  ///< "Unknown", "Good", ...
/// The only changes there are.
bool is_legal(BoardState from, BoardState to);

struct BoardRecord {
  std::string name;  ///< unique here
  Board board;       ///< facts, as last said
  std::vector<std::string> labels;
  std::string os, sandbox;
  bool emulated = false, can_check = false;
  std::string bound_id;  ///< with keys: the Board::id that alone may come under this name; empty: the next
  double max_frequency_mhz = -1;

  BoardState state = BoardState::unknown;
  std::string reason;
  Time since{0};
  uint32_t faults = 0;           ///< without enough good results between
  std::optional<Time> retry_at;  ///< Bad: the next check
  bool draining = false;         ///< gets nothing new, goes into Maintenance once it holds nothing
  uint64_t check = 0;            ///< number of the check that is under way; 0: none
  Time check_by{0};
  std::vector<double> references;  ///< ns of the reference kernel in passed checks, the last few

  PeerId peer;  ///< empty: not connected
  uint64_t instance = 0;
  uint32_t good_in_row = 0, failed_in_row = 0;
  uint64_t measured = 0, failed = 0;
  wire::HealthReport last;  ///< its numbers
  std::vector<wire::BoardChange> history;

  bool is_connected() const { return !peer.empty(); }
  /// May be given work now.
  bool is_usable() const { return is_connected() && state == BoardState::good && !draining; }
  double usual_reference_ns() const;  ///< median of `references`, -1: none
  bool has(const std::vector<std::string>& required_labels) const;
};

class Boards {
 public:
  explicit Boards(const Settings& settings) : settings_(settings) {}

  /// Whether this board may come under this name with this key: the reason why not. Without keys all may.
  std::optional<std::string> objection(const std::string& name, const Board& board,
                                       const KeyHolder& key) const;
  /// A runner said hello: gives its record, connected to `peer`. Who held the record before is in `replaced`.
  /// `bind`: the name is this board's from now on, until it is released.
  BoardRecord& connect(Now now, const PeerId& peer, const wire::Hello& hello, Board board, bool bind,
                       PeerId& replaced);
  /// `fault`: it was lost with work in its hands.
  void disconnect(Now now, BoardRecord& board, const std::string& why, bool fault);
  /// Something went wrong that is the board's own fault: a check is due, or a quarantine if it happens often.
  void fault(Now now, BoardRecord& board, const std::string& why);
  /// It turned out not to be its fault (a candidate killed several boards): takes back one fault.
  void forgive(Now now, BoardRecord& board);
  void report(Now now, BoardRecord& board, const wire::HealthReport& report);
  /// Why a reference kernel that took so long shows a throttled board; empty: it does not.
  std::string slowness(const BoardRecord& board, double reference_ns) const;
  /// Counts a result; many failures in a row make a check due.
  void result(Now now, BoardRecord& board, bool is_good);
  /// Checks that were not answered, quarantines that are over, drains that are through (`holds_nothing` of
  /// it).
  void tick(Now now, const std::set<std::string>& busy);
  /// What a person wants. Errors: there is no such board, or it makes no sense in its state.
  Status request(Now now, const wire::BoardRequest& request);

  BoardRecord* find(const std::string& name);
  const std::map<std::string, BoardRecord>& all() const { return boards_; }
  wire::BoardSummary summary(const BoardRecord& board, Now now) const;
  /// From its journaled summary.
  void restore(const wire::BoardSummary& summary, Now now);
  /// tick() has nothing to do before.
  std::optional<Time> next_tick() const { return next_; }
  /// Names of boards that changed since the last call: to be journaled, and told.
  std::set<std::string> take_changed() { return std::exchange(changed_, {}); }
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }

 private:
  std::string name_for(const wire::Hello& hello, const Board& board) const;
  void set_state(Now now, BoardRecord& board, BoardState state, const std::string& reason);
  void begin_check(Now now, BoardRecord& board);
  void quarantine(Now now, BoardRecord& board, const std::string& why);
  /// History and notes: the state, which may be as it was, and why.
  void note_change(Now now, BoardRecord& board, const std::string& reason);
  /// The board that is longest away and may be forgotten; end(): none.
  std::map<std::string, BoardRecord>::const_iterator find_oldest_away() const;
  void make_room();
  void due(Time time);
  void retry_at(BoardRecord& board, Time time);

  const Settings& settings_;
  std::map<std::string, BoardRecord> boards_;
  std::set<std::string> changed_;
  std::vector<std::string> notes_;
  uint64_t next_check_ = 1;
  std::optional<Time> next_;
};

}  // namespace hone::scheduler
