// One runner's side of its conversation with a scheduler (measure/messages.md) as a pure state machine: what
// came and the time go in, messages go out. The runner's loop and the simulated boards are both made of it.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/work_queue.h"
#include "measure/transport.h"

namespace hone {

struct RunnerOptions {
  std::string scheduler;  ///< endpoint
  std::string name;
  std::vector<std::string> labels;         ///< "key=value"
  uint32_t capacity = 8;                   ///< leases held at once: enough to fetch while one is measured
  std::chrono::milliseconds heartbeat{0};  ///< 0: what the scheduler asks for
  std::chrono::milliseconds hello_timeout{2000};
  std::chrono::milliseconds silence{
      1000};  ///< without a word for this long, or four heartbeats: a new connection
  std::chrono::milliseconds give_up{0};         ///< leave when no scheduler was heard for this long; 0: never
  std::chrono::milliseconds commit_wait{2000};  ///< how long a runner told to stop waits for its last commit
  uint64_t instance = 0;                        ///< of this start of the runner; 0: drawn
  WorkQueue::Limits limits = {};
  TransportOptions transport = {};
};

class RunnerSession {
 public:
  /// `device` is asked what it is and how it is; it is not measured with here.
  RunnerSession(const RunnerOptions& options, const Device& device, TimePoint now);

  /// A new connection: hello is said again, and everything unanswered asked for once more.
  void connected(TimePoint now);
  /// Errors: a refusal, with its reason.
  Status handle(Received received, TimePoint now);
  /// What is to be sent now. What is lost on the way is noticed as silence later.
  std::vector<wire::Message> outgoing(TimePoint now);
  /// The next measurement, if nothing runs and its bytes are here. It runs until `finished`.
  std::optional<ReadyWork> start();
  /// True once, when the measurement that runs is to be cancelled; it still ends with `finished`.
  bool take_cancel() { return queue_.take_cancel(); }
  void finished(DeviceResult result, TimePoint now);
  /// The deadline of a health check that is wanted, if nothing runs. No measurement starts until `checked`.
  std::optional<std::chrono::milliseconds> start_check();
  void checked(wire::HealthReport report, TimePoint now);
  /// Whether the scheduler fell silent: connect anew. Errors: it was not heard for give_up.
  Result<bool> silent(TimePoint now) const;
  /// Whether it was told to stop and nothing is left to do.
  bool over(TimePoint now) const;
  /// When there is something to do at the latest, even if nothing comes.
  TimePoint next_event() const;
  const WorkQueue& queue() const { return queue_; }

 private:
  std::chrono::milliseconds silence_limit() const;
  wire::Hello hello() const;

  const RunnerOptions& options_;
  const Device& device_;
  WorkQueue queue_;
  uint64_t instance_;
  uint64_t check_ = 0;  ///< number of the check that is wanted
  std::chrono::milliseconds check_deadline_{0};
  bool checking_ = false;
  std::optional<wire::HealthReport> report_;  ///< of the last check
  bool report_due_ = false;
  bool greet_ = true, welcomed_ = false, stopping_ = false;
  int unanswered_ = 0;  ///< greetings in a row, each waited for twice as long as the one before
  static constexpr int most_doublings = 4;
  uint32_t protocol_ = wire::protocol_version;
  std::chrono::milliseconds heartbeat_{1000};
  TimePoint last_heard_, last_message_, hello_again_, next_state_, stop_by_;
  std::vector<wire::LeaseRef> told_;
};

}  // namespace hone
