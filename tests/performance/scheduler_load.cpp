// How many results a second a real hone-scheduler takes from simulated boards over real sockets. It starts
// the scheduler and `hone-runner --simulate`, plays the tuners itself, and prints rates, processor time and
// memory of each program by itself: the whole path of a result, from its proposal on, about eight messages.
// With --results only the end of that path: one message for a result whose work is leased (result_load.cpp).
// With --reconnect: how long it takes until all boards are back after the scheduler was killed
// (reconnect_load.cpp).
//   scheduler_load [--results [--rate N] | --reconnect [--keys]] [--boards 1,10,100,1000] [--seconds 10]
//   [--tasks 200] [--tcp]
//     [--folder /tmp] [--programs build/release/bin]
#include "tests/performance/load_parts.h"

#include <set>
#include <sstream>

namespace hone::load {
namespace {

void measure(const Options& options, int boards) {
  std::string folder = options.folder + "/hone-load-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) give_up("no temporary folder");
  const std::string endpoint = options.tcp ? "tcp://127.0.0.1:" + std::to_string(20000 + ::getpid() % 20000)
                                           : "ipc://" + folder + "/socket";
  std::ofstream(folder + "/script") << "seed 1\nnoise 0.01\nsamples 10\nspeed 0.8 1.2\n";
  {
    Program scheduler(options.programs + "/hone-scheduler",
                      {"--listen", endpoint, "--log", folder + "/log.h5", "--settle-trials", "1000000",
                       "--round-size", "64", "--worker-wait-ms", "60000"},
                      folder + "/scheduler.out");
    Program simulator(options.programs + "/hone-runner",
                      {"--scheduler", endpoint, "--name", "load", "--simulate", folder + "/script",
                       "--boards", std::to_string(boards)},
                      folder + "/boards.out");
    const double empty_mb = scheduler.memory_mb();
    Tuner tuner(endpoint, 8);
    Client client(endpoint);
    client.submit(options.tasks);
    const auto patience = Clock::now() + std::chrono::seconds(60);
    if (client.results(patience, static_cast<uint64_t>(options.tasks + 2 * boards)) == 0)
      give_up("no result within a minute: see " + folder);
    const TimePoint began = client.at();
    const uint64_t before = client.results(began);
    const double cpu = scheduler.cpu_seconds(), core = scheduler.cpu_seconds(true),
                 others = simulator.cpu_seconds(), tuners = tuner.cpu_seconds();
    const uint64_t after = client.results(began + milliseconds(static_cast<int64_t>(options.seconds * 1000)));
    const double seconds = std::chrono::duration<double>(client.at() - began).count();
    const double results = static_cast<double>(after - before);
    const double busy = scheduler.cpu_seconds() - cpu, busy_core = scheduler.cpu_seconds(true) - core;
    std::printf("| %5d | %7.0f | %5.2f | %5.2f | %5.2f | %5.2f | %5.1f | %6.1f | %6.1f |", boards,
                results / seconds, busy / seconds, busy_core / seconds,
                (simulator.cpu_seconds() - others) / seconds, (tuner.cpu_seconds() - tuners) / seconds,
                busy / results * 1e6, scheduler.memory_mb() - empty_mb, simulator.memory_mb());
    std::fflush(stdout);
    simulator.finish(SIGTERM);
    std::ifstream said(folder + "/boards.out");
    std::string line;
    std::getline(said, line);
    const size_t latency = line.rfind("acknowledged after ");
    std::printf(" %s |\n", latency == std::string::npos ? line.c_str() : line.c_str() + latency + 19);
    std::fflush(stdout);
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hone::load

int main(int argc, char** argv) {
  hone::load::Options options;
  bool results = false, reconnect = false;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--tcp") {
      options.tcp = true;
    } else if (i + 1 < argc && name == "--boards") {
      options.boards.clear();
      std::istringstream list(argv[++i]);
      for (std::string number; std::getline(list, number, ',');)
        options.boards.push_back(std::atoi(number.c_str()));
    } else if (i + 1 < argc && name == "--seconds") {
      options.seconds = std::atof(argv[++i]);
    } else if (i + 1 < argc && name == "--folder") {
      options.folder = argv[++i];
    } else if (i + 1 < argc && name == "--programs") {
      options.programs = argv[++i];
    } else if (name == "--reconnect") {
      reconnect = true;
    } else if (name == "--keys") {
      options.keys = true;
    } else if (name == "--results") {
      results = true;
    } else if (i + 1 < argc && name == "--rate") {
      options.rate = std::atof(argv[++i]);
    } else if (i + 1 < argc && name == "--tasks") {
      options.tasks = std::atoi(argv[++i]);
    } else {
      hone::load::give_up(
          "usage: scheduler_load [--results [--rate N] | --reconnect [--keys]] [--boards 1,10,100,1000] "
          "[--seconds S] [--tasks N] "
          "[--tcp] [--folder DIR] [--programs DIR]");
    }
  }
  if (reconnect) {
    for (const int boards : options.boards) hone::load::measure_reconnects(options, boards);
    return 0;
  }
  std::printf(
      "%s",
      results
          ? "| boards | results/s | scheduler CPUs | of them its loop | generator's CPUs | us of the "
            "scheduler "
            "a result | scheduler MB | KB a board | acknowledged after (inside: median, 99 %) | (seen by the "
            "boards: median, 99 %) |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
          : "| boards | results/s | scheduler CPUs | of them its loop | boards' CPUs | tuner's CPUs | us of "
            "the scheduler a result | scheduler MB | boards MB | acknowledged after |\n| --- | --- | --- | "
            "--- | --- | --- | --- | --- | --- | --- |\n");
  for (const int boards : options.boards)
    results ? hone::load::measure_results(options, boards) : hone::load::measure(options, boards);
  return 0;
}
