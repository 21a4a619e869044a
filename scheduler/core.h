// The scheduler as a pure state machine: messages and times go in, effects come out. No sockets, no clocks,
// no files. core_peers.cpp speaks with workers, core_rounds.cpp with tuners, core_measure.cpp with boards,
// core_jobs.cpp and core_lists.cpp with clients; core_progress.cpp moves jobs on.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#include "codegen/base/target.h"
#include "logs/database.h"
#include "measure/keys.h"
#include "measure/transport.h"
#include "scheduler/artifact_store.h"
#include "scheduler/boards.h"
#include "scheduler/effects.h"
#include "scheduler/job.h"
#include "scheduler/job_journal.h"
#include "scheduler/references.h"
#include "scheduler/results.h"
#include "scheduler/settings.h"
#include "scheduler/share.h"
#include "scheduler/training.h"

namespace hone::scheduler {

inline constexpr std::string_view build_name = "hone 0.1";

/// A round to be proposed and built.
struct RoundWork {
  wire::Round round;
  uint32_t fresh = 0;      ///< candidates that were new
  uint32_t delivered = 0;  ///< all
  std::vector<uint64_t> rebuilding =
      {};  ///< measurements whose artifacts it builds again, instead of proposing
  std::vector<FeatureRow> featurising = {};  ///< of the round's Featurise, in its order
};

/// A candidate to be measured.
struct MeasureWork {
  Record record;  ///< all but its measurement
  Digest reference;
  std::string key;                                       ///< candidate_key of the record
  uint32_t unhealthy = 0;                                ///< times a board said it was unwell
  Digest id;                                             ///< of the board it is leased to
  std::vector<std::pair<std::string, uint64_t>> killed;  ///< boards lost with it: name, instance
  double charged = 0;                                    ///< ms that its job was charged for this lease
};

/// One piece of work, from when it is made until it is through. Its id is the lease's id; every lease of it
/// has a higher epoch.
struct Work {
  uint64_t id = 0, job = 0;
  size_t lane = 0, task = 0;
  uint32_t losses = 0;      ///< rounds: tuners lost while they held it
  uint32_t departures = 0;  ///< rounds: tuners that left before they said that they hold it
  std::variant<RoundWork, MeasureWork> what;

  // While it is leased:
  PeerId holder;  ///< empty: it waits
  uint64_t epoch = 0;
  Time granted{0}, renewed{0}, told{0}, moved{0};
  bool is_told = false, is_held = false;
};

struct PeerState {
  wire::Role role = wire::Role::client;
  uint64_t worker = 0;
  std::string name, build;
  uint32_t capacity = 1;
  uint32_t protocol = wire::protocol_version;
  int feature_version = 0;  ///< tuners: see wire::Hello
  uint64_t instance = 0;
  KeyHolder key;           ///< whose key it came with
  Board board;             ///< runners
  std::string board_name;  ///< runners: in Core::boards()
  Time heard{0};
  std::vector<uint64_t> leases;  ///< work ids in the order of granting
  Time idle_since{0};
  Time wanted{0};                                           ///< when it was last sent a want
  Time idle_charged{0};                                     ///< until when a job's stages hold its idle time
  std::map<std::pair<uint64_t, size_t>, bool> target_fits;  ///< by job and part; asked often
};

/// Counts of what was refused, for tests and for people.
struct Counters {
  uint64_t stale = 0;  ///< spoke for a lease its sender does not hold
  uint64_t unknown_results = 0, duplicates = 0, late_commits = 0, malformed = 0, lost_workers = 0,
           expired_leases = 0;
  uint64_t refused_boards = 0;  ///< runners whose key does not own the board that they say
};

class Core {
 public:
  /// `log` as read; `recovered` from the jobs journal, its boot number already this start's.
  /// `transfer`: records of other logs, to learn from and never to write.
  Core(Settings settings, LogDatabase log, Recovered recovered, std::vector<Record> transfer = {});

