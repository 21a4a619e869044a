// How many results a second a real hone-scheduler takes from simulated boards over real sockets: it starts
// the scheduler and `hone-runner --simulate`, plays the tuners itself, and prints rates, processor time and
// memory of each program by itself.
//   scheduler_load [--boards 1,10,100,1000] [--seconds 10] [--tasks 200] [--tcp]
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "codegen/base/target.h"
#include "measure/transport.h"

namespace hone {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "scheduler_load: %s\n", why.c_str());
  std::exit(1);
}

/// A program of the build; its output goes to `out`.
class Program {
 public:
  Program(const std::string& name, std::vector<std::string> arguments, const std::string& out) {
    const std::string file = std::string(HONE_BINARY_DIR) + "/bin/" + name;
    std::vector<char*> argv = {const_cast<char*>(file.c_str())};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int output = ::open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
      ::dup2(output, 1);
      ::dup2(output, 2);
      ::execv(file.c_str(), argv.data());
      ::_exit(127);
    }
  }
  ~Program() { finish(SIGKILL); }
  void finish(int signal) {
    if (pid_ <= 0) return;
    ::kill(pid_, signal);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  pid_t pid() const { return pid_; }
  /// Processor time so far, of all threads; of the main thread alone.
  double cpu_seconds(bool main_only = false) const {
    const std::string folder = "/proc/" + std::to_string(pid_);
    std::ifstream file(folder + (main_only ? "/task/" + std::to_string(pid_) + "/stat" : "/stat"));
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream rest(text.substr(std::min(text.size(), text.rfind(')') + 2)));
    std::string skipped;
    for (int i = 0; i < 11; ++i) rest >> skipped;
    double user = 0, system = 0;
    rest >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  double memory_mb() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("VmRSS:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
    return 0;
  }

 private:
  pid_t pid_ = -1;
};

wire::Bytes bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return wire::Bytes(data, data + text.size());
}

constexpr uint32_t features = 64;

/// Answers every round at once with candidates of a real one's size, but for the artifact's bytes.
class Tuner {
 public:
  Tuner(std::string endpoint, uint32_t rounds)
      : endpoint_(std::move(endpoint)), rounds_(rounds), thread_([this] { work(); }) {}
  ~Tuner() {
    stop_.notify();
    thread_.join();
  }
  double cpu_seconds() const { return static_cast<double>(cpu_ns_.load()) / 1e9; }

 private:
  void work() {
    auto peer = Peer::connect(endpoint_);
    if (!peer) give_up(peer.error().text());
    wire::Hello hello;
    hello.role = wire::Role::tuner;
    hello.name = "load";
    hello.capacity = rounds_;
    (void)peer->send(hello);
    TimePoint spoke = Clock::now();
    std::vector<wire::LeaseRef> held;
    const int fds[] = {stop_.fd()};
    while (peer->wait(Clock::now() + milliseconds(100), fds).ready.empty()) {
      while (auto received = peer->receive()) {
        if (!received->message) continue;
        if (const auto* want = std::get_if<wire::Want>(&*received->message))
          for (const wire::Round& round : want->rounds) build(*peer, round);
      }
      if (Clock::now() - spoke > milliseconds(200)) {
        (void)peer->send(wire::WorkerState{});
        spoke = Clock::now();
      }
      timespec time;
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
      cpu_ns_ = time.tv_sec * 1000000000ll + time.tv_nsec;
    }
  }

  static void send(Peer& peer, const wire::Message& message, std::span<const wire::Bytes> blobs = {}) {
    while (!peer.send(message, blobs)) std::this_thread::yield();  // the queue is full: the scheduler is busy
  }

  static void build(Peer& peer, const wire::Round& round) {
    const std::string reference = "reference " + round.task;
    for (uint32_t i = 0; i < round.count; ++i) {
      wire::Built built;
      built.lease = round.lease;
      built.trial = round.first_trial + i;
      const std::string parameters = "oc_tile=2 ow_tile=14 ic_block=16 n=" + std::to_string(built.trial);
      built.candidate = {round.task, round.target,         "direct", 1, round.ports,
                         parameters, std::string(300, 's')};
      built.features.assign(features, static_cast<float>(built.trial));
      built.feature_version = 1;
      std::vector<wire::Bytes> blobs = {bytes_of("artifact " + round.task + parameters)};
      built.artifact = digest_of(std::span<const std::byte>(blobs[0]));
      built.reference = digest_of(reference);
      if (built.trial == 0) blobs.push_back(bytes_of(reference));
      send(peer, built, blobs);
    }
    send(peer, wire::RoundDone{round.lease, round.count, false, 1});
  }

