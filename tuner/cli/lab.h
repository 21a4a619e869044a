// Talking to a scheduler that runs elsewhere: where it is, with which key, and a job followed there. Closing
// a client never stops a job.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "logs/database.h"
#include "measure/transport.h"
#include "tuner/cli/job_client.h"
#include "tuner/cli/tune_run.h"

namespace CLI {
class App;
}

namespace hone::cli {

struct LabFlags {
  std::string scheduler, key, server_key;
};
/// --scheduler, --key and --server-key.
void add_lab_flags(CLI::App& command, LabFlags& flags, bool is_required);
/// --key and --server-key alone.
void add_lab_keys(CLI::App& command, LabFlags& flags);
/// The keys in the files that the flags name.
Result<TransportOptions> lab_transport(const LabFlags& flags);

/// One question and its answer. Errors: a refusal, an answer of another kind, or none in time.
Result<wire::Message> ask(const LabFlags& flags, const wire::Message& question);

/// "tcp://HOST:PORT", "tcp://HOST:PORT/JOB" or "ipc://PATH" rather than a file.
bool is_endpoint(std::string_view log);
/// The records of a running scheduler's log: of one job (0: of all), of one target (empty: of all).
/// `progress` is told how many of how many were looked at.
Result<LogDatabase> pull_log(const LabFlags& flags, uint64_t job, const std::string& target,
                             const std::function<void(uint64_t, uint64_t)>& progress = {});
/// A file, or what pull_log gives for an endpoint.
Result<LogDatabase> open_log(const std::string& log, LabFlags flags, const std::string& target);

/// Submits the run's job and gives its number, without following it. Errors as below.
Result<uint64_t> submit_to_lab(const LabFlags& flags, const TuneRun& run);
/// Submits the run's job and follows it to its end. Ctrl-C detaches: the job goes on (`interrupted`). Errors:
/// no scheduler answers, it refuses, or the job failed.
Result<TuneOutcome> run_in_lab(const LabFlags& flags, const TuneRun& run);
/// The same for a job that is there; `stop` asks for it to be stopped first.
Result<TuneOutcome> follow_in_lab(const LabFlags& flags, uint64_t job, bool stop, const TuneRun& run);

}  // namespace hone::cli
