// Peers that mean harm or are broken: results that come twice, late and in any order, well-formed nonsense of
// every kind, and everything that may come to a door with keys. A job goes on beside them and is not
// disturbed; each refused attempt is counted where a person sees it.
#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;

/// A runner whose network doubles, delays and reorders what it says: each result comes only after several
/// later ones, twice, and again after it was acknowledged, some under an epoch that is over. Its connection
/// is thrown away now and then, with everything held back.
class DisorderlyRunner {
 public:
  explicit DisorderlyRunner(std::string endpoint)
      : endpoint_(std::move(endpoint)), thread_([this] { work(); }) {}
  ~DisorderlyRunner() {
    stop_.notify();
    thread_.join();
  }
  std::set<Digest> acknowledged() const {
    std::lock_guard lock(mutex_);
    return acknowledged_;
  }
  uint64_t said_twice() const { return said_twice_; }

 private:
  void greet(Peer& peer) {
    wire::Hello hello;
    hello.role = wire::Role::runner;
    hello.name = "disorderly";
    Board board = probe_board();
    board.id = "disorderly";
    hello.board = to_text(board);
    hello.capacity = 8;
    hello.instance = 77;
    (void)peer.send(hello);
  }
  void say(Peer& peer, const wire::Measured& measured) {
    (void)peer.send(measured);
    (void)peer.send(measured);
    ++said_twice_;
    wire::Measured old = measured;  // as if it had been leased before
    if (old.lease.epoch > 1) --old.lease.epoch;
    (void)peer.send(old);
  }
  void take(Peer& peer, const wire::Want& want) {
    for (const wire::MeasureRequest& request : want.measurements) known_.insert(request.lease.id);
    // A want that was lost with its connection comes again only if its leases are not said to be held.
    held_.clear();
    for (const wire::LeaseRef& lease : want.leases)
      if (known_.contains(lease.id)) held_.push_back(lease);
    for (const wire::MeasureRequest& request : want.measurements) {
      wire::Measured measured;
      measured.lease = request.lease;
      measured.id = request.id;
      measured.measurement.samples_ns = {1e5, 1e5, 1.1e5, 1e5, 1e5};
      measured.check_ms = measured.run_ms = 1;
      waiting_.push_back(measured);
    }
    std::shuffle(waiting_.begin(), waiting_.end(), random_);
    while (waiting_.size() > 2) {  // the rest waits for later ones
      say(peer, waiting_.back());
      past_.push_back(waiting_.back());
      waiting_.pop_back();
    }
    if (!past_.empty()) say(peer, past_[random_() % past_.size()]);
  }
  void work() {
    auto peer = Peer::connect(endpoint_);
    greet(*peer);
    const int fds[] = {stop_.fd()};
    for (int turn = 1; peer->wait(in(milliseconds(30)), fds).ready.empty(); ++turn) {
      while (auto received = peer->receive()) {
        if (!received->message) continue;
        if (const auto* want = std::get_if<wire::Want>(&*received->message)) take(*peer, *want);
        if (const auto* committed = std::get_if<wire::Committed>(&*received->message)) {
          std::lock_guard lock(mutex_);
          acknowledged_.insert(committed->ids.begin(), committed->ids.end());
        }
      }
      if (turn % 20 == 0) {
        (void)peer->reconnect();
        greet(*peer);
        for (const wire::Measured& measured : waiting_) (void)peer->send(measured);  // before it is welcomed
        // What was lost with the connection is sent again, as a runner must: else its lease stays with it.
        const std::set<Digest> kept = acknowledged();
        for (const wire::Measured& measured : past_)
          if (!kept.contains(measured.id)) say(*peer, measured);
      }
      wire::WorkerState state;
      state.leases = held_;
      (void)peer->send(state);
      // The last ones have nothing to wait for.
      if (turn % 7 == 0 && !waiting_.empty()) {
        say(*peer, waiting_.front());
        past_.push_back(waiting_.front());
        waiting_.erase(waiting_.begin());
      }
    }
  }

  std::string endpoint_;
  std::mt19937 random_{5};
  std::vector<wire::LeaseRef> held_;
  std::set<uint64_t> known_;  ///< leases whose work came
  std::vector<wire::Measured> waiting_, past_;
  mutable std::mutex mutex_;
  std::set<Digest> acknowledged_;
  std::atomic<uint64_t> said_twice_{0};
  WakeUp stop_;
  std::thread thread_;
};

