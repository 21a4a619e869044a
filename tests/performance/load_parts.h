// What the load generators have in common: programs with their processor time, a tuner and a client.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "codegen/base/target.h"
#include "measure/transport.h"

namespace hone::load {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

/// Says why on stderr and ends the program.
[[noreturn]] inline void give_up(const std::string& why) {
  std::fprintf(stderr, "scheduler_load: %s\n", why.c_str());
  std::exit(1);
}

/// A program of a build; its output goes to `out`.
class Program {
 public:
  Program(const std::string& file, std::vector<std::string> arguments, const std::string& out) {
    std::vector<char*> argv = {const_cast<char*>(file.c_str())};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      const int output = ::open(out.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600);
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing is left behind by one that is stopped
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
    double sum = 0;
    std::error_code gone;
    for (const auto& thread :
         std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task", gone)) {
      if (main_only && thread.path().filename() != std::to_string(pid_)) continue;
      double nanoseconds = 0;
      std::ifstream(thread.path() / "schedstat") >> nanoseconds;
      sum += nanoseconds * 1e-9;
    }
    return sum;
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

inline wire::Bytes bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return wire::Bytes(data, data + text.size());
}

inline constexpr uint32_t features = 64;

/// Answers every round at once with candidates of a real one's size, but for the artifact's bytes.
class Tuner {
 public:
  Tuner(std::string endpoint, uint32_t rounds, TransportOptions transport = {})
      : endpoint_(std::move(endpoint)),
        rounds_(rounds),
        transport_(std::move(transport)),
        thread_([this] { work(); }) {}
  ~Tuner() {
    stop_.notify();
    thread_.join();
  }
  /// Rounds that come from now on wait until go_on().
  void pause() { paused_ = true; }
  void go_on() { paused_ = false; }
  double cpu_seconds() const { return static_cast<double>(cpu_ns_.load()) / 1e9; }

 private:
  void work() {
    auto peer = Peer::connect(endpoint_, transport_);
    if (!peer) give_up(peer.error().text());
    wire::Hello hello;
    hello.role = wire::Role::tuner;
    hello.name = "load";
    hello.capacity = rounds_;
    (void)peer->send(hello);
    TimePoint spoke = Clock::now();
    std::vector<wire::Round> waiting;
    const int fds[] = {stop_.fd()};
    while (peer->wait(Clock::now() + milliseconds(10), fds).ready.empty()) {
      while (auto received = peer->receive()) {
        if (!received->message) continue;
        if (auto* want = std::get_if<wire::Want>(&*received->message))
          std::move(want->rounds.begin(), want->rounds.end(), std::back_inserter(waiting));
      }
      if (!paused_)
        for (const wire::Round& round : std::exchange(waiting, {})) build(*peer, round);
      if (Clock::now() - spoke > milliseconds(200)) {
        wire::WorkerState state;
        for (const wire::Round& round : waiting) state.leases.push_back(round.lease);
        (void)peer->send(state);
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
    // After a restart of the scheduler what waited for a board is built again.
    const auto* again = std::get_if<wire::Rebuild>(&round.asks);
    const auto* asked = std::get_if<wire::Propose>(&round.asks);
    const size_t count = again != nullptr ? again->candidates.size() : asked != nullptr ? asked->count : 0;
    for (size_t i = 0; i < count; ++i) {
      wire::Built built;
      built.lease = round.lease;
      built.trial = (asked != nullptr ? asked->first_trial : 0) + i;
      std::string parameters = "oc_tile=2 ow_tile=14 ic_block=16 n=" + std::to_string(built.trial);
      built.candidate = {round.task, round.target,         "direct", 1, round.ports,
                         parameters, std::string(300, 's')};
      if (again != nullptr) built.candidate = again->candidates[i];
      parameters = built.candidate.parameters;
      built.features.assign(features, static_cast<float>(built.trial));
      built.feature_version = 1;
      std::vector<wire::Bytes> blobs = {bytes_of("artifact " + round.task + parameters)};
      built.artifact = digest_of(std::span<const std::byte>(blobs[0]));
      built.reference = digest_of(reference);
      if (built.trial == 0 || (again != nullptr && i == 0)) blobs.push_back(bytes_of(reference));
      send(peer, built, blobs);
    }
    send(peer, wire::RoundDone{round.lease, asked != nullptr ? asked->count : 0, false, 1});
  }

  std::string endpoint_;
  uint32_t rounds_;
  TransportOptions transport_;
  std::atomic<long long> cpu_ns_ = 0;
  std::atomic<bool> paused_ = false;
  WakeUp stop_;
  std::thread thread_;
};

struct Options {
  std::vector<int> boards = {1, 10, 100, 1000};
  double seconds = 10;
  int tasks = 200;
  bool tcp = false;
  bool keys = false;            ///< --reconnect: over TCP with keys, all boards with one
  std::string folder = "/tmp";  ///< where log and socket lie
  std::string programs =
      HONE_BINARY_DIR "/bin";  ///< where scheduler and runner are; of another build to compare
  double rate = 0;  ///< results a second that boards of the results' path send; 0: as many as they can
};

/// Committed results so far, as the scheduler tells those who follow the job.
class Client {
 public:
  explicit Client(const std::string& endpoint, TransportOptions transport = {})
      : peer_(*Peer::connect(endpoint, std::move(transport))) {
    (void)peer_.send(wire::Hello{});
  }
  void submit(int tasks) {
    wire::JobRequest request;
    request.name = "load";
    Target target = probe_board().target;
    target.features = "";
    target.vector_bits = 128;
    request.parts[0].target = to_text(target);
    for (int i = 0; i < tasks; ++i) {
      wire::JobTask task;
      task.task = "task v1 number " + std::to_string(i) + " " + std::string(500, 't');
      task.summary = "conv3x3 " + std::to_string(i);
      task.ports = "x NCHW16 y NCHW16";
      task.flops = 1e6;
      request.parts[0].tasks.push_back(task);
    }
    request.max_trials = 100000000;
    (void)peer_.send(request);
  }
  /// Goes on with a job that another client submitted.
  void follow(uint64_t job) { (void)peer_.send(wire::Follow{job}); }
  uint64_t job() const { return job_; }
  wire::SchedulerStatus status() {
    (void)peer_.send(wire::AskStatus{});
    const TimePoint patience = Clock::now() + std::chrono::seconds(20);
    while (auto received = peer_.receive(patience))
      if (received->message)
        if (const auto* status = std::get_if<wire::SchedulerStatus>(&*received->message)) return *status;
    give_up("the scheduler does not say how it is");
  }
  /// Waits until `deadline`, or until so many.
  uint64_t results(TimePoint deadline, uint64_t enough = UINT64_MAX) {
    while (candidates_ < enough) {
      auto received = peer_.receive(deadline);
      if (!received) break;
      if (!received->message) continue;
      if (const auto* event = std::get_if<wire::JobEvent>(&*received->message)) {
        candidates_ = event->trials;
        job_ = event->job;
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
  uint64_t candidates_ = 0, job_ = 0;
  TimePoint at_;
};

/// The path in which a result is one message: see result_load.cpp. Prints a row.
void measure_results(const Options& options, int boards);
/// All boards come back at once: see reconnect_load.cpp. Prints rows.
void measure_reconnects(const Options& options, int boards);

}  // namespace hone::load
