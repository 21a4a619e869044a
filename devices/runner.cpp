#include "devices/runner.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <variant>

namespace hone {
namespace {

using std::chrono::milliseconds;

TimePoint now() { return std::chrono::steady_clock::now(); }

/// Runs Device::measure on a thread of its own, so that the loop goes on speaking.
class MeasuringThread {
 public:
  explicit MeasuringThread(Device& device) : device_(device), thread_([this] { work(); }) {}
  ~MeasuringThread() {
    {
      std::lock_guard lock(mutex_);
      leaving_ = true;
    }
    device_.cancel();
    changed_.notify_one();
    thread_.join();
  }
  int done_fd() const { return done_.fd(); }
  using Work = std::variant<ReadyWork, milliseconds>;  ///< a measurement, or a check and its deadline
  using Done = std::variant<DeviceResult, wire::HealthReport>;
  void start(Work work) {
    {
      std::lock_guard lock(mutex_);
      HONE_CHECK(!work_ && !result_);
      work_ = std::move(work);
    }
    changed_.notify_one();
  }
  /// Ends the measurement that runs, if it has not ended by itself, and no other.
  void cancel() {
    std::lock_guard lock(mutex_);
    if (!work_) return;
    cancelled_ = true;
    device_.cancel();
  }
  std::optional<Done> take() {
    done_.clear();
    std::lock_guard lock(mutex_);
    return std::exchange(result_, std::nullopt);
  }

 private:
  Done run(const Work& work) {
    if (const auto* deadline = std::get_if<milliseconds>(&work)) return device_.check(*deadline);
    const auto& ready = std::get<ReadyWork>(work);
    return device_.measure(ready.request, *ready.artifact, *ready.reference);
  }
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return leaving_ || work_; });
      if (leaving_) return;
      Work work = std::move(*work_);
      lock.unlock();
      Done result = run(work);
      lock.lock();
      work_.reset();
      if (std::exchange(cancelled_, false)) device_.resume();  // it may have ended just before
      result_ = std::move(result);
      done_.notify();
    }
  }

  Device& device_;
  WakeUp done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Work> work_;
  std::optional<Done> result_;
  bool cancelled_ = false, leaving_ = false;
  std::thread thread_;
};

class Loop {
 public:
  Loop(const RunnerOptions& options, Device& device, Peer peer)
      : peer_(std::move(peer)), session_(options, device, now()), measuring_(device) {}

  Status run(int stop_fd) {
    speak();
    for (;;) {
      const int fds[] = {stop_fd, measuring_.done_fd()};
      Waited waited = peer_.wait(session_.next_event(), fds);
      auto ready = [&](int fd) {
        return std::find(waited.ready.begin(), waited.ready.end(), fd) != waited.ready.end();
      };
      if (ready(stop_fd)) return {};
      if (ready(measuring_.done_fd()))
        if (auto done = measuring_.take()) {
          if (auto* report = std::get_if<wire::HealthReport>(&*done))
            session_.checked(std::move(*report), now());
          else
            session_.finished(std::move(std::get<DeviceResult>(*done)), now());
        }
      while (auto received = peer_.receive())
        HONE_RETURN_IF_ERROR(session_.handle(std::move(*received), now()));
      speak();
      if (session_.over(now())) return {};
      HONE_TRY(const bool silent, session_.silent(now()));
      if (!silent) continue;
      HONE_RETURN_IF_ERROR(peer_.reconnect());
      session_.connected(now());
      speak();
    }
  }

 private:
  /// Starts what can be started and sends what is due. A full queue is noticed as silence later.
  void speak() {
    if (session_.take_cancel()) measuring_.cancel();
    if (auto deadline = session_.start_check())
      measuring_.start(*deadline);
    else if (auto work = session_.start())
      measuring_.start(std::move(*work));
    for (const wire::Message& message : session_.outgoing(now())) (void)peer_.send(message);
  }

  Peer peer_;
  RunnerSession session_;
  MeasuringThread measuring_;
};

}  // namespace

Status run_runner(const RunnerOptions& options, Device& device, int stop_fd) {
  HONE_TRY(Peer peer, Peer::connect(options.scheduler, options.transport));
  return Loop(options, device, std::move(peer)).run(stop_fd);
}

}  // namespace hone
