// A world for the scheduler's state machine: virtual time, tuners, runners and a client that follow the
// messages, a disk that forgets what was not synced, and faults by seed. After every step the invariants are
// checked.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "scheduler/core.h"

namespace hone::scheduler::test {

Target make_target();
Board make_board(const std::string& id, const std::string& model = "Test board");
wire::JobTask make_task(int number, uint32_t weight = 1);
wire::JobRequest make_request(int tasks, uint64_t trials, double seconds = 0);

/// What the simulated tuners and runners do; probabilities per event.
struct Nature {
  double build_error = 0.02, crash = 0.02, wrong = 0.01;
  double kills_board = 0;  ///< part of the candidates on which every board dies
  int space = 400;         ///< candidates of one task
  int build_ms = 8, measure_ms = 20;
};
struct Faults {
  double kill_tuner = 0, kill_runner = 0, freeze = 0, kill_scheduler = 0, disk_full = 0, lose_connection = 0,
         sicken = 0, drain = 0;  ///< per step
};

/// Where a world's scheduler keeps what must survive it.
class Disk {
 public:
  virtual ~Disk() = default;
  /// False: nothing of it is durable; it is tried again.
  virtual bool commit(const std::vector<Record>& records, const std::vector<JournalEntry>& jobs) = 0;
  /// What is there after a kill; the boot number is already this start's.
  virtual std::pair<LogDatabase, Recovered> open() = 0;
};

class World {
 public:
  /// Without a disk it remembers in memory.
  World(Settings settings, uint64_t seed, Nature nature = {}, Disk* disk = nullptr);

  void add_tuner(const std::string& name);
  void add_runner(const std::string& name, const std::string& model = "Test board");
  /// Submits through a client that says hello first; the job's id comes with `accepted`. Until then the
  /// client submits it again after a reconnect, as clients do, with a token of its own if the request has
  /// none.
  void submit(wire::JobRequest request);

  /// Through the same client.
  void ask(const wire::BoardRequest& request) { to_scheduler(client_, request); }

  /// Delivers everything that is due in the next `step` of time, lets faults happen, ticks. Checks the
  /// invariants.
  void step(Time step = Time(10));
  /// Until the job has ended or `limit` of virtual time has passed; true: it ended.
  bool run(Time limit);
  void restart_scheduler();

  Core& core() { return *core_; }
  const wire::JobEvent& last_event() const { return last_event_; }
  const std::vector<Record>& disk() const { return disk_; }
  uint64_t job() const { return job_; }

  Faults faults;
  std::set<Digest> acknowledged;
  std::vector<std::string> refusals;
  std::vector<std::string> broken;  ///< invariants that did not hold
  std::vector<wire::Round> rounds_seen;
  std::vector<wire::MeasureRequest> measurements_seen;
  bool measured_while_in_flight = false;
  uint64_t restarts = 0, rebuilt = 0;
  Time now{1000};

 private:
  struct Worker {
    std::string name;
    std::string model = "Test board";  ///< of a runner's board
    wire::Role role;
    PeerId connection;
    bool welcomed = false, dead = false;
    Time frozen_until{0}, back_at{0}, next_state{0}, heard{0}, sick_until{0};
    uint64_t instance = 0, check = 0;  ///< of this process; number of the health check to answer
    bool can_check = true;
    std::map<wire::LeaseRef, wire::Round> rounds;
    std::map<wire::LeaseRef, uint32_t> built;       ///< how many of a round are out
    std::deque<wire::MeasureRequest> measurements;  ///< front runs
    std::map<Digest, wire::Measured> results;       ///< not committed yet
    Time busy_until{0};
    bool reference_sent = false;
  };

  void take(Effects effects);
  void sync();
  void deliver(const Outgoing& outgoing);
  void to_scheduler(Worker& worker, wire::Message message, std::vector<wire::Bytes> blobs = {});
  void say_hello(Worker& worker);
  void send_submission();
  void die(Worker& worker);
  void work(Worker& worker);
  void check_health(Worker& worker);
  void build_one(Worker& worker);
  void measure_one(Worker& worker);
  void check();
  void breach(const std::string& what);
  bool chance(double probability) {
    return std::uniform_real_distribution<double>(0, 1)(random_) < probability;
  }
  Now moment() const { return {now, 1700000000000 + now.count()}; }

  Disk* keeper_;
  Settings settings_;
  Nature nature_;
  std::mt19937_64 random_;
  std::unique_ptr<Core> core_;
  std::map<std::string, Worker> workers_;
  Worker client_;
  uint64_t connections_ = 0, job_ = 0, submissions_ = 0;
  std::optional<wire::JobRequest> submitted_;  ///< the last job; without a `job_` it is not accepted yet
  wire::JobEvent last_event_;
  std::vector<std::string> states_;  ///< of the job, in order of change

  std::vector<Record> disk_, unsynced_;
  std::vector<JournalEntry> jobs_disk_, jobs_unsynced_;
  std::set<Digest> on_disk_;
  uint64_t wanted_ = 0, durable_ = 0;
  bool disk_full_ = false;
  std::map<uint64_t, uint64_t> epochs_;                  ///< highest epoch granted by work id
  std::map<wire::LeaseRef, std::string> lease_holders_;  ///< processes, not connections
  std::map<std::string, BoardState> board_states_;
  std::set<Digest> forgettable_;  ///< results that are acknowledged without a record
};

}  // namespace hone::scheduler::test
