// `hone logs`: the log of a running scheduler, brought here, and a log's records for other programs.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <sstream>

#include "codegen/base/output_file.h"
#include "logs/export.h"
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

struct ExportFlags {
  std::string log, output, task, target;
  bool json = false, ok_only = false;
};

Status export_log(const ExportFlags& flags, const Output& output) {
  HONE_TRY(const LogDatabase log, LogDatabase::open(flags.log));
  for (const std::string& warning : log.warnings()) output.warning(warning);
  LogQuery query;
  query.target = flags.target;
  query.ok_only = flags.ok_only;
  if (!flags.task.empty()) {
    auto key = parse_digest(flags.task);
    if (!key) return fail(key.error().what, "--task", key.error().hint);
    query.task_keys = {*key};
  }
  const std::vector<const Record*> records = log.query(query);
  std::ostringstream text;
  (flags.json ? export_json_lines : export_csv)(records, text);
  if (flags.output.empty()) {
    std::istringstream lines(text.str());
    for (std::string line; std::getline(lines, line);) output.data(line);
    return {};
  }
  HONE_RETURN_IF_ERROR(write_file(flags.output, text.str()));
  output.message(fmt::format("{}: {} of {} records", flags.output, records.size(), log.records().size()));
  return {};
}

void add_pull(CLI::App& logs, Context& context) {
  auto flags = std::make_shared<PullFlags>();
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
  command->add_option("log", flags->log, "the log (*.h5)")->required();
  command->add_flag("--json", flags->json, "one JSON object per line, with samples and features");
  command->add_option("-o,--output", flags->output, "the file to write; else they are printed");
  command->add_option("--task", flags->task, "only records of the task with this key");
  command->add_option("--target", flags->target, "only records of this target, its full text");
  command->add_flag("--ok", flags->ok_only, "only measurements that succeeded");
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