class Hostile : public Rig {};

TEST_F(Hostile, ResultsThatComeTwiceLateAndInAnyOrderAreCommittedOnce) {
  auto server = scheduler({"--run-ms", "600000", "--loss-ms", "400", "--lease-ms", "1000"});  // no result that is lost comes back by its deadline
  DisorderlyRunner board(endpoint());
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(200));
  ASSERT_TRUE(client.ended()) << scheduler_said();
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 200u);
  EXPECT_GT(board.said_twice(), 200u);
  const std::set<Digest> acknowledged = board.acknowledged();
  expect_sound(*server);
  const std::set<Digest> kept = records();
  for (const Digest& id : acknowledged) EXPECT_TRUE(kept.contains(id)) << "acknowledged and lost";
}

/// Every message of today, with leases, jobs and digests that are not the sender's.
std::vector<wire::Message> nonsense(uint64_t number) {
  const std::string text(number % 3 == 0 ? 70000 : 5, 'x');
  const wire::LeaseRef lease{(uint64_t{1} << 32) + number % 50, (uint64_t{1} << 32) + number % 90};
  wire::Built built;
  built.lease = lease;
  built.candidate = {text, text, "direct", 1, text, "p=1", text};
  built.artifact = digest_of("another");
  wire::Measured measured;
  measured.lease = lease;
  measured.id = digest_of(text);
  measured.measurement.samples_ns = {-1, 0, 1e300};
  wire::WorkerState state;
  state.leases.assign(number % 4096, lease);
  wire::JobRequest job = request(1);
  job.parts[0].target = text;
  wire::HealthReport health;
  health.check = number;
  return {built,
          measured,
          state,
          job,
          health,
          wire::RoundDone{lease, 1000000, true, -1},
          wire::Fetch{digest_of(text)},
          wire::Follow{number},
          wire::Resume{number},
          wire::ListJobs{number},
          wire::ListBoards{},
          wire::PullLog{number, ~uint64_t{0}, text},
          wire::BoardRequest{text, wire::BoardAction::show, text},
          wire::AskStatus{},
          wire::Query{text, {digest_of(text)}, true},
          wire::Welcome{},
          wire::Refuse{text},
          wire::Want{},
          wire::Blob{digest_of(text), true},
          wire::Committed{{digest_of(text)}},
          wire::Accepted{number},
          wire::JobEvent{},
          wire::Records{},
          wire::Jobs{},
          wire::Boards{},
          wire::LogChunk{},
          wire::SchedulerStatus{},
          wire::NotUnderstood{text}};
}

TEST_F(Hostile, WellFormedNonsenseOfEveryKindAndRoleDisturbsNobody) {
  auto server = scheduler({"--loss-ms", "3000"});  // a stranger that took a round and left holds it until then
  auto rack = boards("seed 3\ntime_ns 1000000 2000000\npace 1\n", 3);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(300));
  uint64_t sent = 0;
  ASSERT_TRUE(client.until([&] {
    for (const wire::Role role : {wire::Role::tuner, wire::Role::runner, wire::Role::client}) {
      auto stranger = Peer::connect(endpoint());
      wire::Hello hello;
      hello.role = role;
      hello.name = "stranger";
      hello.capacity = 0xffffffff;
      Board board = probe_board();
      board.id = "stranger";
      board.target.features = "";
      board.target.triple = "riscv64-linux-gnu";  // gets no work
      if (role == wire::Role::runner) hello.board = to_text(board);
      if (role == wire::Role::tuner) hello.capacity = 1;
      if (sent % 2 == 0) (void)stranger->send(hello);
      for (const wire::Message& message : nonsense(sent)) {
        const std::vector<wire::Bytes> blobs(sent % 4, wire::Bytes(100));
        (void)stranger->send(message, blobs);
        ++sent;
      }
      (void)stranger->receive(in(milliseconds(50)));  // some of it has arrived when it leaves
    }
    return client.event().state == "Completed" || client.event().state == "Failed";
  })) << scheduler_said();
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 300u);
  const nlohmann::json told = status();
  EXPECT_GT(told["malformed"].get<uint64_t>(), 0u) << told.dump();
  expect_no_board_was_blamed();
  rack->signal(SIGTERM);
  expect_sound(*server);
}

}  // namespace
}  // namespace hone::testing_system
