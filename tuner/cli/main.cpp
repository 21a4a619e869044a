// hone: the command line. Wires the commands together and nothing else.
#include <CLI/CLI.hpp>
#include <sstream>

#include "codegen/base/console.h"
#include "tuner/cli/commands.h"

namespace {

int run(int argc, char** argv) {
  if (const auto code = hone::cli::become_daemon(argc, argv)) return *code;
  CLI::App app{
      "hone makes a trained model run as fast as a board allows, without the framework that trained it.\n"
      "  hone tune MODEL --log LOG.h5             searches the fastest kernel schedules by measuring them\n"
      "  hone build MODEL --log LOG.h5 -o OUT.so  bakes the best ones into one shared object"};
  app.name("hone");
  app.set_version_flag("--version", "hone " HONE_VERSION);
  app.require_subcommand(1);
  hone::cli::Context context;
  // Commands, in the order in which --help lists them.
  hone::cli::add_tune(app, context);
  hone::cli::add_inspect(app, context);
  hone::cli::add_build(app, context);
  hone::cli::add_run(app, context);
  hone::cli::add_bench(app, context);
  hone::cli::add_jobs(app, context);
  hone::cli::add_boards(app, context);
  hone::cli::add_status(app, context);
  hone::cli::add_logs(app, context);
  hone::cli::add_keys(app, context);
  hone::cli::add_daemons(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream help, complaint;
    const int code = app.exit(error, help, complaint);
    hone::print_text(help.str());
    std::istringstream lines(complaint.str());
    for (std::string line; std::getline(lines, line);) hone::say("", line);
    return code == 0 ? hone::cli::kSuccess : hone::cli::kUsage;
  }
  return context.exit_code;
}

}  // namespace

int main(int argc, char** argv) { return hone::run_program("hone", run, argc, argv); }
