// A state machine driven by hand, message by message.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tests/unit/scheduler/world.h"

namespace hone::scheduler::test {

/// A core driven by hand.
class Hand {
 public:
  /// `durable_start`: it is on the disk that it started.
  explicit Hand(Settings settings = {}, LogDatabase log = {}, Recovered recovered = {},
                bool durable_start = true)
      : core(settings, std::move(log), std::move(recovered)) {
    take(core.start({now, 1}));
    if (durable_start) durable();
  }
  void take(Effects effects) {
    wanted = std::max(wanted, effects.sequence);
    for (Record& record : effects.records) records.push_back(std::move(record));
    for (JournalEntry& entry : effects.jobs) entries.push_back(std::move(entry));
    for (Outgoing& outgoing : effects.send) sent.push_back(std::move(outgoing));
    for (TrainRequest& request : effects.train) trainings.push_back(std::move(request));
  }
  void say(const PeerId& peer, wire::Message message, std::vector<wire::Bytes> blobs = {}) {
    take(core.message({now, 1}, peer, message, std::move(blobs)));
  }
  void durable() { take(core.durable({now, 1}, wanted)); }
  void tick(int64_t milliseconds) {
    now += Time(milliseconds);
    take(core.tick({now, 1}));
  }
  void hello(const PeerId& peer, wire::Role role, uint32_t capacity = 1,
             const std::string& model = "Test board") {
    wire::Hello hello;
    hello.role = role;
    hello.name = peer;
    hello.capacity = capacity;
    if (role == wire::Role::runner) hello.board = to_text(test::make_board("board of " + peer, model));
    say(peer, hello);
  }
  /// The newest message of a kind to `peer`, and forgets those before it.
  template <class Kind>
  std::optional<Kind> last(const PeerId& peer) const {
    for (size_t i = sent.size(); i-- > 0;)
      if (sent[i].peer == peer)
        if (const auto* message = std::get_if<Kind>(&sent[i].message)) return *message;
    return std::nullopt;
  }
  /// Builds the first candidate of the tuner's newest round as artifact `text`.
  void build(const PeerId& tuner, const wire::Round& round, const std::string& text, uint64_t trial) {
    wire::Built built;
    built.lease = round.lease;
    built.candidate = {round.task, round.target, "direct", 1, round.ports, "p=" + text, "split"};
    built.trial = trial;
    auto bytes = [](const std::string& content) {
      const auto* data = reinterpret_cast<const std::byte*>(content.data());
      return wire::Bytes(data, data + content.size());
    };
    std::vector<wire::Bytes> blobs = {bytes(text), bytes("reference")};
    built.artifact = digest_of(text);
    built.reference = digest_of("reference");
    built.features = {1, static_cast<float>(trial)};
    built.feature_version = 2;
    say(tuner, built, blobs);
  }
  wire::Measured result(const wire::MeasureRequest& request, double ns = 1000) const {
    wire::Measured measured;
    measured.lease = request.lease;
    measured.id = request.id;
    measured.measurement.samples_ns = {ns, ns, ns, ns, ns};
    return measured;
  }

  Core core;
  Time now{1000};
  uint64_t wanted = 0;
  std::vector<Record> records;
  std::vector<JournalEntry> entries;
  std::vector<Outgoing> sent;
  std::vector<TrainRequest> trainings;
};

/// A hand with a client, a tuner and a runner, a job of one task, and trial 0 leased to the runner.
struct Measuring : Hand {
  explicit Measuring(Settings settings = {}) : Hand(settings) {
    hello("client", wire::Role::client);
    hello("tuner", wire::Role::tuner);
    hello("runner", wire::Role::runner);
    say("client", make_request(1, 10));
    durable();
    round = last<wire::Want>("tuner")->rounds.at(0);
    build("tuner", round, "zero", 0);
    request = last<wire::Want>("runner")->measurements.at(0);
  }
  wire::Round round;
  wire::MeasureRequest request;
};

}  // namespace hone::scheduler::test
