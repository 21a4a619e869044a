// The real hone-scheduler with simulated boards (hone-runner --simulate), a client and a tuner inside the
// test: killed, stopped, started again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <thread>

#include "codegen/base/target.h"
#include "logs/database.h"
#include "measure/transport.h"
#include "tests/system/programs.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TimePoint in(milliseconds time) { return std::chrono::steady_clock::now() + time; }

wire::Bytes bytes_of(const std::string& text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return wire::Bytes(data, data + text.size());
}

/// A tuner on a thread of its own: every candidate is a few bytes that the simulated board takes for an
/// artifact.
class FakeTuner {
 public:
  explicit FakeTuner(std::string endpoint) : endpoint_(std::move(endpoint)), thread_([this] { work(); }) {}
  ~FakeTuner() {
    stop_.notify();
    thread_.join();
  }

 private:
  void work() {
    auto peer = Peer::connect(endpoint_);
    TimePoint heard = in(milliseconds(0)), spoke = heard;
    auto greet = [&] {
      wire::Hello hello;
      hello.role = wire::Role::tuner;
      hello.name = "fake";
      hello.capacity = 2;
      (void)peer->send(hello);
      heard = spoke = std::chrono::steady_clock::now();
    };
    greet();
    const int fds[] = {stop_.fd()};
    while (true) {
      if (!peer->wait(in(milliseconds(50)), fds).ready.empty()) return;
      while (auto received = peer->receive()) {
        heard = std::chrono::steady_clock::now();
        if (!received->message) continue;
        if (const auto* want = std::get_if<wire::Want>(&*received->message))
          for (const wire::Round& round : want->rounds) build(*peer, round);
        // A scheduler that was started anew does not know this tuner.
        if (std::holds_alternative<wire::NotUnderstood>(*received->message)) heard -= milliseconds(2000);
      }
      const auto now = std::chrono::steady_clock::now();
      if (now - heard > milliseconds(1000)) {
        (void)peer->reconnect();
        greet();
      } else if (now - spoke > milliseconds(100)) {
        (void)peer->send(wire::WorkerState{});
        spoke = now;
      }
    }
  }

  static void build(Peer& peer, const wire::Round& round) {
    const std::set<std::string> seen(round.seen.begin(), round.seen.end());
    uint32_t proposed = 0;
    for (uint64_t value = round.seed % 1000; proposed < round.count; value = value * 7 + 13) {
      const std::string parameters = "p=" + std::to_string(value % 100003);
      if (seen.contains("direct " + parameters)) continue;
      wire::Built built;
      built.lease = round.lease;
      built.candidate = {round.task, round.target, "direct", 1, round.ports, parameters, "split"};
      built.trial = round.first_trial + proposed++;
      built.features = {static_cast<float>(value % 100003), 1};
      built.feature_version = 1;
      const std::vector<wire::Bytes> blobs = {bytes_of("artifact " + round.task + parameters),
                                              bytes_of("reference " + round.task)};
      built.artifact = digest_of(std::span<const std::byte>(blobs[0]));
      built.reference = digest_of(std::span<const std::byte>(blobs[1]));
      (void)peer.send(built, blobs);
    }
    (void)peer.send(wire::RoundDone{round.lease, proposed, false, 1});
  }

  std::string endpoint_;
  WakeUp stop_;
  std::thread thread_;
};

/// A client that follows one job, over restarts of the scheduler.
class Client {
 public:
  explicit Client(std::string endpoint) : peer_(*Peer::connect(std::move(endpoint))) { greet(); }
  void submit(const wire::JobRequest& request) { ASSERT_TRUE(peer_.send(request)); }
  void stop() { ASSERT_TRUE(peer_.send(wire::Stop{job_})); }
  void reconnect() {
    ASSERT_TRUE(peer_.reconnect());
    greet();
    if (job_ != 0) (void)peer_.send(wire::Follow{job_});
  }
  /// Until `condition` on the newest event; false after a minute.
  template <class Condition>
  bool until(Condition condition) {
    const TimePoint give_up = in(milliseconds(60000));
    TimePoint heard = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() < give_up) {
      if (auto received = peer_.receive(in(milliseconds(100)))) {
        heard = std::chrono::steady_clock::now();
        if (!received->message) continue;
        if (const auto* accepted = std::get_if<wire::Accepted>(&*received->message)) job_ = accepted->job;
        if (const auto* event = std::get_if<wire::JobEvent>(&*received->message)) event_ = *event;
        if (const auto* refused = std::get_if<wire::NotUnderstood>(&*received->message))
          refused_ = refused->reason;
      } else if (job_ != 0 && std::chrono::steady_clock::now() - heard > milliseconds(2500)) {
        reconnect();
        heard = std::chrono::steady_clock::now();
      }
      if (condition()) return true;
    }
    return false;
  }
  bool ended() {
    return until(
        [&] { return event_.state == "Completed" || event_.state == "Failed" || event_.state == "Stopped"; });
  }
  uint64_t job() const { return job_; }
  const wire::JobEvent& event() const { return event_; }
  const std::string& refused() const { return refused_; }

 private:
  void greet() { ASSERT_TRUE(peer_.send(wire::Hello{})); }
  Peer peer_;
  uint64_t job_ = 0;
  wire::JobEvent event_;
  std::string refused_;
};

