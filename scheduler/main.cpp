// hone-scheduler: reads the command line and serves. Messages go to stderr, one line each.
#include <CLI/CLI.hpp>

#include "codegen/base/console.h"
#include "scheduler/shell.h"

namespace {

int run(int argc, char** argv) {
  using std::chrono::milliseconds;
  hone::scheduler::ShellOptions options;
  hone::scheduler::Settings& settings = options.settings;
  std::string log, key, keys;
  bool quiet = false;
  int64_t heartbeat = settings.heartbeat.count(), lease = settings.lease.count(),
          loss = settings.loss.count(), wait = settings.worker_wait.count(),
          abandon = settings.abandon.count(), check = settings.check.count(),
          backoff = settings.backoff.count(), backoff_most = settings.backoff_most.count(),
          run = settings.run.count();
  CLI::App app("Central part of hone: keeps jobs and records, deals work out to tuners and boards.");
  app.add_option("--listen", options.listen, "endpoint: ipc://PATH or tcp://ADDRESS:PORT")->required();
  app.add_option("--log", log, "the log, FILE.h5: created if it is not there")->required();
  app.add_option("--transfer", options.transfer, "other logs to learn from: they are read, never written");
  app.add_option("--key", key, "this scheduler's secret key, NAME.key of hone keygen: needed off loopback");
  app.add_option("--keys", keys, "the list of keys that may come in, and their roles (hone keys add)");
  app.add_option("--heartbeat-ms", heartbeat, "how often a worker speaks at least")
      ->check(CLI::Range(10, 60000));
  app.add_option("--loss-ms", loss, "a worker that was silent for longer is lost")
      ->check(CLI::Range(30, 600000));
  app.add_option("--lease-ms", lease, "a lease that its holder does not name for longer is lost")
      ->check(CLI::Range(30, 600000));
  app.add_option("--check-ms", check, "deadline of a board's health check")->check(CLI::Range(10, 600000));
  app.add_option("--backoff-ms", backoff, "first time that a faulty board is left alone; it doubles")
      ->check(CLI::Range(10, 600000));
  app.add_option("--backoff-most-ms", backoff_most, "longest such time")->check(CLI::Range(10, 86400000));
  const CLI::Option* given_wait =
      app.add_option(
             "--worker-wait-ms", wait,
             "a job without a board or a tuner fails after this; default 30 minutes, 1 with --abandon-ms")
          ->check(CLI::Range(10, 86400000));
  app.add_option("--abandon-ms", abandon, "a job that no client follows for that long is stopped; 0: never")
      ->check(CLI::Range(0, 86400000));
  app.add_option("--run-ms", run, "a candidate that runs for longer on its board is stopped")
      ->check(CLI::Range(10, 3600000));
  app.add_option("--round-size", settings.round_size, "candidates of one round")->check(CLI::Range(1, 256));
  app.add_option("--prefetch", settings.prefetch, "measurements that a board holds at once")
      ->check(CLI::Range(1u, static_cast<uint32_t>(hone::wire::Limits::leases)));
  app.add_option("--artifacts", settings.artifact_count, "how many built candidates are kept at most")
      ->check(CLI::Range(16, 10000000));
  app.add_option("--settle-trials", settings.settle_trials,
                 "trials without an improvement that finish a task")
      ->check(CLI::Range(1, 1000000));
  app.add_option("--finalists", settings.finalists, "candidates measured again at the end of a task")
      ->check(CLI::Range(0, 64));
  app.add_option("--repetitions", settings.repetitions, "of each finalist")->check(CLI::Range(0, 64));
  app.add_flag("--quiet", quiet, "no messages but errors");
  CLI11_PARSE(app, argc, argv);
  options.log = log;
  settings.run = milliseconds(run);
  settings.heartbeat = milliseconds(heartbeat);
  settings.lease = milliseconds(lease);
  settings.loss = milliseconds(loss);
  // A board of a lab may need minutes to come back; a private scheduler's workers are there or broken.
  if (given_wait->count() == 0 && abandon == 0) wait = 30 * 60 * 1000;
  settings.worker_wait = milliseconds(wait);
  settings.abandon = milliseconds(abandon);
  settings.check = milliseconds(check);
  settings.backoff = milliseconds(backoff);
  settings.backoff_most = milliseconds(backoff_most);
  if (!quiet) options.note = [](const std::string& line) { hone::say("hone-scheduler", line); };
  auto found = hone::hub_keys(key, keys);
  if (found) options.transport.keys = std::move(*found);
  const hone::Status status =
      found ? hone::scheduler::serve(options) : hone::Status(hone::pass(found.error()));
  if (status) return 0;
  hone::say("hone-scheduler", status.error().text());
  return 2;
}

}  // namespace

int main(int argc, char** argv) { return hone::run_program("hone-scheduler", run, argc, argv); }
