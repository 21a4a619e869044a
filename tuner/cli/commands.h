// The commands of `hone`: each lives in an own file and adds itself to the command line. A command's callback
// throws nothing; it stores the exit code in `Context::exit_code`.
#pragma once

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

}  // namespace hone::cli