class Scheduler : public testing::Test {
 protected:
  std::string endpoint() const { return "ipc://" + (scratch_ / "socket").string(); }
  std::filesystem::path log() const { return scratch_ / "log.h5"; }
  std::unique_ptr<Running> scheduler() {
    return std::make_unique<Running>(
        "hone-scheduler",
        std::vector<std::string>{"--listen", endpoint(), "--log", log(), "--heartbeat-ms", "100", "--loss-ms",
                                 "800", "--settle-trials", "100000"},
        scratch_);
  }
  std::unique_ptr<Running> runner() {
    return std::make_unique<Running>(
        "hone-runner",
        std::vector<std::string>{"--scheduler", endpoint(), "--name", "board", "--simulate", "seed:7"},
        scratch_);
  }
  wire::JobRequest request(uint64_t trials) const {
    wire::JobRequest request;
    request.name = "test";
    request.target = to_text(board_target());
    for (int i = 0; i < 3; ++i) {
      wire::JobTask task;
      task.task = "task v1 number " + std::to_string(i);
      task.summary = "conv " + std::to_string(i);
      task.ports = "x y";
      task.flops = 1e6;
      request.tasks.push_back(task);
    }
    request.max_trials = trials;
    return request;
  }
  /// A target that any board of this machine's architecture fits.
  static Target board_target() {
    Target target = probe_board().target;
    target.features = "";
    target.vector_bits = 128;
    return target;
  }
  std::set<Digest> records() const {
    std::set<Digest> out;
    if (const auto database = LogDatabase::open(log()))
      for (const Record& record : database->records()) out.insert(record_identity(record));
    return out;
  }

  Scratch scratch_;
};

TEST_F(Scheduler, RunsAJobToItsEndAndLeavesOneFile) {
  auto server = scheduler();
  auto board = runner();
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(60));
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 60u);
  server->signal(SIGTERM);
  const Finished finished = server->finish();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(std::filesystem::exists(log()));
  for (const char* left : {".journal", ".jobs", ".jobs.snapshot"})
    EXPECT_FALSE(std::filesystem::exists(log().string() + left)) << left;
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  EXPECT_GE(database->records().size(), 60u + 27u)
      << "the trials, and three finals of three or four candidates of three tasks";
}

TEST_F(Scheduler, ComesBackWithTheSameJobWheneverItIsKilled) {
  auto server = scheduler();
  auto board = runner();
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(2000));
  std::set<Digest> kept;
  for (int kill = 0; kill < 3; ++kill) {
    ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= kept.size() + 40; }));
    ASSERT_TRUE(client.until([&] { return client.job() != 0; }));
    server->signal(SIGKILL);
    EXPECT_EQ(server->finish().exit_code, 128 + SIGKILL);
    const std::set<Digest> now = records();
    for (const Digest& record : kept) EXPECT_TRUE(now.contains(record));
    kept = now;
    server = scheduler();
    client.reconnect();
    ASSERT_TRUE(client.until([&] {
      return client.event().job == client.job() && client.event().trials > kept.size() * 9 / 10;
    })) << client.refused();
  }
  client.stop();
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Stopped");
  server->signal(SIGTERM);
  EXPECT_EQ(server->finish().exit_code, 0);
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  const std::set<Digest> last = records();
  EXPECT_EQ(last.size(), database->records().size()) << "one record per measurement";
  for (const Digest& record : kept) EXPECT_TRUE(last.contains(record));
}

TEST_F(Scheduler, GivesTheWorkOfAKilledBoardToTheNext) {
  auto server = scheduler();
  auto board = runner();
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(400));
  for (int kill = 0; kill < 2; ++kill) {
    const size_t have = records().size();
    ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= have + 20; }));
    board->signal(SIGKILL);
    board->finish();
    board = runner();
  }
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_GE(client.event().trials, 400u);
}

TEST_F(Scheduler, RefusesALogThatIsInUseAndSaysByWhom) {
  auto server = scheduler();
  Client client(endpoint());
  client.submit(request(1));
  ASSERT_TRUE(client.until([&] { return client.job() != 0; }));
  Running second("hone-scheduler", {"--listen", endpoint() + "2", "--log", log()}, scratch_);
  const Finished finished = second.finish();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("the log is in use by another process (process " +
                                      std::to_string(server->pid()) + ")"));
}

TEST_F(Scheduler, SaysWhyItCannotStart) {
  Running no_folder("hone-scheduler", {"--listen", endpoint(), "--log", "/nowhere/log.h5"}, scratch_);
  Finished finished = no_folder.finish();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("cannot be opened for writing"));
  Running no_endpoint("hone-scheduler", {"--listen", "potato", "--log", log()}, scratch_);
  finished = no_endpoint.finish();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("potato"));
}

TEST_F(Scheduler, TellsAClientWhyAJobIsRefused) {
  auto server = scheduler();
  Client client(endpoint());
  wire::JobRequest bad = request(1);
  bad.tasks.clear();
  client.submit(bad);
  ASSERT_TRUE(client.until([&] { return !client.refused().empty(); }));
  EXPECT_THAT(client.refused(), HasSubstr("it has no tasks"));
}

}  // namespace
}  // namespace hone::testing_system
