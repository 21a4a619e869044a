// Waits for events and Ctrl-C in one place; only a scheduler that never answers is given up.
#include "tuner/cli/lab.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <chrono>

namespace hone::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{10};

Error no_answer(const LabFlags& flags) {
  return {"no scheduler answers", flags.scheduler,
          "is hone-scheduler running there, with this --server-key?"};
}

Result<TuneOutcome> follow(const LabFlags& flags, JobClient client, const TuneRun& run) {
  TerminationSignals signals;
  TuneOutcome outcome;
  const auto give_up = Clock::now() + patience;
  bool told = client.job() != 0;
  while (!is_over(outcome.last.state)) {
    if (!client.was_heard() && Clock::now() >= give_up) return pass(no_answer(flags));
    const int descriptors[] = {signals.fd()};
    (void)client.wait(Clock::now() + std::chrono::seconds(1), descriptors);
    if (signals.take() != 0) {
      outcome.interrupted = true;
      if (run.on_message && client.job() != 0)
        run.on_message(
            fmt::format("job {0} goes on; 'hone jobs follow {0} --scheduler {1}' shows it again, "
                        "'hone jobs stop {0} --scheduler {1}' ends it",
                        client.job(), flags.scheduler));
      return outcome;
    }
    HONE_TRY(std::optional<wire::JobEvent> event, client.take());
    if (!told && client.job() != 0) {
      told = true;
      if (run.on_message) run.on_message(fmt::format("job {} was accepted", client.job()));
    }
    if (!event) continue;
    if (event->trouble != outcome.last.trouble && !event->trouble.empty() && run.on_message)
      run.on_message("the scheduler: " + event->trouble);
    outcome.last = std::move(*event);
    if (run.on_event) run.on_event(outcome.last);
  }
  if (outcome.last.state == "Failed") return fail("the job failed: " + outcome.last.reason);
  return outcome;
}

}  // namespace

void add_lab_flags(CLI::App& command, LabFlags& flags, bool is_required) {
  command.add_option("--scheduler", flags.scheduler, "a running scheduler: ipc://PATH or tcp://ADDRESS:PORT")
      ->required(is_required);
  add_lab_keys(command, flags);
}

void add_lab_keys(CLI::App& command, LabFlags& flags) {
  command.add_option("--key", flags.key, "your secret key, NAME.key of hone keygen: needed off loopback");
  command.add_option("--server-key", flags.server_key, "the scheduler's public key, NAME.pub");
}

Result<TransportOptions> lab_transport(const LabFlags& flags) {
  TransportOptions options;
  HONE_TRY(options.keys, peer_keys(flags.key, flags.server_key));
  options.give_up_unheard = true;
  return options;
}

namespace {

struct Greeted {
  Peer peer;
  uint32_t protocol = 0;  ///< that both speak
};

/// Connects and is welcomed.
Result<Greeted> greeted(const LabFlags& flags) {
  HONE_TRY(TransportOptions options, lab_transport(flags));
  HONE_TRY(Peer peer, Peer::connect(flags.scheduler, std::move(options)));
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
      return fail("the scheduler refuses: " + refuse->reason, flags.scheduler);
  }
  return pass(no_answer(flags));
}

Result<wire::Message> ask(const LabFlags& flags, Peer& peer, const wire::Message& question) {
  HONE_RETURN_IF_ERROR(peer.send(question));
  const auto give_up = Clock::now() + patience;
  while (auto received = peer.receive(give_up)) {
    if (!received->message) return pass(received->message.error());
    wire::Message& message = *received->message;
    if (const auto* refuse = std::get_if<wire::Refuse>(&message)) {
      return fail("the scheduler refuses: " + refuse->reason, flags.scheduler);
    } else if (const auto* error = std::get_if<wire::NotUnderstood>(&message)) {
      return fail(error->reason, flags.scheduler);
    } else if (std::holds_alternative<wire::JobEvent>(message) &&
               !std::holds_alternative<wire::Follow>(question)) {
      continue;  // a job that goes on tells of itself before the answer that waits for the disk
    } else {
      return std::move(message);
    }
  }
  return pass(no_answer(flags));
}

}  // namespace

Result<wire::Message> ask(const LabFlags& flags, const wire::Message& question) {
  HONE_TRY(Greeted scheduler, greeted(flags));
  return ask(flags, scheduler.peer, question);
}

bool is_endpoint(std::string_view log) { return log.starts_with("tcp://") || log.starts_with("ipc://"); }

Result<LogDatabase> pull_log(const LabFlags& flags, uint64_t job, const std::string& target,
                             const std::function<void(uint64_t, uint64_t)>& progress) {
  HONE_TRY(Greeted scheduler, greeted(flags));
  LogDatabase log;
  for (uint64_t next = 0;;) {
    HONE_TRY(wire::Message answer, ask(flags, scheduler.peer, wire::PullLog{job, next, target}));
    auto* chunk = std::get_if<wire::LogChunk>(&answer);
    if (chunk == nullptr || (chunk->next <= next && chunk->next < chunk->total))
      return fail("the scheduler answered something else", flags.scheduler);
    for (Record& record : chunk->records) log.add(std::move(record));
    next = chunk->next;
    if (progress) progress(next, chunk->total);
    if (next >= chunk->total) return log;
  }
}

Result<LogDatabase> open_log(const std::string& log, LabFlags flags, const std::string& target) {
  if (!is_endpoint(log)) return LogDatabase::open(log);
  flags.scheduler = log;
  uint64_t job = 0;
  const size_t slash = log.find('/', std::string_view("tcp://").size());
  if (log.starts_with("tcp://") && slash != std::string::npos) {
    flags.scheduler = log.substr(0, slash);
    const std::string number = log.substr(slash + 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), job);
    if (error != std::errc() || end != number.data() + number.size() || job == 0)
      return fail("'" + number + "' is no job", log, "write tcp://HOST:PORT or tcp://HOST:PORT/JOB");
  }
  return pull_log(flags, job, target);
}

Result<uint64_t> submit_to_lab(const LabFlags& flags, const TuneRun& run) {
  HONE_TRY(Greeted scheduler, greeted(flags));
  HONE_RETURN_IF_ERROR(check_takes_all(run.request, scheduler.protocol));
  HONE_RETURN_IF_ERROR(scheduler.peer.send(run.request));
  const auto give_up = Clock::now() + patience;
  while (auto received = scheduler.peer.receive(give_up)) {
    if (!received->message) return pass(received->message.error());
    // Its first event may come before the job is durable, and accepted.
    if (const auto* accepted = std::get_if<wire::Accepted>(&*received->message)) return accepted->job;
    if (const auto* error = std::get_if<wire::NotUnderstood>(&*received->message))
      return fail(error->reason, flags.scheduler);
  }
  return pass(no_answer(flags));
}

Result<TuneOutcome> run_in_lab(const LabFlags& flags, const TuneRun& run) {
  HONE_TRY(TransportOptions options, lab_transport(flags));
  HONE_TRY(JobClient client, JobClient::connect(flags.scheduler, run.request, std::move(options)));
  return follow(flags, std::move(client), run);
}

Result<TuneOutcome> follow_in_lab(const LabFlags& flags, uint64_t job, bool stop, const TuneRun& run) {
  HONE_TRY(TransportOptions options, lab_transport(flags));
  HONE_TRY(JobClient client, JobClient::attach(flags.scheduler, job, std::move(options)));
  if (stop) client.stop();
  return follow(flags, std::move(client), run);
}

}  // namespace hone::cli
