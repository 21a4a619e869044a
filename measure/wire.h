// The messages of measure/messages.md as plain C++ values, and their bytes on the wire (Cap'n Proto).
// A frame from a stranger gives a Message or an Error, never more: sizes, nesting and list lengths are capped
// first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/base/result.h"
#include "measure/record.h"

namespace hone::wire {

/// Protocols that this program speaks: two programs use the highest that both know.
inline constexpr uint32_t protocol_oldest = 1, protocol_version = 4;

/// What a frame may hold at most; beyond it `encode` and `decode` give an Error.
struct Limits {
  static constexpr size_t message_bytes = 64u << 20;  ///< one encoded Message
  static constexpr size_t blob_bytes = 64u << 20;     ///< one artifact frame after it
  static constexpr size_t blobs = 4;                  ///< artifact frames of one message
  static constexpr size_t text_bytes = 1u << 20;
  // The scheduler takes less of texts that it keeps or shows (scheduler/door.h):
  static constexpr size_t name_bytes = 256;     ///< names, labels, tokens
  static constexpr size_t facts_bytes = 16384;  ///< a board's facts, a target
  static constexpr size_t said_bytes = 4096;    ///< reasons and messages for people: the rest is cut off
  static constexpr size_t leases = 4096;        ///< leases, rounds and measurements of one message
  static constexpr size_t samples = 4096;
  static constexpr size_t features = 4096;
  static constexpr size_t records = 65536;
  static constexpr size_t texts = 65536;  ///< seen candidates, digests, task keys, ids
  static constexpr size_t tasks = 4096;
  static constexpr size_t lanes = 256;  ///< parts and lanes of one job
  static constexpr size_t labels = 256;
  static constexpr size_t history = 256;  ///< changes of one board's state
  static constexpr size_t quantities = 256;
  static constexpr size_t nesting = 16;
};

enum class Role : uint8_t { tuner, runner, client };

struct LeaseRef {
  uint64_t id = 0, epoch = 0;
  auto operator<=>(const LeaseRef&) const = default;
};

// --- either way ---

/// Why the last message was not understood.
struct NotUnderstood {
  std::string reason;
};

// --- peer to scheduler ---

struct Hello {
  Role role = Role::client;
  uint32_t protocol_min = protocol_oldest, protocol_max = protocol_version;
  std::string build, name;
  std::string board;                ///< runners: canonical text of a Board
  uint32_t capacity = 0;            ///< leases it can hold at once
  std::vector<std::string> labels;  ///< "key=value"
  uint64_t instance =
      0;  ///< drawn at the start of the process: tells a restart from a reconnect; 0: not said
  bool can_check = false;  ///< runners: answers Want::check with a HealthReport
  std::string os;          ///< runners: "Debian GNU/Linux 12"
  bool emulated = false;   ///< runners: the board is emulated; its model says so too
  std::string sandbox;     ///< runners: empty: whole; else what is missing
  double max_frequency_mhz = -1;
  uint32_t feature_version = 0;  ///< tuners: of the features that they say; 0: works none out again
};

struct WorkerState {
  std::vector<LeaseRef> leases;
  double temperature_celsius = -1, frequency_mhz = -1;
};

/// Blobs that follow: the shared object if `artifact` is set and status is ok; then the reference's if
/// `reference` is new.
struct Built {
  LeaseRef lease;
  CandidateText candidate;
  uint64_t trial = 0;
  MeasureStatus status = MeasureStatus::ok;  ///< ok, build_error or build_timeout
  std::string message;
  Digest artifact;
  std::string signature;  ///< JSON
  Digest reference;
  std::vector<float> features;
  uint32_t feature_version = 0;
  double build_ms = 0, predicted = 0;
};

/// The features of one row of a Featurise. On the wire it is a `built` without a candidate.
struct Featurised {
  LeaseRef lease;
  uint64_t row = 0;  ///< index in Featurise::rows
  std::vector<float> features;
  uint32_t feature_version = 0;
};

struct RoundDone {
  LeaseRef lease;
  uint32_t proposed = 0;
  bool exhausted = false;  ///< the search space holds nothing new
  double propose_ms = 0;
};

struct Fetch {
  Digest digest;
};

struct Measured {
  LeaseRef lease;
  Digest id;
  Measurement
      measurement;  ///< threads, mode, median and spread do not travel: the request and summarise() give them
  double upload_ms = 0;  ///< that the board waited for its bytes, with nothing else to run
  double check_ms = 0, run_ms = 0;
};

struct JobTask {
  std::string task, summary, ports;
  uint32_t weight = 1;  ///< how often the model has it
  double flops = 0;
};

/// A model for one target, whose layouts make tasks of their own of it.
struct JobPart {
  std::string target;  ///< canonical text
  std::vector<JobTask> tasks;
  TimingMode mode = TimingMode::llc;
};

struct JobRequest {
  std::string name;
  std::string board_model;  ///< empty: any board that fits a target
  /// One for each target. Never empty: on the wire the first lies in fields of its own, as when a job had
  /// one.
  std::vector<JobPart> parts = std::vector<JobPart>(1);
  uint32_t threads = 1;
  uint64_t max_trials = 0;  ///< 0: no limit
  double max_seconds = 0;   ///< 0: no limit
  bool more = false;        ///< go on with tasks that were finished
  uint64_t seed = 0;
  uint32_t priority = 10;            ///< 1 to 100: its share of its user's board time
  std::string user;                  ///< with keys the scheduler puts the key's name here
  std::string token;                 ///< a second submission with it is the same job; empty: none
  std::vector<std::string> require;  ///< "key=value" labels that a board must have
  double limit_seconds = 0;  ///< the job fails if it has not ended by then, waiting included; 0: no limit
  double target_ms = 0;  ///< the search ends once the tasks' times add up to less, and finals agree; 0: none
};

struct Follow {
  uint64_t job = 0;
};
struct Stop {
  uint64_t job = 0;
};

/// A job that was stopped or failed goes on; answered by Accepted.
struct Resume {
  uint64_t job = 0;
};

/// What a board found out about itself: the answer to Want::check, or (check 0) unasked when something is
/// wrong.
struct HealthReport {
  uint64_t check = 0;
  bool ok = false;           ///< the known kernel ran in a child and gave the known answer
  std::string message;       ///< why not
  double reference_ns = -1;  ///< median time of the reference kernel, compared with earlier ones
  double temperature_celsius = -1, frequency_mhz = -1;
  int64_t free_memory_bytes = -1, free_disk_bytes = -1;
};

/// release: the next board that comes under the name is bound to it. Schedulers of before answer that they do
/// not know it.
enum class BoardAction : uint8_t { show, drain, resume, retire, release };
/// A client's wish for one board; answered by Boards with that one.
struct BoardRequest {
  std::string name;
  BoardAction action = BoardAction::show;
  std::string reason;  ///< for people
};

/// Asks for durable records in the order of the log, from the `after`-th on.
struct PullLog {
  uint64_t job = 0;  ///< only the conditions and tasks of this job; 0: all
  uint64_t after = 0;
  std::string target;  ///< only of this target; empty: all
};
struct LogChunk {
  std::vector<Record> records;
  uint64_t next = 0;   ///< ask with this as `after`
  uint64_t total = 0;  ///< durable records in the log now; next = total: that was all
};

struct AskStatus {};
struct SchedulerStatus {
  std::string build;
  uint32_t protocol_min = protocol_oldest, protocol_max = protocol_version;
  std::string log;
  uint64_t records = 0, durable = 0;  ///< in all; of them, safe on the disk
  std::string trouble;                ///< why nothing is acknowledged at present; empty: all is well
  int64_t up_ms = 0;
  uint32_t boards = 0, tuners = 0, clients = 0;  ///< connected
  uint64_t refused = 0, malformed = 0, lost_workers = 0;
  /// From when a result is taken from the socket until its acknowledgement is given to it, over the newest
  /// results: what half of them and what 99 of 100 do not exceed; -1: none came yet.
  int64_t acknowledged_median_us = -1, acknowledged_high_us = -1;
  uint32_t connections = 0;  ///< open now, those that have not said hello too
  /// Of `refused`: one connection too many, or one that said nothing for too long; those that took more than
  /// they may; those whose key was removed.
  uint64_t crowded = 0, greedy = 0, removed = 0;
  std::string conflicts;  ///< references that tuners disagree on: how many, and the last; empty: none
};

struct Query {
  std::string target;
  std::vector<Digest> task_keys;  ///< empty: all
  bool best_only = false;
};

// --- scheduler to peer ---

struct Welcome {
  uint32_t protocol = protocol_version;
  uint64_t worker = 0;
  uint32_t heartbeat_ms = 0, lease_ms = 0;
};

struct Refuse {
  std::string reason;
};

/// Find new candidates and build them; with the round's context all that the proposals depend on. Answered by
/// Built for each.
struct Propose {
  uint32_t count = 0;  ///< candidates asked for
  uint64_t seed = 0;
  Digest cost_model = {};              ///< empty: none yet. Fetched like an artifact
  std::vector<Record> top = {};        ///< best so far, best first
  std::vector<std::string> seen = {};  ///< "formulation parameters" texts measured or in flight
  /// Space version of each of `seen`; 0 or missing: the present one.
  std::vector<uint32_t> seen_versions = {};
  std::vector<std::string> hints = {};  ///< best points of like tasks, nearest first: proposed early, fitted
  uint64_t first_trial = 0;
};
/// Build exactly these again, whose artifacts were lost. Never empty. Answered by Built for each.
struct Rebuild {
  std::vector<CandidateText> candidates;
};
/// Say the features of exactly these. Never empty. Answered by Featurised for each that still lowers.
struct Featurise {
  std::vector<CandidateText> rows;
};

/// Work for a tuner; answered by RoundDone in the end. Which of the three is asked for is a list that is not
/// empty on the wire.
struct Round {
  LeaseRef lease;
  uint64_t job = 0;
  std::string task, target, ports;
  uint32_t threads = 1;
  TimingMode mode = TimingMode::llc;
  std::variant<Propose, Rebuild, Featurise> asks = Propose();
};

struct MeasureRequest {
  LeaseRef lease;
  Digest id, artifact, reference, task_key;
  std::string seed;  ///< what the check is for ("search", "finals"): runners draw seeds of data themselves
  TimingMode mode = TimingMode::llc;
  uint32_t threads = 1;
  SamplingParameters sampling;
  double best_ns = 0;                  ///< 0: no race
  uint32_t upload_ms = 0, run_ms = 0;  ///< deadlines; the run's starts on the board. 0: the runner's own
  bool final = false;
};

struct Want {
  std::vector<LeaseRef> leases;  ///< all that the worker should hold
  std::vector<Round> rounds;     ///< the work of those it does not hold yet
  std::vector<MeasureRequest> measurements;
  bool stopping = false;
  uint64_t check = 0;       ///< not 0: a health check is wanted before anything else; this is its number
  uint32_t check_ms = 0;    ///< its deadline on the board
  std::string board_state;  ///< how the scheduler sees this board, for people at the board
  std::string board_reason;
};

/// If found, the bytes are the message's one blob.
struct Blob {
  Digest digest;
  bool found = false;
};

struct Committed {
  std::vector<Digest> ids;
};

struct Accepted {
  uint64_t job = 0;
};

struct TaskProgress {
  uint32_t trials = 0;  ///< in the log, earlier runs included
  uint32_t new_trials = 0;
  double first_ns = 0;  ///< trial 0
  double best_ns = 0;
  bool finished = false;
};

struct Failure {
  MeasureStatus status = MeasureStatus::ok;
  uint64_t count = 0;
  std::string example;
};

/// Where the time went, summed over workers, in ms.
struct Stages {
  double propose_ms = 0, build_ms = 0, upload_ms = 0, check_ms = 0, run_ms = 0, idle_ms = 0;
};

/// How a job stands on one model of boards with one of its targets.
struct JobLane {
  uint32_t part = 0;  ///< which of the request's parts
  std::string board_model;
  uint32_t boards = 0;              ///< now
  std::vector<TaskProgress> tasks;  ///< in the order of that part
  std::string reason;               ///< why its search is over; empty: it is not
};

struct JobEvent {
  uint64_t job = 0;
  std::string state;  ///< JobState
  std::string reason;
  std::vector<TaskProgress> tasks;  ///< in the order of the request, on the first model of boards
  uint64_t trials = 0, measured_before = 0;
  uint64_t candidates = 0;  ///< attempts of this run, failures included
  std::vector<Failure> failed;
  double seconds = 0, eta_seconds = -1;
  Stages stages;
  uint32_t boards = 0, tuners = 0;
  std::string trouble;              ///< why nothing goes on at present (the log cannot be written)
  std::vector<JobLane> lanes = {};  ///< one for each target and model of boards
};

struct Records {
  std::vector<Record> records;
};

/// A client's question for jobs.
struct ListJobs {
  uint64_t job = 0;  ///< 0: all
};

struct JobSummary {
  uint64_t job = 0;
  std::string name, board_model;
  /// Never empty, as JobRequest::parts. The first alone and without tasks, unless one job was asked for; how
  /// the first is timed does not travel.
  std::vector<JobPart> parts = std::vector<JobPart>(1);
  uint64_t max_trials = 0;
  double max_seconds = 0;
  std::string state, reason;
  uint64_t trials = 0;
  double seconds = 0;
  uint32_t boards = 0, tuners = 0;
  std::string user;
  uint32_t priority = 0;
  std::vector<std::string> require;
  int64_t created_unix_ms = 0;
  double board_ms = 0;  ///< time on boards that it was given
  double limit_seconds = 0;
};

struct Jobs {
  std::vector<JobSummary> jobs;
};

struct ListBoards {};

struct BoardChange {
  int64_t unix_ms = 0;
  std::string state, reason;
};

struct BoardSummary {
  std::string name, board;  ///< canonical text of a Board
  std::vector<std::string> labels;
  std::vector<uint64_t> jobs;  ///< whose measurements it holds
  uint32_t leases = 0;
  uint64_t measured = 0, failed = 0;  ///< results since it came; those of them that are not ok
  int64_t idle_ms = -1;               ///< since it has nothing to do; -1: it has
  int64_t silent_ms = 0;              ///< since it spoke
  double temperature_celsius = -1, frequency_mhz = -1;
  std::string state, reason;  ///< BoardState
  int64_t state_ms = 0;       ///< since it is in this state
  int64_t retry_ms = -1;      ///< until the next health check; -1: none is planned
  uint32_t faults = 0;        ///< in a row, without a passed check between
  bool connected = false;
  bool draining = false;  ///< it finishes what it holds and then goes into Maintenance
  std::string os;
  bool emulated = false;
  std::string sandbox;
  double reference_ns = -1;  ///< of the last passed health check
  int64_t free_memory_bytes = -1, free_disk_bytes = -1;
  double max_frequency_mhz = -1;
  std::vector<BoardChange> history;  ///< newest last
  std::string bound_id;  ///< Board::id that alone may come under this name; empty: the next that comes
};

struct Boards {
  std::vector<BoardSummary> boards;
};

using Message = std::variant<NotUnderstood, Hello, WorkerState, Built, Featurised, RoundDone, Fetch, Measured,
                             JobRequest, Follow, Stop, Query, Welcome, Refuse, Want, Blob, Committed,
                             Accepted, JobEvent, Records, ListJobs, Jobs, ListBoards, Boards, HealthReport,
                             BoardRequest, Resume, PullLog, LogChunk, AskStatus, SchedulerStatus>;

using Bytes = std::vector<std::byte>;

/// The message as a program of an earlier protocol understands it: statuses that came later as the nearest one
/// that it knows (the measurement's message stays).
Message for_protocol(Message message, uint32_t protocol);

/// Errors: a text or list beyond Limits ("... has 70000 entries, at most 65536 are allowed").
Result<Bytes> encode(const Message& message);
/// `bytes` need no alignment. Errors: a torn or hostile frame, unknown kinds, statuses, modes or roles,
/// anything beyond Limits.
Result<Message> decode(std::span<const std::byte> bytes);

/// A Record alone, as the journal stores it: the same schema and limits. Columns of measure/record.h that a
/// program does not know are left out.
Result<Bytes> encode_record(const Record& record);
Result<Record> decode_record(std::span<const std::byte> bytes);

}  // namespace hone::wire
