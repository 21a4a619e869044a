// A client of the scheduler that follows one job through restarts of the scheduler: submits once, then
// re-attaches by id.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "measure/transport.h"

namespace hone::session {

class JobClient {
 public:
  static Result<JobClient> connect(const std::string& endpoint, wire::JobRequest request,
                                   TransportOptions options = {});
  /// Follows a job that is there already.
  static Result<JobClient> attach(const std::string& endpoint, uint64_t job, TransportOptions options = {});

  /// Waits for news, one of `fds` or the deadline; keeps the conversation alive.
  Waited wait(TimePoint deadline, std::span<const int> fds);
  /// Takes what arrived. The newest event, if any came. Error: the scheduler refuses the client or the job.
  Result<std::optional<wire::JobEvent>> take();
  /// Asks for the job to be stopped; its end still shows as an event.
  void stop();
  /// The scheduler was started anew: connect again.
  Status reconnect();
  /// The job's id; 0 while it is not accepted.
  uint64_t job() const { return job_; }
  /// Whether any scheduler has answered since the start.
  bool was_heard() const { return was_heard_; }

 private:
  JobClient(Peer peer, wire::JobRequest request) : peer_(std::move(peer)), request_(std::move(request)) {}
  void greet();
  Peer peer_;
  wire::JobRequest request_;
  uint64_t job_ = 0;
  bool stopping_ = false, was_heard_ = false;
  TimePoint heard_ = {}, asked_ = {};
};

/// Errors: a scheduler of this protocol would take only a part of the job, and not say so.
Status check_takes_all(const wire::JobRequest& request, uint32_t protocol);

/// Whether a job in this state will not change any more.
bool is_over(const std::string& state);

}  // namespace hone::session