  Effects start(Now now);
  /// `key`: whose key the sender came with.
  Effects message(Now now, const PeerId& peer, const wire::Message& message, std::vector<wire::Bytes> blobs,
                  const KeyHolder& key = {});
  /// message() in two steps, so that many messages share the second, in which work is dealt out.
  void take(Now now, const PeerId& peer, const wire::Message& message, std::vector<wire::Bytes> blobs,
            const KeyHolder& key = {});
  Effects finish(Now now);
  /// A frame that made no sense.
  Effects malformed(Now now, const PeerId& peer, const std::string& why);
  /// The transport cannot reach `peer` any more.
  Effects gone(Now now, const PeerId& peer);
  /// Connections that are closed. A client that left is forgotten; a worker may come back and is waited for,
  /// unless it was cut off.
  Effects left(Now now, const std::vector<PeerLeft>& peers);
  /// Everything up to `sequence` is durable in both journals.
  Effects durable(Now now, uint64_t sequence);
  Effects trained(Now now, uint64_t request, const Result<std::string>& model);
  Effects tick(Now now);
  /// Why nothing can be made durable at present; empty: all is well.
  Effects trouble(Now now, const std::string& why);
  /// SIGTERM. A private scheduler stops all jobs and tells the workers to leave; in a lab they wait for the
  /// next start.
  Effects stop(Now now);

  /// When tick() has something to do at the latest.
  Time next_tick(Now now) const;
  /// What the jobs journal must hold now, in few entries.
  std::vector<JournalEntry> snapshot_entries(Now now) const;

  const std::map<uint64_t, Job>& jobs() const { return jobs_; }
  const std::map<uint64_t, Work>& works() const { return works_; }
  const std::map<PeerId, PeerState>& peers() const { return peers_; }
  const LogDatabase& log() const { return log_; }
  const Boards& boards() const { return boards_; }
  const Counters& counters() const { return counters_; }
  const ArtifactStore& artifacts() const { return artifacts_; }

 private:
  // core_peers.cpp
  void hello(const PeerId& peer, const wire::Hello& hello, const KeyHolder& key);
  void state(const PeerId& peer, const wire::WorkerState& state);
  void fetch(const PeerId& peer, const wire::Fetch& fetch);
  void lose_peer(const PeerId& peer, const std::string& why);
  void send_wants();
  void grant(Work& work, const PeerId& peer);
  /// Takes the lease away; the work is nobody's. `tell`: the holder does not know it yet.
  void release(Work& work, bool tell = true);
  void remove(uint64_t work, bool tell = true);
  Work* leased(const wire::LeaseRef& lease, const PeerId& peer);
  uint32_t free_slots(const PeerState& peer) const;
  /// Those of them that still have free slots; the others are taken out.
  std::vector<PeerId> take_stock(std::set<PeerId>& hungry);
  void dispatch();
  void expire();
  std::vector<uint64_t> late_leases();
  void lease_ran_out(Work& work);
  /// A leased measurement whose runner has not heard of it, since its issue cannot be journaled: nobody is
  /// late with it.
  bool waits_for_disk(const Work& work) const;
  void hold_still(const PeerId& peer);  ///< work that waits at a board goes back; what runs goes on

  // core_boards.cpp
  /// Why this runner is not let in; nothing: it is. Of what it says of itself nothing is believed that its
  /// key does not own.
  std::optional<std::string> objection_to(const wire::Hello& hello, const Board& board, const KeyHolder& key);
  void greet_runner(const PeerId& peer, PeerState state, const wire::Hello& hello, Board board);
  void take_over(const PeerId& from, const PeerId& to);
  void health(const PeerId& peer, const wire::HealthReport& report);
  void board_request(const PeerId& peer, const wire::BoardRequest& request);
  void list_boards(const PeerId& peer);
  wire::BoardSummary board_summary(const BoardRecord& board) const;
  void boards_changed();
  void count_workers();
  BoardRecord* board_of(const PeerId& peer);

