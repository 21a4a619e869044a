#include "devices/thread_team.h"

#include "codegen/runtime/model/parts.h"
#include "devices/cold.h"

namespace hone {
namespace {

/// Spins for a while, then sleeps, until `value` is no longer `from`.
template <class T>
void wait_while(const std::atomic<T>& value, T from) {
  const int64_t end = clock_ns() + ThreadTeam::spin_ns;
  while (value.load(std::memory_order_acquire) == from)
    if (clock_ns() > end) {
      value.wait(from, std::memory_order_acquire);
      return;
    }
}

}  // namespace

ThreadTeam::ThreadTeam(int threads) {
  for (int index = 1; index < threads; ++index) threads_.emplace_back([this, index] { work(index); });
  for (int ready; (ready = ready_.load()) + 1 < threads;) ready_.wait(ready);
}

ThreadTeam::~ThreadTeam() {
  leaving_ = true;
  ++ticket_;
  ticket_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::run_part(int part) const {
  hone_run_part(artifact_->run_function(), buffers_, phase_, extent_, inner_, part, parts_);
}

void ThreadTeam::work(int index) {
  FlushDenormals flush;
  ++ready_;
  ready_.notify_one();
  for (uint32_t seen = 0;; ++seen) {
    wait_while(ticket_, seen);
    if (leaving_) return;
    if (index < parts_) run_part(index);
    // Those without a part say so too: nobody may still read the phase when the next one is written.
    if (remaining_.fetch_sub(1, std::memory_order_acq_rel) == 1) remaining_.notify_one();
  }
}

void ThreadTeam::run(const LoadedArtifact& artifact, void* const* buffers) {
  const auto& phases = artifact.signature().phases;
  for (size_t phase = 0; phase < phases.size(); ++phase) {
    const double work = hone_phase_work(phases[phase].flops, artifact.signature().min_bytes,
                                        static_cast<int32_t>(phases.size()));
    const int parts = hone_parts(work, phases[phase].extent, static_cast<int32_t>(threads_.size()) + 1);
    if (parts <= 1) {
      artifact.run_range(buffers, static_cast<int32_t>(phase), 0, phases[phase].extent);
      continue;
    }
    artifact_ = &artifact;
    buffers_ = buffers;
    phase_ = static_cast<int32_t>(phase);
    extent_ = phases[phase].extent;
    inner_ = phases[phase].inner;
    parts_ = parts;
    remaining_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    ticket_.fetch_add(1, std::memory_order_acq_rel);
    ticket_.notify_all();
    run_part(0);
    for (int left; (left = remaining_.load(std::memory_order_acquire)) != 0;) wait_while(remaining_, left);
  }
}

}  // namespace hone
