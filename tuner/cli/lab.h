// Talking to a scheduler that runs elsewhere: where it is, with which key, and a job followed there. Closing
// a client never stops a job.
#pragma once

#include <functional>
#include <string>

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
/// The keys in the files that the flags name.
Result<TransportOptions> lab_transport(const LabFlags& flags);

/// One question and its answer. Errors: a refusal, an answer of another kind, or none in time.
Result<wire::Message> ask(const LabFlags& flags, const wire::Message& question);

/// Submits the run's job and follows it to its end. Ctrl-C detaches: the job goes on (`interrupted`). Errors:
/// no scheduler answers, it refuses, or the job failed.
Result<TuneOutcome> run_in_lab(const LabFlags& flags, const TuneRun& run);
/// The same for a job that is there; `stop` asks for it to be stopped first.
Result<TuneOutcome> follow_in_lab(const LabFlags& flags, uint64_t job, bool stop, const TuneRun& run);

}  // namespace hone::cli