  // core_rounds.cpp
  void built(const PeerId& peer, const wire::Built& built, std::vector<wire::Bytes> blobs);
  void accept_built(Work& work, const wire::Built& built, Record record, std::vector<wire::Bytes> blobs);
  void round_done(const PeerId& peer, const wire::RoundDone& done);
  void end_round(uint64_t work);
  void round_lost(Work& work, const std::string& why);
  bool make_round(const PeerId& tuner);
  bool make_rebuild(const PeerId& tuner);
  /// The reference that came with what was built: the first stays. What is wrong with it; empty: nothing.
  std::string take_reference(Work& work, const Digest& reference);
  void rebuilt(Work& work, const wire::Built& built, std::vector<wire::Bytes> blobs);
  void give_up_rebuilding(const std::vector<uint64_t>& works, const std::string& why);
  std::optional<uint32_t> room_for_round(const Job& job, const Lane& lane, const TaskState& task) const;
  bool make_round(const PeerId& tuner, Job& job, size_t lane);

  // core_features.cpp
  Record& row(const FeatureRow& place);
  /// The search of this target waits for features of earlier records.
  bool is_featurising(const std::string& target) const;
  bool make_featurising(const PeerId& tuner, Job& job, size_t lane);
  void featurised(const PeerId& peer, const wire::Featurised& said);
  void featurising_ended(const std::string& target);
  void train_on_featurised(const std::string& target);

  // core_measure.cpp
  void queue_measurement(Job& job, size_t lane, size_t task, Record record, bool first);
  void measured(const PeerId& peer, const wire::Measured& measured);
  void settle_measurement(Work& work, Measurement measurement, const PeerId& peer);
  /// `board`: whose fault it is, unless the work turns out to kill boards; nullptr: nobody's.
  void measurement_lost(Work& work, const std::string& why, BoardRecord* board);
  void requeue(Work& work);
  /// What a board was lost with goes to one that was not, if such a one is there; else to any, so that the
  /// last attempts are made too.
  bool may_take(const std::string& board, const Work& work);
  std::optional<uint64_t> next_measurement(const PeerId& runner);
  void commit(Record record);
  void commit_as(const Digest& id, Record record);
  void acknowledge(const PeerId& peer, const Digest& id);
  bool lease_measurement(const PeerId& runner);
  wire::MeasureRequest request_of(const Work& work) const;
  /// Queues the next repetition of a task's finals, if there is one.
  void make_finals(Job& job, size_t lane, size_t task);
  void train_if_due(const std::string& target, int version);

  // core_jobs.cpp
  void submit(const PeerId& peer, const wire::JobRequest& asked);
  void follow(const PeerId& peer, uint64_t id);
  void stop_request(const PeerId& peer, uint64_t id);
  void stop_job(Job& job, const std::string& reason);
  /// Those that ended longest ago, beyond what is kept.
  void forget_ended_jobs();
  /// Whether the peer may stop and resume the job; tells it if not.
  bool may_change(const PeerId& peer, const Job& job);
  void query(const PeerId& peer, const wire::Query& query);
  void list_jobs(const PeerId& peer, uint64_t id);
  void resume(const PeerId& peer, uint64_t id);
  void pull_log(const PeerId& peer, const wire::PullLog& wanted);
  void status(const PeerId& peer);
  void observe_log(Job& job);
  void observe_log(Lane& lane) const;
  bool is_private() const { return settings_.abandon > Time(0); }
  /// The lanes of earlier runs and those that the request itself names.
  void set_up_lanes(Job& job);
  Lane& add_lane(Job& job, size_t part, const std::string& board_model);
  /// The lane of a board's model, which may be new; nullptr: there are too many.
  Lane* lane_for(Job& job, size_t part, const std::string& board_model);
  void load(Job& job, Lane& lane);
  void advance(Job& job);
  /// True: the job has ended.
  bool advance_lanes(Job& job);
  void advance_task(Job& job, size_t lane, size_t task);
  void search_limits(Job& job, size_t lane);
  /// After the finals of a lane that ended for its target: true if they are over it and the search goes on.
  bool reopen(Job& job, Lane& lane);
  void workers_missing(Job& job);
  void close_lane(Job& job, size_t lane, const std::string& why);
  std::string unusable_boards(const Job& job);
  void set_state(Job& job, JobState state, const std::string& reason);
  /// Adds to the job's stages what a board without work was idle until now, as far as no job has it yet.
  void charge_idle(Job& job, PeerState& runner);
  /// Takes away all rounds and waiting measurements, of one lane or task (`lane`, `task`) or all; leased
  /// measurements only if `leased_too`.
  void cancel(Job& job, std::optional<size_t> lane, std::optional<size_t> task, bool leased_too);
  void send_events();
  wire::JobEvent event_of(const Job& job) const;
  void note_failure(Job& job, MeasureStatus status, const std::string& message);
  RecoveredJob saved(const Job& job) const;
  void journal(JournalEntry entry);
  bool fits(const Job& job, size_t part, PeerState& peer);

