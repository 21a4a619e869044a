// Peers as programs of protocol 1 were: they know the schema of then and nothing that came later.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "tests/system/peers.h"

namespace hone::testing_system {

/// A tuner, a runner or a client of protocol 1, on a thread of its own until it is destroyed. A client
/// submits a job of three tasks at once and follows it.
class OldPeer {
 public:
  OldPeer(std::string endpoint, wire::Role role, uint64_t trials = 0);
  ~OldPeer();
  /// The protocol that it was welcomed with; 0: not yet.
  uint32_t protocol() const { return protocol_; }
  /// What it did: candidates built, measurements made and acknowledged, events seen.
  uint64_t done() const { return done_; }
  /// A client's: whether its job was seen to end as Completed.
  bool completed() const { return completed_; }
  /// Frames that it could not read.
  uint64_t malformed() const { return malformed_; }

 private:
  struct Connection;
  void work();
  std::string endpoint_;
  wire::Role role_;
  uint64_t trials_;
  std::atomic<uint32_t> protocol_{0};
  std::atomic<uint64_t> done_{0}, malformed_{0};
  std::atomic<bool> completed_{false}, leaving_{false};
  std::thread thread_;
};

}  // namespace hone::testing_system
