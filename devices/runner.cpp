#include "devices/runner.h"

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <thread>

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
  void start(ReadyWork work) {
    {
      std::lock_guard lock(mutex_);
      HONE_CHECK(!work_ && !result_);
      work_ = std::move(work);
    }
    changed_.notify_one();
  }
  std::optional<DeviceResult> take() {
    done_.clear();
    std::lock_guard lock(mutex_);
    return std::exchange(result_, std::nullopt);
  }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&] { return leaving_ || work_; });
      if (leaving_) return;
      ReadyWork work = std::move(*work_);
      lock.unlock();
      DeviceResult result = device_.measure(work.request, *work.artifact, *work.reference);
      lock.lock();
      work_.reset();
      result_ = std::move(result);
      done_.notify();
    }
  }

  Device& device_;
  WakeUp done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<ReadyWork> work_;
  std::optional<DeviceResult> result_;
  bool leaving_ = false;
  std::thread thread_;
};

class Loop {
 public:
  Loop(const RunnerOptions& options, Device& device, Peer peer)
      : options_(options),
        device_(device),
        peer_(std::move(peer)),
        queue_(options.limits),
        measuring_(device) {}

  Status run(int stop_fd) {
    last_heard_ = now();
    say_hello();
    for (;;) {
      const int fds[] = {stop_fd, measuring_.done_fd()};
      Waited waited = peer_.wait(next_event(), fds);
      auto ready = [&](int fd) {
        return std::find(waited.ready.begin(), waited.ready.end(), fd) != waited.ready.end();
      };
      if (ready(stop_fd)) return {};
      if (ready(measuring_.done_fd()))
        if (auto result = measuring_.take()) {
          queue_.finished(std::move(*result));
          stop_by_ = now() + options_.commit_wait;
        }
      while (auto received = peer_.receive()) HONE_RETURN_IF_ERROR(handle(std::move(*received)));
      queue_.check_deadlines(now());
      if (welcomed_) speak();
      if (stopping_ && !queue_.running() && (!queue_.has_uncommitted() || now() >= stop_by_)) return {};
      HONE_RETURN_IF_ERROR(check_silence());
    }
  }

 private:
  milliseconds silence_limit() const { return std::max(milliseconds(1000), 4 * heartbeat_); }

  TimePoint next_event() const {
    TimePoint next = welcomed_ ? std::min(next_state_, last_heard_ + silence_limit()) : hello_again_;
    if (auto deadline = queue_.next_deadline()) next = std::min(next, *deadline);
    if (stopping_ && !queue_.running()) next = std::min(next, stop_by_);
    if (options_.give_up.count() > 0) next = std::min(next, last_message_ + options_.give_up);
    return next;
  }

  void say_hello() {
    welcomed_ = false;
    hello_again_ = now() + options_.hello_timeout;
    wire::Hello hello;
    hello.role = wire::Role::runner;
    hello.build = "hone 0.1";
    hello.name = options_.name;
    hello.board = to_text(device_.board());
    hello.capacity = options_.capacity;
    hello.labels = options_.labels;
    (void)peer_.send(hello);  // if it is lost, the silence is noticed and it is said again
  }

  Status check_silence() {
    const TimePoint time = now();
    if (options_.give_up.count() > 0 && time >= last_message_ + options_.give_up)
      return fail("no scheduler was heard for " + std::to_string(options_.give_up.count()) + " ms",
                  options_.scheduler);
    const bool silent = welcomed_ ? time >= last_heard_ + silence_limit() : time >= hello_again_;
    if (!silent) return {};
    HONE_RETURN_IF_ERROR(peer_.reconnect());
    last_heard_ = time;
    say_hello();
    return {};
  }

  Status handle(Received received) {
    last_heard_ = last_message_ = now();
    if (!received.message) {
      std::fprintf(stderr, "hone-runner: dropped a frame: %s\n", received.message.error().text().c_str());
      return {};
    }
    if (auto* welcome = std::get_if<wire::Welcome>(&*received.message)) {
      heartbeat_ = options_.heartbeat.count() > 0
                       ? options_.heartbeat
                       : milliseconds(std::clamp<uint32_t>(welcome->heartbeat_ms, 10, 60000));
      welcomed_ = true;
      next_state_ = now();
      queue_.reconnected();
    } else if (auto* refuse = std::get_if<wire::Refuse>(&*received.message)) {
      return fail("the scheduler refused this runner: " + refuse->reason, options_.scheduler);
    } else if (auto* want = std::get_if<wire::Want>(&*received.message)) {
      queue_.want(*want, now());
      if (want->stopping && !stopping_) {
        stopping_ = true;
        stop_by_ = now() + options_.commit_wait;
      }
    } else if (auto* blob = std::get_if<wire::Blob>(&*received.message)) {
      if (received.blobs.empty()) received.blobs.emplace_back();
      queue_.blob(*blob, std::move(received.blobs[0]), now());
    } else if (auto* committed = std::get_if<wire::Committed>(&*received.message)) {
      queue_.committed(committed->ids);
    } else if (auto* error = std::get_if<wire::NotUnderstood>(&*received.message)) {
      std::fprintf(stderr, "hone-runner: the scheduler did not understand: %s\n", error->reason.c_str());
      // A scheduler that was started anew on the same address does not know this runner: greet it at once.
      if (error->reason.find("hello") != std::string::npos) last_heard_ = now() - silence_limit();
    }
    return {};
  }

  /// Starts what can be started and sends what is due. A full queue is noticed as silence later.
  void speak() {
    for (const Digest& digest : queue_.take_fetches()) (void)peer_.send(wire::Fetch{digest});
    if (!stopping_)
      if (auto work = queue_.start()) measuring_.start(std::move(*work));
    for (const wire::Measured& measured : queue_.take_results()) (void)peer_.send(measured);
    auto leases = queue_.leases();
    if (leases == told_ && now() < next_state_) return;
    const Health health = device_.health();
    (void)peer_.send(wire::WorkerState{leases, health.temperature_celsius, health.frequency_mhz});
    told_ = std::move(leases);
    next_state_ = now() + heartbeat_;
  }

  const RunnerOptions& options_;
  Device& device_;
  Peer peer_;
  WorkQueue queue_;
  MeasuringThread measuring_;
  bool welcomed_ = false, stopping_ = false;
  milliseconds heartbeat_{1000};
  TimePoint last_heard_, last_message_ = now(), hello_again_, next_state_, stop_by_;
  std::vector<wire::LeaseRef> told_;
};

}  // namespace

Status run_runner(const RunnerOptions& options, Device& device, int stop_fd) {
  HONE_TRY(Peer peer, Peer::connect(options.scheduler, options.transport));
  return Loop(options, device, std::move(peer)).run(stop_fd);
}

}  // namespace hone
