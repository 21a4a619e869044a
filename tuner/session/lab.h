// Talking to a scheduler that runs elsewhere: where it is, with which key, and a job followed there. Closing
// a client never stops a job.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "logs/database.h"
#include "measure/transport.h"
#include "tuner/session/tune_run.h"

namespace hone::session {

/// Where a scheduler is and who asks it.
struct LabAddress {
  std::string scheduler;        ///< "ipc://PATH" or "tcp://ADDRESS:PORT"
  std::string key, server_key;  ///< files NAME.key and NAME.pub; empty: none, which is enough on loopback
};
/// The keys in the files that the address names.
Result<TransportOptions> lab_transport(const LabAddress& lab);

/// One question and its answer. Errors: a refusal, an answer of another kind, or none in time.
Result<wire::Message> ask(const LabAddress& lab, const wire::Message& question);
/// The same where only an answer of kind T makes sense.
template <class T>
Result<T> answer_of(const LabAddress& lab, const wire::Message& question) {
  HONE_TRY(wire::Message answer, ask(lab, question));
  if (auto* expected = std::get_if<T>(&answer)) return std::move(*expected);
  return fail("the scheduler answered something else", lab.scheduler);
}

/// "tcp://HOST:PORT", "tcp://HOST:PORT/JOB" or "ipc://PATH" rather than a file.
bool is_endpoint(std::string_view log);
/// The records of a running scheduler's log: of one job (0: of all), of one target (empty: of all).
/// `progress` is told how many of how many were looked at.
Result<LogDatabase> pull_log(const LabAddress& lab, uint64_t job, const std::string& target,
                             const std::function<void(uint64_t, uint64_t)>& progress = {});
/// A file, or what pull_log gives for an endpoint, with the keys of `lab`.
Result<LogDatabase> open_log(const std::string& log, LabAddress lab, const std::string& target);

/// Submits the job and gives its number, without following it. Errors as below.
Result<uint64_t> submit_to_lab(const LabAddress& lab, const wire::JobRequest& request);
/// Submits the job and follows it to its end. An interrupt detaches: the job goes on. Errors: no scheduler
/// answers, it refuses, or the job failed.
Result<TuneOutcome> run_in_lab(const LabAddress& lab, const wire::JobRequest& request, const TellNews& tell,
                               const Interrupt& interrupt = {});
/// The same for a job that is there; `stop` asks for it to be stopped first.
Result<TuneOutcome> follow_in_lab(const LabAddress& lab, uint64_t job, bool stop, const TellNews& tell,
                                  const Interrupt& interrupt = {});

}  // namespace hone::session
