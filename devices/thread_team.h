// Runs an artifact on several threads as a compiled model's pool does: static split, the caller takes part,
// short work stays on one thread. Made before any foreign code is loaded, so that a child needs no right to
// start threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "codegen/runtime/host/host.h"

namespace hone {

class ThreadTeam {
 public:
  /// So long a thread spins for its next part before it sleeps.
  static constexpr int64_t spin_ns = 50000;
  /// `threads`: with the caller; at least 1. Returns when all of them wait for work: from then on they only
  /// use futexes.
  explicit ThreadTeam(int threads);
  ThreadTeam(const ThreadTeam&) = delete;
  ~ThreadTeam();
  /// All phases, one after the other, each split over as many threads as it is worth.
  void run(const LoadedArtifact& artifact, void* const* buffers);

 private:
  void work(int index);
  void run_part(int part) const;

  std::vector<std::thread> threads_;
  // The phase in progress: written before the ticket rises, read after it did.
  const LoadedArtifact* artifact_ = nullptr;
  void* const* buffers_ = nullptr;
  int32_t phase_ = 0;
  int64_t extent_ = 0, inner_ = 0;
  int parts_ = 0;
  std::atomic<int> ready_ = 0;
  std::atomic<uint32_t> ticket_ = 0;
  std::atomic<int> remaining_ = 0;
  std::atomic<bool> leaving_ = false;
};

}  // namespace hone
