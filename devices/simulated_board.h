// A whole simulated board with its runner, as a pure state machine: what came and the time go in, messages go
// out, in virtual time or real time. A production class: the same code that a real runner speaks with.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "devices/runner_session.h"
#include "devices/simulated_device.h"

namespace hone {

/// What boards did, summed up.
struct SimulationCounts {
  uint64_t measured = 0;   ///< measurements made
  uint64_t sent = 0;       ///< results sent, repetitions too
  uint64_t committed = 0;  ///< results acknowledged
  uint64_t faults = 0;     ///< of boards, scripted and random
  uint64_t hellos = 0;
  /// From a result's first sending to its acknowledgement: counts by sixteenth of an octave of microseconds.
  std::map<int, uint64_t> latency;
  /// In ms; 0 without results. `part`: 0.5 for the median.
  double latency_ms(double part) const;
  void add(const SimulationCounts& other);
};

class SimulatedBoard {
 public:
  /// `number` makes boards of one script differ; 0 is the only one of its kind.
  SimulatedBoard(RunnerOptions options, const SimulationScript& script, uint64_t number, TimePoint now);
  SimulatedBoard(const SimulatedBoard&) = delete;

  /// Errors: it was refused, with the reason.
  Status receive(Received received, TimePoint now);
  /// Everything that is due: faults begin and end, measurements end and start. Gives what is to be sent.
  /// Errors: no scheduler was heard for give_up.
  Result<std::vector<wire::Message>> step(TimePoint now);
  /// Whether its connection is to be thrown away and a new one made, before what step() gave is sent.
  bool take_reconnect() { return std::exchange(reconnect_, false); }
  /// When step() has something to do at the latest, if nothing comes before.
  TimePoint next_event() const;
  /// It was told to stop, or its script made it leave.
  bool gone() const { return gone_; }
  const SimulationCounts& counts() const { return counts_; }

 private:
  struct Pending {
    DeviceResult result;
    TimePoint due;
  };
  struct Fault {
    ScriptedFault script;
    TimePoint next;
    uint64_t times = 0;
  };
  void plan(Fault& fault, TimePoint now) const;
  void begin(const ScriptedFault& fault, TimePoint now);

  RunnerOptions options_;
  double pace_;
  uint64_t seed_;
  SimulatedDevice device_;
  std::optional<RunnerSession> session_;
  std::optional<Pending> running_;
  std::vector<Fault> faults_;
  std::deque<Received> unread_;  ///< while it is frozen
  TimePoint away_until_, silent_until_, frozen_until_;
  std::map<Digest, TimePoint> sent_;  ///< results that wait for their acknowledgement
  bool reconnect_ = false, gone_ = false;
  SimulationCounts counts_;
};

}  // namespace hone
