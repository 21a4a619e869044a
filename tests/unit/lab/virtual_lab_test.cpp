// A thousand simulated boards and the scheduler's state machine in virtual time: no socket, no clock, no
// disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "devices/simulated_board.h"
#include "scheduler/core.h"

namespace hone::scheduler {
namespace {

using std::chrono::milliseconds;

wire::Bytes bytes_of(const std::string& text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

/// Messages take a millisecond; what is appended is durable one step later.
class VirtualLab {
 public:
  VirtualLab(const std::string& script, int boards, Settings settings) : core_(settings, {}, {}) {
    const SimulationScript parsed = *parse_simulation_script(script);
    RunnerOptions options;
    options.name = "board";
    take(core_.start(moment()));
    for (int i = 1; i <= boards; ++i)
      boards_["board " + std::to_string(i)] =
          std::make_unique<SimulatedBoard>(options, parsed, static_cast<uint64_t>(i), time_);
    wire::Hello hello;
    hello.role = wire::Role::client;
    say("client", hello);
    hello.role = wire::Role::tuner;
    hello.capacity = 4;
    say("tuner", hello);
    wire::JobRequest request;
    Target target = probe_board().target;
    target.features = "";
    target.vector_bits = 128;
    request.parts[0].target = to_text(target);
    for (int i = 0; i < 20; ++i) {
      wire::JobTask task;
      task.task = "task " + std::to_string(i);
      task.summary = "conv " + std::to_string(i);
      task.flops = 1e6;
      request.parts[0].tasks.push_back(task);
    }
    request.max_trials = 3000;
    say("client", request);
  }

  /// True: the job has ended.
  bool run(milliseconds limit) {
    for (const TimePoint end = time_ + limit; time_ < end;) {
      step();
      if (state_ == "Completed" || state_ == "Failed") return true;
    }
    return false;
  }

  std::string state_, reason_;
  std::set<Digest> acknowledged_;
  std::multiset<Digest> records_;
  SimulationCounts counts() const {
    SimulationCounts sum;
    for (const auto& [name, board] : boards_) sum.add(board->counts());
    return sum;
  }

 private:
  Now moment() const {
    return {std::chrono::duration_cast<milliseconds>(time_.time_since_epoch()), 1700000000000};
  }
  void say(const PeerId& peer, const wire::Message& message, std::vector<wire::Bytes> blobs = {}) {
    core_.take(moment(), peer, message, std::move(blobs));
  }
  void take(Effects effects) {
    for (const Record& record : effects.records) records_.insert(record_identity(record));
    wanted_ = std::max(wanted_, effects.sequence);
    for (Outgoing& out : effects.send) mail_.push_back(std::move(out));
  }
  void deliver(Outgoing out) {
    if (const auto* event = std::get_if<wire::JobEvent>(&out.message)) {
      state_ = event->state;
      reason_ = event->reason;
    }
    if (const auto* committed = std::get_if<wire::Committed>(&out.message))
      acknowledged_.insert(committed->ids.begin(), committed->ids.end());
    if (out.peer == "tuner") {
      if (const auto* want = std::get_if<wire::Want>(&out.message))
        for (const wire::Round& round : want->rounds) build(round);
      return;
    }
    const auto board = boards_.find(connection_of(out.peer));
    if (board == boards_.end() || connections_[board->first] != out.peer) return;
    Received received{std::move(out.message), {}};
    for (const BlobPointer& blob : out.blobs) received.blobs.push_back(*blob);
    ASSERT_TRUE(board->second->receive(std::move(received), time_));
  }
  static std::string connection_of(const PeerId& peer) { return peer.substr(0, peer.find('#')); }
  void build(const wire::Round& round) {
    const auto& asked = std::get<wire::Propose>(round.asks);
    for (uint32_t i = 0; i < asked.count; ++i) {
      wire::Built built;
      built.lease = round.lease;
      built.trial = asked.first_trial + i;
      built.candidate = {
          round.task, round.target, "direct", 1, round.ports, "p=" + std::to_string(built.trial), "s"};
      std::vector<wire::Bytes> blobs = {bytes_of("artifact " + round.task + std::to_string(built.trial)),
                                        bytes_of("reference " + round.task)};
      built.artifact = digest_of(std::span<const std::byte>(blobs[0]));
      built.reference = digest_of(std::span<const std::byte>(blobs[1]));
      say("tuner", built, std::move(blobs));
    }
    say("tuner", wire::RoundDone{round.lease, asked.count, false, 1});
  }
  void step() {
    time_ += milliseconds(1);
    std::deque<Outgoing> mail;
    mail.swap(mail_);
    for (Outgoing& out : mail) deliver(std::move(out));
    for (auto& [name, board] : boards_) {
      auto out = board->step(time_);
      ASSERT_TRUE(out) << out.error().text();
      std::string& connection = connections_[name];
      if (connection.empty() || board->take_reconnect())
        connection = name + "#" + std::to_string(next_connection_++);
      for (const wire::Message& message : *out) say(connection, message);
    }
    if (tick_++ % 50 == 0) say("tuner", wire::WorkerState{});
    take(core_.finish(moment()));
    take(core_.tick(moment()));
    take(core_.durable(moment(), wanted_));
  }

  TimePoint time_ = TimePoint(milliseconds(1000000));
  Core core_;
  std::map<std::string, std::unique_ptr<SimulatedBoard>> boards_;
  std::map<std::string, PeerId> connections_;
  std::deque<Outgoing> mail_;
  uint64_t wanted_ = 0, next_connection_ = 0, tick_ = 0;
};

Settings settings() {
  Settings settings;
  settings.settle_trials = 1000000;
  settings.round_size = 64;
  settings.finalists = 1;
  settings.repetitions = 1;
  return settings;
}

void expect_right(const VirtualLab& lab) {
  EXPECT_EQ(lab.state_, "Completed") << lab.reason_;
  EXPECT_EQ(std::set<Digest>(lab.records_.begin(), lab.records_.end()).size(), lab.records_.size())
      << "a measurement is there twice";
  for (const Digest& id : lab.acknowledged_)
    EXPECT_TRUE(lab.records_.contains(id)) << "acknowledged, no record";
}

TEST(VirtualLab, AThousandBoardsFinishAJobInSecondsOfVirtualTime) {
  VirtualLab lab("seed 1\ntime_ns 1000000 5000000\npace 1\nspeed 0.5 2\n", 1000, settings());
  ASSERT_TRUE(lab.run(milliseconds(20000)));
  expect_right(lab);
  EXPECT_EQ(lab.counts().hellos, 1000u);
}

TEST(VirtualLab, FaultyBoardsLoseTimeAndNoResult) {
  VirtualLab lab(
      "seed 2\ntime_ns 1000000 5000000\npace 4\nfault crashed 0.05\n"
      "often 0.5 reboot 300\noften 0.5 silent 400\noften 0.3 frozen 4000\nat 200 slow 1.2\n",
      100, settings());
  ASSERT_TRUE(lab.run(milliseconds(120000))) << lab.state_;
  expect_right(lab);
  EXPECT_GT(lab.counts().faults, 100u);
  EXPECT_GT(lab.counts().hellos, 100u);
}

TEST(VirtualLab, ThrottledBoardsAreNotMeasuredOn) {
  VirtualLab lab("seed 2\ntime_ns 1000000 5000000\npace 1\noften 0.5 reboot 300\nat 100 slow 3\n", 8,
                 settings());
  ASSERT_TRUE(lab.run(milliseconds(120000))) << lab.state_;
  EXPECT_EQ(lab.state_, "Failed");
  EXPECT_THAT(lab.reason_, testing::HasSubstr("it is slower than it was"));
}

}  // namespace
}  // namespace hone::scheduler
