// Builder processes as a resource: hands each request to an idle one, ends those that take too long, replaces
// those that die.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "measure/wire.h"
#include "tuner/worker/pipe.h"

namespace hone {

struct BuilderOptions {
  std::string program;  ///< its own executable
  int processes = 1;
  /// One builder more for each of these cores, which compiles there while nothing else wants to run: on boards
  /// that measure themselves the measuring core waits for the compiler half of the time.
  std::vector<int> idle_cores = {};
  std::chrono::milliseconds build_timeout{20000};
  std::chrono::milliseconds propose_timeout{60000};
};

/// What a builder answered, or how it failed.
struct BuilderAnswer {
  uint64_t ticket = 0;                       ///< of the request
  std::vector<PipeFrame> frames;             ///< complete, unless `status` says otherwise
  MeasureStatus status = MeasureStatus::ok;  ///< ok, build_error (the builder died) or build_timeout
  std::string message;                       ///< if not ok: signal and what it wrote to stderr last
};

class BuilderPool {
 public:
  explicit BuilderPool(BuilderOptions options);
  BuilderPool(const BuilderPool&) = delete;
  ~BuilderPool();  ///< kills what runs

  /// Queues a request: a wire::Want with one round (blob: cost model), or a wire::Built to build. Gives its
  /// ticket.
  uint64_t submit(PipeFrame request);
  /// Drops a queued request, or kills the builder that works on it: no answer will come.
  void cancel(uint64_t ticket);

  /// To wait for: descriptors of all busy builders, and the first deadline among them.
  std::vector<int> descriptors() const;
  std::optional<std::chrono::steady_clock::time_point> deadline() const;
  /// Reads what is there, enforces deadlines, starts waiting requests; gives the answers that are complete.
  std::vector<BuilderAnswer> poll(std::chrono::steady_clock::time_point now);

 private:
  struct Builder;
  struct Queued {
    uint64_t ticket;
    PipeFrame request;
    bool was_starved = false;  ///< on an idle core that never was idle: the others take it
  };
  /// The next request that `builder` may take: one on an idle core, which may have to wait, takes no rounds.
  std::deque<Queued>::iterator next_for(const Builder& builder);
  void start(std::chrono::steady_clock::time_point now, std::vector<BuilderAnswer>& answers);
  BuilderOptions options_;
  std::vector<std::unique_ptr<Builder>> builders_;
  std::deque<Queued> queue_;
  uint64_t last_ticket_ = 0;
};

}  // namespace hone