  // core.cpp
  Effects finish();
  void send(const PeerId& peer, wire::Message message, std::vector<BlobPointer> blobs = {});
  /// Sends what Results gives back; nothing: it is held there.
  void send(std::optional<Outgoing> outgoing);
  /// Once all that was journaled so far is durable.
  void send_when_durable(const PeerId& peer, wire::Message message);
  void trim_artifacts();
  Job* live_job(uint64_t id);
  Lane& lane_of(const Work& work) { return jobs_.at(work.job).lanes[work.lane]; }
  TaskState& task_of(const Work& work) { return lane_of(work).tasks[work.task]; }
  static Claim claim_of(const Job& job);

  Settings settings_;
  LogDatabase log_;
  std::vector<Record> transfer_;
  Recovered recovered_;
  ArtifactStore artifacts_;
  Now now_;
  Effects out_;

  std::map<PeerId, PeerState> peers_;
  std::map<uint64_t, Job> jobs_;
  std::map<uint64_t, Work> works_;
  Boards boards_{settings_};
  /// By job and lane; none is empty.
  std::map<std::pair<uint64_t, size_t>, std::deque<uint64_t>> measure_queues_;
  std::deque<uint64_t> round_queue_;
  std::set<PeerId> hungry_runners_, hungry_tuners_;  ///< those that may have free slots
  std::set<PeerId> want_due_;                        ///< workers to be told
  /// Measurements whose artifact or reference is gone, by job, lane and task.
  std::map<std::tuple<uint64_t, size_t, size_t>, std::deque<uint64_t>> rebuilds_;
  std::map<std::pair<std::string, std::string>, uint64_t> tokens_;  ///< (user, token) to the job
  std::string trouble_;
  Time born_{0};
  Time next_late_{0};            ///< no lease runs out before
  bool jobs_ended_ = true;       ///< there may be too many that ended
  bool workers_changed_ = true;  ///< jobs must count theirs again
  FairShare board_share_{5000}, round_share_{64};
  uint64_t next_work_ = 0, next_epoch_ = 0, next_worker_ = 1, next_job_ = 0, next_train_ = 1;

  Results results_;

  struct Model {
    Digest digest;
    int version = 0;
    size_t records_since = 0, trained_on = 0;
    uint64_t request = 0;          ///< of the training under way, 0: none
    Time asked{0}, rest_until{0};  ///< when it was asked for; no training before: at most a tenth of the time
    bool warming = false;          ///< that training is on what the log held: rounds wait for it
    int features = 0;              ///< version that earlier records were looked through for
    std::deque<FeatureRow> stale;  ///< of older versions, still to be given to a tuner
    size_t featurised = 0;         ///< rows that were since the last training on them
    bool featurising = false, train_featurised = false;
    Time featurise_until{0};
  };
  std::map<std::string, Model> models_;  ///< by target
  References references_;
  std::set<std::string> noted_conflicts_;  ///< what people were told
  Counters counters_;
  bool stopping_ = false;
};

}  // namespace hone::scheduler
