// hone-tuner: fills rounds for a scheduler. Wires the options and nothing else.
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "codegen/base/console.h"
#include "tuner/worker/builder.h"
#include "tuner/worker/tuner.h"

namespace {

int usable_cores() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

int run(int argc, char** argv) {
  CLI::App app{
      "hone-tuner proposes kernel candidates for the tasks a scheduler leases to it, and compiles them."};
  hone::TunerOptions options;
  std::string key, server_key;
  bool builder = false;
  int timeout_ms = 20000;
  auto* scheduler = app.add_option("--scheduler", options.scheduler,
                                   "endpoint of the scheduler, e.g. ipc:///run/hone.sock");
  app.add_option("--key", key, "this tuner's secret key, NAME.key of hone keygen: needed off loopback");
  app.add_option("--server-key", server_key, "the scheduler's public key, NAME.pub");
  app.add_option("--jobs", options.builders.processes,
                 "candidates to compile at once (default: one a core it may use)")
      ->check(CLI::Range(1, 256));
  app.add_option("--idle-cores", options.builders.idle_cores,
                 "compile on these cores as well while nothing else runs there, one candidate each: e.g. the "
                 "core that a runner on this machine measures on")
      ->delimiter(',')
      ->check(CLI::Range(0, CPU_SETSIZE - 1));
  app.add_option("--name", options.name, "as it shows in records");
  app.add_option("--build-timeout-ms", timeout_ms, "a candidate that compiles longer is given up")
      ->check(CLI::Range(10, 3600000));
  app.add_flag("--builder", builder, "(internal) serve the tuner on descriptor 3")
      ->group("")
      ->excludes(scheduler);
  options.builders.processes = usable_cores();
  options.name = "tuner-" + std::to_string(getpid());
  CLI11_PARSE(app, argc, argv);
  if (builder) return hone::run_builder(3);
  if (options.scheduler.empty()) {
    hone::say("hone-tuner", "error: --scheduler is missing");
    return 2;
  }
  std::error_code ignored;
  options.builders.program = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  options.builders.build_timeout = std::chrono::milliseconds(timeout_ms);
  auto keys = hone::peer_keys(key, server_key);
  if (keys) options.transport.keys = std::move(*keys);
  const hone::Status status = keys ? hone::run_tuner(options) : hone::Status(hone::pass(keys.error()));
  if (!status) {
    hone::say("hone-tuner", "error: " + status.error().text());
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return hone::run_program("hone-tuner", run, argc, argv); }
