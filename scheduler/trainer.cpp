// One request at a time, in order.
#include "scheduler/trainer.h"

#include <pthread.h>
#include <sys/resource.h>

namespace hone::scheduler {

Trainer::~Trainer() {
  {
    std::lock_guard lock(mutex_);
    leaving_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Trainer::submit(TrainRequest request) {
  {
    std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(request));
  }
  changed_.notify_one();
}

std::optional<std::pair<uint64_t, Result<std::string>>> Trainer::take() {
  std::lock_guard lock(mutex_);
  if (trained_.empty()) {
    done_.clear();
    return std::nullopt;
  }
  auto out = std::move(trained_.front());
  trained_.pop_front();
  return out;
}

void Trainer::work() {
  ::pthread_setname_np(::pthread_self(), "trainer");
  // This thread alone, and those it starts: results that wait to be acknowledged go before a better model.
  ::setpriority(PRIO_PROCESS, 0, 5);
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [&] { return leaving_ || !waiting_.empty(); });
    if (leaving_) return;
    const TrainRequest request = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    auto model = train_ranking(request.rows, request.groups, request.scores, {.seed = request.seed});
    lock.lock();
    trained_.emplace_back(request.id, std::move(model));
    done_.notify();
  }
}

}  // namespace hone::scheduler
