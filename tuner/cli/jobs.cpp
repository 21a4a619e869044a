// `hone jobs`: what a running scheduler works on; and the programs of a lab as commands.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "codegen/base/console.h"
#include "tuner/cli/commands.h"
#include "tuner/cli/lab_flags.h"
#include "tuner/cli/progress.h"
#include "tuner/cli/signals.h"
#include "tuner/session/jobs.h"

namespace hone::cli {
namespace {

struct JobFlags {
  session::LabAddress lab;
  uint64_t job = 0;
};

int fail_with(const Error& error, const Output& output) {
  output.error(error);
  return kFailure;
}

std::string row(const wire::JobSummary& job) {
  return fmt::format("{:>8}  {:<10}  {:<8}  {:>8}  {:>8}  {:>7.0f} s  {:>6}  {:>6}  {}{}", job.job, job.state,
                     job.user, job.priority, job.trials, job.seconds, job.boards, job.tuners, job.name,
                     job.reason.empty() ? "" : ": " + job.reason);
}

int list(const JobFlags& flags, const Output& output) {
  const auto jobs = session::jobs(flags.lab);
  if (!jobs) return fail_with(jobs.error(), output);
  output.data(fmt::format("{:>8}  {:<10}  {:<8}  {:>8}  {:>8}  {:>9}  {:>6}  {:>6}  {}", "job", "state",
                          "user", "priority", "trials", "time", "boards", "tuners", "name"));
  for (const wire::JobSummary& job : *jobs) output.data(row(job));
  // A scheduler of protocol 1 does not know this question.
  const auto status = session::scheduler_status(flags.lab);
  if (status && !status->trouble.empty()) output.warning("nothing is acknowledged: " + status->trouble);
  return kSuccess;
}

int describe(const JobFlags& flags, const Output& output) {
  const auto found = session::job(flags.lab, flags.job);
  if (!found) return fail_with(found.error(), output);
  const auto event = session::job_event(flags.lab, flags.job);
  if (!event) return fail_with(event.error(), output);
  const wire::JobSummary& job = *found;
  output.data(fmt::format("job     {} {}: {}{}", job.job, job.name, job.state,
                          job.reason.empty() ? "" : ", " + job.reason));
  for (const wire::JobPart& part : job.parts) output.data("target  " + part.target);
  output.data(fmt::format("board   {}; {} boards and {} tuners now",
                          job.board_model.empty() ? "any that fits" : job.board_model, job.boards,
                          job.tuners));
  output.data(fmt::format("limits  {}, {}",
                          job.max_trials == 0 ? "any trials" : fmt::format("{} trials", job.max_trials),
                          job.max_seconds == 0 ? "any time" : fmt::format("{} s", job.max_seconds)));
  output.data(
      fmt::format("for     {}, priority {}, {:.1f} s of boards{}",
                  job.user.empty() ? "an unknown user" : job.user, job.priority, job.board_ms / 1000,
                  job.require.empty() ? "" : fmt::format("; needs {}", fmt::join(job.require, ", "))));
  if (job.limit_seconds > 0) output.data(fmt::format("limit   {} s in all", job.limit_seconds));
  if (!*event) return kSuccess;
  const wire::JobEvent& now = **event;
  if (!now.trouble.empty()) output.warning(now.trouble);
  if (now.tasks.size() != job.parts.front().tasks.size()) return kSuccess;
  for (const std::string& line : lane_lines(session::parts_of(job), now)) output.data(line);
  for (const std::string& line : failure_lines(now)) output.data(line);
  return kSuccess;
}

int follow(const JobFlags& flags, bool stop, const Output& output) {
  const auto job = session::job(flags.lab, flags.job);
  if (!job) return fail_with(job.error(), output);
  const TunedParts parts = session::parts_of(*job);
  ProgressDisplay display(output, parts);
  const auto tell = [&](const session::TuneNews& news) {
    if (const auto* event = std::get_if<wire::JobEvent>(&news)) return display.show(*event);
    display.clear();
    output.message(news_line(news, flags.lab.scheduler));
  };
  const auto outcome = [&] {
    TerminationSignals signals;
    return session::follow_in_lab(flags.lab, flags.job, stop, tell, interrupt_of(signals));
  }();
  display.clear();
  if (!outcome) return fail_with(outcome.error(), output);
  if (outcome->interrupted) return kInterrupted;
  for (const std::string& line : lane_lines(parts, outcome->last)) output.data(line);
  output.data(fmt::format("job {}: {}{}", flags.job, outcome->last.state,
                          outcome->last.reason.empty() ? "" : ", " + outcome->last.reason));
  return kSuccess;
}

int resume(const JobFlags& flags, const Output& output) {
  const Status resumed = session::resume_job(flags.lab, flags.job);
  if (!resumed) return fail_with(resumed.error(), output);
  output.message(fmt::format("job {} goes on", flags.job));
  return kSuccess;
}

constexpr const char* daemons[] = {"scheduler", "tuner", "runner"};

}  // namespace

void add_jobs(CLI::App& app, Context& context) {
  auto flags = std::make_shared<JobFlags>();
  CLI::App* command = app.add_subcommand(
      "jobs", "create, list, describe, follow, stop or resume the jobs of a running scheduler");
  command->require_subcommand(1);
  using Action = int (*)(const JobFlags&, const Output&);
  const auto add = [&](const char* name, const char* what, bool one, Action action) {
    CLI::App* sub = command->add_subcommand(name, what);
    if (one) sub->add_option("id", flags->job, "of the job")->required()->check(CLI::PositiveNumber);
    add_lab_flags(*sub, flags->lab, true);
    sub->callback([flags, &context, action] { context.exit_code = action(*flags, context.output); });
  };
  add("list", "all jobs", false, list);
  add("describe", "one job: target, limits, tasks", true, describe);
  add("follow", "show a job until it ends; Ctrl-C leaves it running", true,
      [](const JobFlags& job, const Output& output) { return follow(job, false, output); });
  add_job_create(*command, context);
  add("resume", "let a stopped or failed job go on, with what it has measured", true, resume);
  add("stop", "stop a job and wait until it has ended", true,
      [](const JobFlags& job, const Output& output) { return follow(job, true, output); });
}

std::optional<int> become_daemon(int argc, char** argv) {
  for (const std::string name : daemons) {
    if (argc < 2 || name != argv[1]) continue;
    std::error_code ignored;
    const std::string program =
        std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path() / ("hone-" + name);
    argv[1] = const_cast<char*>(program.c_str());
    ::execv(program.c_str(), argv + 1);
    say("hone", program + ": cannot be started: " + std::strerror(errno));
    return kFailure;
  }
  return std::nullopt;
}

void add_daemons(CLI::App& app) {
  for (const char* name : daemons)
    app.add_subcommand(name, "be hone-" + std::string(name) + ", which takes the arguments that follow");
}

}  // namespace hone::cli
