// The commands of `hone`: each lives in an own file and adds itself to the command line. A command's callback
// throws nothing; it stores the exit code in `Context::exit_code`.
#pragma once

#include <optional>

#include "tuner/cli/output.h"

namespace CLI {
class App;
}

namespace hone::cli {

/// What every command is given.
struct Context {
  Output output;
  int exit_code = 0;
};

/// Exit codes, the same for all commands. Interrupted by Ctrl-C: 130.
enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,      ///< what was asked for could not be done; the message says why
  kUsage = 2,        ///< the command line is wrong
  kUnsupported = 3,  ///< the model is fine, but uses something that hone does not cover; each is listed
  kWrongResult = 4,  ///< a check against the reference failed: nothing was written
  kInterrupted = 130,
};

void add_inspect(CLI::App& app, Context& context);
void add_build(CLI::App& app, Context& context);
void add_run(CLI::App& app, Context& context);
void add_bench(CLI::App& app, Context& context);
void add_tune(CLI::App& app, Context& context);
void add_keys(CLI::App& app, Context& context);
void add_jobs(CLI::App& app, Context& context);
void add_boards(CLI::App& app, Context& context);
void add_status(CLI::App& app, Context& context);
void add_logs(CLI::App& app, Context& context);
/// `hone jobs create`: `hone tune --scheduler ... --detach`.
void add_job_create(CLI::App& jobs, Context& context);

/// `hone scheduler|tuner|runner ...` is hone-scheduler, hone-tuner or hone-runner beside this program:
/// becomes it if the first argument says so. Returns an exit code only if that failed.
std::optional<int> become_daemon(int argc, char** argv);
/// Their lines in --help.
void add_daemons(CLI::App& app);

}  // namespace hone::cli
