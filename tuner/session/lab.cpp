// Waits for events and interrupts in one place; only a scheduler that never answers is given up.
#include "tuner/session/lab.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "tuner/session/job_client.h"

namespace hone::session {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{10};

Error no_answer(const LabAddress& lab) {
  return {"no scheduler answers", lab.scheduler, "is hone-scheduler running there, with this --server-key?"};
}

Result<TuneOutcome> follow(const LabAddress& lab, JobClient client, const TellNews& tell,
                           const Interrupt& interrupt) {
  TuneOutcome outcome;
  const auto give_up = Clock::now() + patience;
  bool told = client.job() != 0;
  std::vector<int> descriptors;
  if (interrupt.fd() >= 0) descriptors.push_back(interrupt.fd());
  while (!is_over(outcome.last.state)) {
    if (!client.was_heard() && Clock::now() >= give_up) return pass(no_answer(lab));
    (void)client.wait(Clock::now() + std::chrono::seconds(1), descriptors);
    if (interrupt.take()) {
      outcome.interrupted = true;
      if (tell && client.job() != 0) tell(JobGoesOn{client.job()});
      return outcome;
    }
    HONE_TRY(std::optional<wire::JobEvent> event, client.take());
    if (!told && client.job() != 0) {
      told = true;
      if (tell) tell(JobAccepted{client.job()});
    }
    if (!event) continue;
    if (event->trouble != outcome.last.trouble && !event->trouble.empty() && tell)
      tell(SchedulerTrouble{event->trouble});
    outcome.last = std::move(*event);
    if (tell) tell(outcome.last);
  }
  if (outcome.last.state == "Failed") return fail("the job failed: " + outcome.last.reason);
  return outcome;
}

}  // namespace

Result<TransportOptions> lab_transport(const LabAddress& lab) {
  TransportOptions options;
  HONE_TRY(options.keys, peer_keys(lab.key, lab.server_key));
  options.give_up_unheard = true;
  return options;
}

namespace {

struct Greeted {
  Peer peer;
  uint32_t protocol = 0;  ///< that both speak
};

/// Connects and is welcomed.
Result<Greeted> greeted(const LabAddress& lab) {
  HONE_TRY(TransportOptions options, lab_transport(lab));
  HONE_TRY(Peer peer, Peer::connect(lab.scheduler, std::move(options)));
  wire::Hello hello;
  hello.role = wire::Role::client;
  hello.name = "hone";
  HONE_RETURN_IF_ERROR(peer.send(hello));
  const auto give_up = Clock::now() + patience;
  while (auto received = peer.receive(give_up)) {
    if (!received->message) return pass(received->message.error());
    wire::Message& message = *received->message;
    if (const auto* welcome = std::get_if<wire::Welcome>(&message))
      return Greeted{std::move(peer), welcome->protocol};
    if (const auto* refuse = std::get_if<wire::Refuse>(&message))
      return fail("the scheduler refuses: " + refuse->reason, lab.scheduler);
  }
  return pass(no_answer(lab));
}

Result<wire::Message> ask(const LabAddress& lab, Peer& peer, const wire::Message& question) {
  HONE_RETURN_IF_ERROR(peer.send(question));
  const auto give_up = Clock::now() + patience;
  while (auto received = peer.receive(give_up)) {
    if (!received->message) return pass(received->message.error());
    wire::Message& message = *received->message;
    if (const auto* refuse = std::get_if<wire::Refuse>(&message)) {
      return fail("the scheduler refuses: " + refuse->reason, lab.scheduler);
    } else if (const auto* error = std::get_if<wire::NotUnderstood>(&message)) {
      return fail(error->reason, lab.scheduler);
    } else if (std::holds_alternative<wire::JobEvent>(message) &&
               !std::holds_alternative<wire::Follow>(question)) {
      continue;  // a job that goes on tells of itself before the answer that waits for the disk
    } else {
      return std::move(message);
    }
  }
  return pass(no_answer(lab));
}

}  // namespace

Result<wire::Message> ask(const LabAddress& lab, const wire::Message& question) {
  HONE_TRY(Greeted scheduler, greeted(lab));
  return ask(lab, scheduler.peer, question);
}

bool is_endpoint(std::string_view log) { return log.starts_with("tcp://") || log.starts_with("ipc://"); }

Result<LogDatabase> pull_log(const LabAddress& lab, uint64_t job, const std::string& target,
                             const std::function<void(uint64_t, uint64_t)>& progress) {
  HONE_TRY(Greeted scheduler, greeted(lab));
  LogDatabase log;
  for (uint64_t next = 0;;) {
    HONE_TRY(wire::Message answer, ask(lab, scheduler.peer, wire::PullLog{job, next, target}));
    auto* chunk = std::get_if<wire::LogChunk>(&answer);
    if (chunk == nullptr || (chunk->next <= next && chunk->next < chunk->total))
      return fail("the scheduler answered something else", lab.scheduler);
    for (Record& record : chunk->records) log.add(std::move(record));
    next = chunk->next;
    if (progress) progress(next, chunk->total);
    if (next >= chunk->total) return log;
  }
}

Result<LogDatabase> open_log(const std::string& log, LabAddress lab, const std::string& target) {
  if (!is_endpoint(log)) return LogDatabase::open(log);
  lab.scheduler = log;
  uint64_t job = 0;
  const size_t slash = log.find('/', std::string_view("tcp://").size());
  if (log.starts_with("tcp://") && slash != std::string::npos) {
    lab.scheduler = log.substr(0, slash);
    const std::string number = log.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), job);
    if (error != std::errc() || end != number.data() + number.size() || job == 0)
      return fail("'" + number + "' is no job", log, "write tcp://HOST:PORT or tcp://HOST:PORT/JOB");
  }
  return pull_log(lab, job, target);
}

Result<uint64_t> submit_to_lab(const LabAddress& lab, const wire::JobRequest& request) {
  HONE_TRY(Greeted scheduler, greeted(lab));
  HONE_RETURN_IF_ERROR(check_takes_all(request, scheduler.protocol));
  HONE_RETURN_IF_ERROR(scheduler.peer.send(request));
  const auto give_up = Clock::now() + patience;
  while (auto received = scheduler.peer.receive(give_up)) {
    if (!received->message) return pass(received->message.error());
    // Its first event may come before the job is durable, and accepted.
    if (const auto* accepted = std::get_if<wire::Accepted>(&*received->message)) return accepted->job;
    if (const auto* error = std::get_if<wire::NotUnderstood>(&*received->message))
      return fail(error->reason, lab.scheduler);
  }
  return pass(no_answer(lab));
}

Result<TuneOutcome> run_in_lab(const LabAddress& lab, const wire::JobRequest& request, const TellNews& tell,
                               const Interrupt& interrupt) {
  HONE_TRY(TransportOptions options, lab_transport(lab));
  HONE_TRY(JobClient client, JobClient::connect(lab.scheduler, request, std::move(options)));
  return follow(lab, std::move(client), tell, interrupt);
}

Result<TuneOutcome> follow_in_lab(const LabAddress& lab, uint64_t job, bool stop, const TellNews& tell,
                                  const Interrupt& interrupt) {
  HONE_TRY(TransportOptions options, lab_transport(lab));
  HONE_TRY(JobClient client, JobClient::attach(lab.scheduler, job, std::move(options)));
  if (stop) client.stop();
  return follow(lab, std::move(client), tell, interrupt);
}

}  // namespace hone::session
