// Private to scheduler: trains cost models on a thread of its own, so that workers are answered meanwhile.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "measure/transport.h"
#include "scheduler/effects.h"

namespace hone::scheduler {

class Trainer {
 public:
  Trainer() : thread_([this] { work(); }) {}
  ~Trainer();
  void submit(TrainRequest request);
  /// Readable when a model is there.
  int fd() const { return done_.fd(); }
  std::optional<std::pair<uint64_t, Result<std::string>>> take();

 private:
  void work();
  WakeUp done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<TrainRequest> waiting_;
  std::deque<std::pair<uint64_t, Result<std::string>>> trained_;
  bool leaving_ = false;
  std::thread thread_;
};

}  // namespace hone::scheduler
