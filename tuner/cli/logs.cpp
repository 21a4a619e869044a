// `hone logs`: the log of a running scheduler, brought here.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "logs/record_log.h"
#include "tuner/cli/commands.h"
#include "tuner/cli/lab.h"

namespace hone::cli {
namespace {

struct PullFlags {
  LabFlags lab;
  uint64_t job = 0;
  std::string target, output;
};

/// Adds to a log that is there; what it has already stays as it is.
Status pull(const PullFlags& flags, const Output& output) {
  HONE_TRY(const LogDatabase pulled, pull_log(flags.lab, flags.job, flags.target));
  HONE_TRY(RecordLog log, RecordLog::open(flags.output));
  size_t fresh = 0;
  for (const Record& record : pulled.records()) {
    HONE_TRY(const bool is_new, log.append(record));
    fresh += is_new ? 1 : 0;
  }
  HONE_RETURN_IF_ERROR(log.sync());
  HONE_RETURN_IF_ERROR(log.close());
  output.message(
      fmt::format("{}: {} records pulled, {} of them new", flags.output, pulled.records().size(), fresh));
  return {};
}

}  // namespace

void add_logs(CLI::App& app, Context& context) {
  auto flags = std::make_shared<PullFlags>();
  CLI::App* logs = app.add_subcommand("logs", "the log of a running scheduler");
  logs->require_subcommand(1);
  CLI::App* command =
      logs->add_subcommand("pull", "copy a scheduler's records into a log here; again: only what is new");
  add_lab_flags(*command, flags->lab, true);
  command->add_option("-o,--output", flags->output, "the log to make or extend (*.h5)")->required();
  command->add_option("--job", flags->job, "only the records of this job's tasks and target");
  command->add_option("--target", flags->target, "only records of this target, its full text");
  command->callback([flags, &context] {
    const Status status = pull(*flags, context.output);
    if (!status) context.output.error(status.error());
    context.exit_code = status ? kSuccess : kFailure;
  });
}

}  // namespace hone::cli
