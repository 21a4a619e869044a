// A scheduler of protocol 2 as programs of today see it, and programs of protocol 2 as a scheduler of today
// sees them: it stands between them, and nothing that came later passes.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "measure/transport.h"

namespace hone::testing_system {

class OldRelay {
 public:
  /// Listens at `endpoint` for a scheduler at `scheduler`, on a thread of its own until it is destroyed.
  OldRelay(std::string endpoint, std::string scheduler);
  ~OldRelay();
  /// What was taken out on the way: each is something that a program of today must do without here.
  struct Dropped {
    std::atomic<uint64_t> further_targets{0}, feature_versions{0}, delays{0};
  };
  const Dropped& dropped() const { return dropped_; }

 private:
  void work(const std::string& endpoint, const std::string& scheduler);
  /// A message as a program of protocol 2 would have said or understood it.
  void make_old(wire::Message& message);

  Dropped dropped_;
  WakeUp stop_;
  std::thread thread_;
};

}  // namespace hone::testing_system
