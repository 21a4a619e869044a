// Hello, submit or follow, then events.
#include "tuner/session/job_client.h"

namespace hone::session {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;
constexpr milliseconds silence{4000}, ask_again{1000};

}  // namespace

bool is_over(const std::string& state) {
  return state == "Stopped" || state == "Completed" || state == "Failed";
}

Result<JobClient> JobClient::connect(const std::string& endpoint, wire::JobRequest request,
                                     TransportOptions options) {
  HONE_TRY(Peer peer, Peer::connect(endpoint, std::move(options)));
  JobClient client(std::move(peer), std::move(request));
  client.greet();
  return client;
}

Result<JobClient> JobClient::attach(const std::string& endpoint, uint64_t job, TransportOptions options) {
  HONE_TRY(Peer peer, Peer::connect(endpoint, std::move(options)));
  JobClient client(std::move(peer), {});
  client.job_ = job;
  client.greet();
  return client;
}

void JobClient::greet() {
  wire::Hello hello;
  hello.role = wire::Role::client;
  hello.build = "hone 0.1.0";
  hello.name = "hone tune";
  (void)peer_.send(hello);
  heard_ = asked_ = Clock::now();
}

Status check_takes_all(const wire::JobRequest& request, uint32_t protocol) {
  constexpr uint32_t with_further_targets = 3;
  if (request.parts.size() == 1 || protocol >= with_further_targets) return {};
  return fail("the scheduler speaks protocol " + std::to_string(protocol) +
                  ", which has one target a job: of these " + std::to_string(request.parts.size()) +
                  " it would tune " + request.parts.front().target + " alone",
              request.name, "submit a job for each target, or start a scheduler of protocol 3");
}

Status JobClient::reconnect() {
  HONE_RETURN_IF_ERROR(peer_.reconnect());
  greet();
  return {};
}

Waited JobClient::wait(TimePoint deadline, std::span<const int> fds) {
  const auto now = Clock::now();
  if (now - heard_ > silence) (void)reconnect();
  if (job_ != 0 && now - asked_ > ask_again) {
    (void)peer_.send(wire::Follow{job_});
    if (stopping_) (void)peer_.send(wire::Stop{job_});
    asked_ = now;
  }
  return peer_.wait(std::min(deadline, now + ask_again), fds);
}

Result<std::optional<wire::JobEvent>> JobClient::take() {
  std::optional<wire::JobEvent> newest;
  while (std::optional<Received> received = peer_.receive()) {
    heard_ = Clock::now();
    was_heard_ = true;
    if (!received->message) continue;
    wire::Message& message = *received->message;
    if (const auto* welcome = std::get_if<wire::Welcome>(&message)) {
      if (job_ == 0) {
        HONE_RETURN_IF_ERROR(check_takes_all(request_, welcome->protocol));
        (void)peer_.send(request_);
      } else {
        (void)peer_.send(wire::Follow{job_});
      }
    } else if (const auto* refuse = std::get_if<wire::Refuse>(&message)) {
      return fail("the scheduler refuses: " + refuse->reason);
    } else if (const auto* accepted = std::get_if<wire::Accepted>(&message)) {
      job_ = accepted->job;
      (void)peer_.send(wire::Follow{job_});
    } else if (const auto* error = std::get_if<wire::NotUnderstood>(&message)) {
      // A scheduler that was started anew on the same address does not know this client yet.
      if (error->reason.find("hello") == std::string::npos) {
        return fail("the scheduler refuses: " + error->reason);
      }
      HONE_RETURN_IF_ERROR(reconnect());
    } else if (auto* event = std::get_if<wire::JobEvent>(&message)) {
      if (job_ == 0 || event->job == job_) newest = std::move(*event);
    }
  }
  return newest;
}

void JobClient::stop() {
  stopping_ = true;
  if (job_ != 0) (void)peer_.send(wire::Stop{job_});
}

}  // namespace hone::session
