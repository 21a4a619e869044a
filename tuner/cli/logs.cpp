// `hone logs`: the log of a running scheduler, brought here, and a log's records for other programs.
#include "tuner/session/logs.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <sstream>

#include "codegen/base/output_file.h"
#include "tuner/cli/commands.h"
#include "tuner/cli/lab_flags.h"

namespace hone::cli {
namespace {

Status pull(const session::PullRequest& request, const Output& output) {
  HONE_TRY(const session::Pulled pulled, session::pull(request));
  output.message(
      fmt::format("{}: {} records pulled, {} of them new", request.output, pulled.records, pulled.fresh));
  return {};
}

struct ExportFlags {
  session::ExportRequest request;
  std::string output;
};

Status export_log(const ExportFlags& flags, const Output& output) {
  HONE_TRY(const session::Exported exported, session::export_log(flags.request));
  for (const std::string& warning : exported.warnings) output.warning(warning);
  if (flags.output.empty()) {
    std::istringstream lines(exported.text);
    for (std::string line; std::getline(lines, line);) output.data(line);
    return {};
  }
  HONE_RETURN_IF_ERROR(write_file(flags.output, exported.text));
  output.message(fmt::format("{}: {} of {} records", flags.output, exported.records, exported.of));
  return {};
}

void add_pull(CLI::App& logs, Context& context) {
  auto flags = std::make_shared<session::PullRequest>();
  CLI::App* command =
      logs.add_subcommand("pull", "copy a scheduler's records into a log here; again: only what is new");
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

void add_export(CLI::App& logs, Context& context) {
  auto flags = std::make_shared<ExportFlags>();
  CLI::App* command = logs.add_subcommand(
      "export", "a log's records for other programs: a table (CSV, a column for each quantity), or all values (JSON)");
  command->add_option("log", flags->request.log, "the log (*.h5)")->required();
  command->add_flag("--json", flags->request.json, "one JSON object per line, with samples and features");
  command->add_option("-o,--output", flags->output, "the file to write; else they are printed");
  command->add_option("--task", flags->request.task, "only records of the task with this key");
  command->add_option("--target", flags->request.target, "only records of this target, its full text");
  command->add_flag("--ok", flags->request.ok_only, "only measurements that succeeded");
  command->callback([flags, &context] {
    const Status status = export_log(*flags, context.output);
    if (!status) context.output.error(status.error());
    context.exit_code = status ? kSuccess : kFailure;
  });
}

}  // namespace

void add_logs(CLI::App& app, Context& context) {
  CLI::App* logs = app.add_subcommand("logs", "the records of a scheduler or of a log");
  logs->require_subcommand(1);
  add_pull(*logs, context);
  add_export(*logs, context);
}

}  // namespace hone::cli