  std::string endpoint_;
  uint32_t rounds_;
  std::atomic<long long> cpu_ns_ = 0;
  WakeUp stop_;
  std::thread thread_;
};

struct Options {
  std::vector<int> boards = {1, 10, 100, 1000};
  double seconds = 10;
  int tasks = 200;
  bool tcp = false;
};

/// Committed results so far, as the scheduler tells those who follow the job.
class Client {
 public:
  Client(const std::string& endpoint, int tasks) : peer_(*Peer::connect(endpoint)) {
    (void)peer_.send(wire::Hello{});
    wire::JobRequest request;
    request.name = "load";
    Target target = probe_board().target;
    target.features = "";
    target.vector_bits = 128;
    request.target = to_text(target);
    for (int i = 0; i < tasks; ++i) {
      wire::JobTask task;
      task.task = "task v1 number " + std::to_string(i) + " " + std::string(500, 't');
      task.summary = "conv3x3 " + std::to_string(i);
      task.ports = "x NCHW16 y NCHW16";
      task.flops = 1e6;
      request.tasks.push_back(task);
    }
    request.max_trials = 100000000;
    (void)peer_.send(request);
  }
  /// Waits until `deadline`, or until so many.
  uint64_t results(TimePoint deadline, uint64_t enough = UINT64_MAX) {
    while (candidates_ < enough) {
      auto received = peer_.receive(deadline);
      if (!received) break;
      if (!received->message) continue;
      if (const auto* event = std::get_if<wire::JobEvent>(&*received->message)) {
        candidates_ = event->trials;
        at_ = Clock::now();
      }
      if (const auto* refused = std::get_if<wire::NotUnderstood>(&*received->message))
        give_up(refused->reason);
    }
    return candidates_;
  }
  TimePoint at() const { return at_; }

 private:
  Peer peer_;
  uint64_t candidates_ = 0;
  TimePoint at_;
};

void measure(const Options& options, int boards) {
  std::string folder = "/tmp/hone-load-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) give_up("no temporary folder");
  const std::string endpoint = options.tcp ? "tcp://127.0.0.1:" + std::to_string(20000 + ::getpid() % 20000)
                                           : "ipc://" + folder + "/socket";
  std::ofstream(folder + "/script") << "seed 1\nnoise 0.01\nsamples 10\nspeed 0.8 1.2\n";
  {
    Program scheduler("hone-scheduler",
                      {"--listen", endpoint, "--log", folder + "/log.h5", "--settle-trials", "1000000",
                       "--round-size", "64", "--worker-wait-ms", "60000"},
                      folder + "/scheduler.out");
    Program simulator("hone-runner",
                      {"--scheduler", endpoint, "--name", "load", "--simulate", folder + "/script",
                       "--boards", std::to_string(boards)},
                      folder + "/boards.out");
    const double empty_mb = scheduler.memory_mb();
    Tuner tuner(endpoint, 8);
    Client client(endpoint, options.tasks);
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
}  // namespace hone

int main(int argc, char** argv) {
  hone::Options options;
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
    } else if (i + 1 < argc && name == "--tasks") {
      options.tasks = std::atoi(argv[++i]);
    } else {
      hone::give_up("usage: scheduler_load [--boards 1,10,100,1000] [--seconds S] [--tasks N] [--tcp]");
    }
  }
  std::printf(
      "| boards | results/s | scheduler CPUs | of them its loop | boards' CPUs | tuner's CPUs | us of the "
      "scheduler a "
      "result | scheduler MB | boards MB | acknowledged after |\n| --- | --- | --- | --- | --- | --- | --- | "
      "--- | "
      "--- | --- |\n");
  for (const int boards : options.boards) hone::measure(options, boards);
  return 0;
}
