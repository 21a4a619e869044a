// Peers of a real scheduler that live inside a test: a tuner whose candidates are a few bytes, a client that
// follows a job over restarts, and a simulated board that keeps what was acknowledged.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <set>
#include <thread>

#include "devices/simulated_board.h"
#include "measure/transport.h"
#include "tests/system/programs.h"

namespace hone::testing_system {

TimePoint in(std::chrono::milliseconds time);
wire::Bytes bytes_of(const std::string& text);
/// Three tasks for any board of this machine's architecture.
wire::JobRequest request(uint64_t trials);
/// Identities of all records that the log holds durably now.
std::set<Digest> records_of(const std::filesystem::path& log);

/// A tuner on a thread of its own: every candidate is a few bytes that the simulated board takes for an
/// artifact, or what `build` gives for (task, number of the trial): artifact and reference.
class FakeTuner {
 public:
  using Build = std::function<std::pair<wire::Bytes, wire::Bytes>(const wire::Round&, uint64_t trial)>;
  explicit FakeTuner(std::string endpoint, Build build = {}, TransportOptions options = {});
  ~FakeTuner();

 private:
  void work();
  void build(Peer& peer, const wire::Round& round);
  std::string endpoint_;
  Build build_;
  TransportOptions options_;
  WakeUp stop_;
  std::thread thread_;
};

/// A client that follows one job, over restarts of the scheduler.
class Client {
 public:
  explicit Client(std::string endpoint, TransportOptions options = {});
  /// With a token it is submitted again after a reconnect, if it was not accepted.
  void submit(const wire::JobRequest& request) {
    request_ = request;
    ASSERT_TRUE(peer_.send(request));
  }
  void stop() { ASSERT_TRUE(peer_.send(wire::Stop{job_})); }
  void reconnect();
  /// Until `condition` on the newest event; false after three minutes.
  bool until(const std::function<bool()>& condition);
  bool ended();
  uint64_t job() const { return job_; }
  const wire::JobEvent& event() const { return event_; }
  const std::string& refused() const { return refused_; }

 private:
  void greet() { ASSERT_TRUE(peer_.send(wire::Hello{})); }
  Peer peer_;
  uint64_t job_ = 0;
  wire::JobRequest request_;
  wire::JobEvent event_;
  std::string refused_;
};

/// A simulated board on a thread of its own that remembers which results were acknowledged.
class Witness {
 public:
  Witness(std::string endpoint, const std::string& script);
  ~Witness();
  std::set<Digest> acknowledged() const;

 private:
  void work();
  RunnerOptions options_;
  SimulationScript script_;
  mutable std::mutex mutex_;
  std::set<Digest> sent_, acknowledged_;
  WakeUp stop_;
  std::thread thread_;
};

}  // namespace hone::testing_system
