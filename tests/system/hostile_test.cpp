// Peers that mean harm or are broken: results that come twice, late and in any order, well-formed nonsense of
// every kind, and everything that may come to a door with keys. A job goes on beside them and is not
// disturbed; each refused attempt is counted where a person sees it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

/// A runner whose network doubles, delays and reorders what it says: each result comes only after several
/// later ones, twice, and again after it was acknowledged, some under an epoch that is over. Its connection
/// is thrown away now and then, with everything held back.
class DisorderlyRunner {
 public:
  explicit DisorderlyRunner(std::string endpoint)
      : endpoint_(std::move(endpoint)), thread_([this] { work(); }) {}
  ~DisorderlyRunner() {
    stop_.notify();
    thread_.join();
  }
  std::set<Digest> acknowledged() const {
    std::lock_guard lock(mutex_);
    return acknowledged_;
  }
  uint64_t said_twice() const { return said_twice_; }

 private:
  void greet(Peer& peer) {
    wire::Hello hello;
    hello.role = wire::Role::runner;
    hello.name = "disorderly";
    Board board = probe_board();
    board.id = "disorderly";
    hello.board = to_text(board);
    hello.capacity = 8;
    hello.instance = 77;
    (void)peer.send(hello);
  }
  void say(Peer& peer, const wire::Measured& measured) {
    (void)peer.send(measured);
    (void)peer.send(measured);
    ++said_twice_;
    wire::Measured old = measured;  // as if it had been leased before
    if (old.lease.epoch > 1) --old.lease.epoch;
    (void)peer.send(old);
  }
  void take(Peer& peer, const wire::Want& want) {
    held_.assign(want.leases.begin(), want.leases.end());
    for (const wire::MeasureRequest& request : want.measurements) {
      wire::Measured measured;
      measured.lease = request.lease;
      measured.id = request.id;
      measured.measurement.samples_ns = {1e5, 1e5, 1.1e5, 1e5, 1e5};
      measured.check_ms = measured.run_ms = 1;
      waiting_.push_back(measured);
    }
    std::shuffle(waiting_.begin(), waiting_.end(), random_);
    while (waiting_.size() > 2) {  // the rest waits for later ones
      say(peer, waiting_.back());
      past_.push_back(waiting_.back());
      waiting_.pop_back();
    }
    if (!past_.empty()) say(peer, past_[random_() % past_.size()]);
  }
  void work() {
    auto peer = Peer::connect(endpoint_);
    greet(*peer);
    const int fds[] = {stop_.fd()};
    for (int turn = 1; peer->wait(in(milliseconds(30)), fds).ready.empty(); ++turn) {
      while (auto received = peer->receive()) {
        if (!received->message) continue;
        if (const auto* want = std::get_if<wire::Want>(&*received->message)) take(*peer, *want);
        if (const auto* committed = std::get_if<wire::Committed>(&*received->message)) {
          std::lock_guard lock(mutex_);
          acknowledged_.insert(committed->ids.begin(), committed->ids.end());
        }
      }
      if (turn % 20 == 0) {
        (void)peer->reconnect();
        greet(*peer);
        for (const wire::Measured& measured : waiting_) (void)peer->send(measured);  // before it is welcomed
      }
      wire::WorkerState state;
      state.leases = held_;
      (void)peer->send(state);
      // The last ones have nothing to wait for.
      if (turn % 7 == 0 && !waiting_.empty()) {
        say(*peer, waiting_.front());
        past_.push_back(waiting_.front());
        waiting_.erase(waiting_.begin());
      }
    }
  }

  std::string endpoint_;
  std::mt19937 random_{5};
  std::vector<wire::LeaseRef> held_;
  std::vector<wire::Measured> waiting_, past_;
  mutable std::mutex mutex_;
  std::set<Digest> acknowledged_;
  std::atomic<uint64_t> said_twice_{0};
  WakeUp stop_;
  std::thread thread_;
};

class Hostile : public Rig {
 protected:
  nlohmann::json status(std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"status", "--json"};
    if (more.empty()) more = {"--scheduler", endpoint()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Finished shown = hone(arguments, scratch_);
    EXPECT_EQ(shown.exit_code, 0) << shown.err;
    return shown.exit_code == 0 ? nlohmann::json::parse(shown.last_line()) : nlohmann::json();
  }
};

TEST_F(Hostile, ResultsThatComeTwiceLateAndInAnyOrderAreCommittedOnce) {
  auto server = scheduler();
  DisorderlyRunner board(endpoint());
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(200));
  ASSERT_TRUE(client.ended()) << scheduler_said();
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 200u);
  EXPECT_GT(board.said_twice(), 200u);
  const std::set<Digest> acknowledged = board.acknowledged();
  expect_sound(*server);
  const std::set<Digest> kept = records();
  for (const Digest& id : acknowledged) EXPECT_TRUE(kept.contains(id)) << "acknowledged and lost";
}

/// Every message of today, with leases, jobs and digests that are not the sender's.
std::vector<wire::Message> nonsense(uint64_t number) {
  const std::string text(number % 3 == 0 ? 70000 : 5, 'x');
  const wire::LeaseRef lease{(uint64_t{1} << 32) + number % 50, (uint64_t{1} << 32) + number % 90};
  wire::Built built;
  built.lease = lease;
  built.candidate = {text, text, "direct", 1, text, "p=1", text};
  built.artifact = digest_of("another");
  wire::Measured measured;
  measured.lease = lease;
  measured.id = text;
  measured.measurement.samples_ns = {-1, 0, 1e300};
  wire::WorkerState state;
  state.leases.assign(number % 4096, lease);
  wire::JobRequest job = request(1);
  job.target = text;
  wire::HealthReport health;
  health.check = number;
  return {built,
          measured,
          state,
          job,
          health,
          wire::RoundDone{lease, 1000000, true, -1},
          wire::Fetch{text},
          wire::Follow{number},
          wire::Resume{number},
          wire::ListJobs{number},
          wire::ListBoards{},
          wire::PullLog{number, ~uint64_t{0}, text},
          wire::BoardRequest{text, wire::BoardAction::show, text},
          wire::AskStatus{},
          wire::Query{text, {text}, true},
          wire::Welcome{},
          wire::Refuse{text},
          wire::Want{},
          wire::Blob{text, true},
          wire::Committed{{text}},
          wire::Accepted{number},
          wire::JobEvent{},
          wire::Records{},
          wire::Jobs{},
          wire::Boards{},
          wire::LogChunk{},
          wire::SchedulerStatus{},
          wire::NotUnderstood{text}};
}

TEST_F(Hostile, WellFormedNonsenseOfEveryKindAndRoleDisturbsNobody) {
  auto server = scheduler();
  auto rack = boards("seed 3\ntime_ns 1000000 2000000\npace 1\n", 3);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(300));
  uint64_t sent = 0;
  ASSERT_TRUE(client.until([&] {
    for (const wire::Role role : {wire::Role::tuner, wire::Role::runner, wire::Role::client}) {
      auto stranger = Peer::connect(endpoint());
      wire::Hello hello;
      hello.role = role;
      hello.name = "stranger";
      hello.capacity = 0xffffffff;
      Board board = probe_board();
      board.id = "stranger";
      board.target.features = "";
      board.target.triple = "riscv64-linux-gnu";  // gets no work
      if (role == wire::Role::runner) hello.board = to_text(board);
      if (role == wire::Role::tuner) hello.capacity = 1;
      if (sent % 2 == 0) (void)stranger->send(hello);
      for (const wire::Message& message : nonsense(sent)) {
        const std::vector<wire::Bytes> blobs(sent % 4, wire::Bytes(100));
        (void)stranger->send(message, blobs);
        ++sent;
      }
      (void)stranger->receive(in(milliseconds(50)));  // some of it has arrived when it leaves
    }
    return client.event().state == "Completed" || client.event().state == "Failed";
  })) << scheduler_said();
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 300u);
  const nlohmann::json told = status();
  EXPECT_GT(told["malformed"].get<uint64_t>(), 0u) << told.dump();
  EXPECT_THAT(scheduler_said(), Not(HasSubstr("lost boards"))) << "a board was disturbed";
  rack->signal(SIGTERM);
  expect_sound(*server);
}

/// A lab with keys on a port of its own, and a job that goes on in it.
class Strangers : public Hostile {
 protected:
  std::string at(const std::string& name) const { return (scratch_ / name).string(); }
  void make_key(const std::string& name, const std::string& role) {
    const Finished made = hone({"keygen", at(name)}, scratch_);
    ASSERT_EQ(made.exit_code, 0) << made.err;
    if (role.empty()) return;
    const Finished added = hone({"keys", "add", role, at(name + ".pub"), "--keys", at("list")}, scratch_);
    ASSERT_EQ(added.exit_code, 0) << added.err;
  }
  std::vector<std::string> key(const std::string& name, const std::string& server = "scheduler") const {
    return {"--scheduler", address_, "--key", at(name + ".key"), "--server-key", at(server + ".pub")};
  }
  std::vector<std::string> with(std::vector<std::string> arguments,
                                const std::vector<std::string>& more) const {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  TransportOptions options(const std::string& name) const {
    TransportOptions out;
    out.keys = *peer_keys(at(name + ".key"), at("scheduler.pub"));
    return out;
  }
  void start() {
    make_key("scheduler", "");
    make_key("me", "client");
    make_key("board", "runner");
    make_key("worker", "tuner");
    make_key("stranger", "");
    const std::vector<std::string> arguments = scheduler_arguments(
        {"--listen", "tcp://127.0.0.1:*", "--key", at("scheduler.key"), "--keys", at("list")});
    server_ = std::make_unique<Running>("hone-scheduler", arguments, scratch_);
    ASSERT_TRUE(said(*server_, "hone-scheduler.err", "listens on tcp://127.0.0.1:"));
    const size_t from = scheduler_said().find("tcp://");
    address_ = scheduler_said().substr(from, scheduler_said().find(';', from) - from);
  }
  uint64_t refused() { return status(key("me"))["refused"].get<uint64_t>(); }
  /// Bytes of no protocol at the door, and waits until they are counted.
  void throw_bytes(const std::string& bytes) {
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(static_cast<uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1))));
    ::inet_pton(AF_INET, "127.0.0.1", &place.sin_addr);
    ASSERT_EQ(::connect(file, reinterpret_cast<sockaddr*>(&place), sizeof place), 0);
    (void)!::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(file, SHUT_WR);
    char answer[256];
    while (::recv(file, answer, sizeof answer, 0) > 0) {  // until the door is shut
    }
    ::close(file);
  }

  std::unique_ptr<Running> server_;
  std::string address_;
};

TEST_F(Strangers, AreRefusedAndCountedWhileAJobGoesOnUndisturbed) {
  start();
  std::ofstream(scratch_ / "script") << "seed 3\ntime_ns 1000000 2000000\npace 1\n";
  Running board("hone-runner", with({"--name", "b1", "--simulate", at("script")}, key("board")), scratch_, {},
                "b1");
  FakeTuner tuner(address_, {}, options("worker"));
  Client client(address_, options("me"));
  client.submit(request(100000));
  ASSERT_TRUE(client.until([&] { return client.event().trials >= 20; })) << scheduler_said();
  EXPECT_EQ(refused(), 0u);

  Finished told =
      Running("hone-runner", {"--scheduler", address_, "--simulate", at("script")}, scratch_).finish();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("it demands a key"));
  uint64_t before = refused();
  EXPECT_GE(before, 1u) << "without a key";

  told = hone(with({"jobs", "list"}, key("stranger")), scratch_);
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("not on the scheduler's list"));
  EXPECT_GT(refused(), before) << "with a key that is not listed";
  before = refused();

  // A right key, but another scheduler is expected: nothing is said at all, and it is counted.
  Running misled("hone-runner",
                 with({"--simulate", at("script"), "--give-up-ms", "2000"}, key("board", "stranger")),
                 scratch_, {}, "misled");
  told = misled.finish();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("no scheduler was heard"));
  EXPECT_GT(refused(), before) << "with another scheduler's key";
  before = refused();

  told = Running("hone-tuner", key("board"), scratch_).finish();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("its key is for a runner, not for a tuner"));
  EXPECT_EQ(refused(), before + 1) << "a runner's key in a tuner's role";
  before = refused();

  throw_bytes("GET / HTTP/1.1\r\n\r\n");
  throw_bytes(std::string(1000, '\xff'));
  throw_bytes("");
  EXPECT_GE(refused(), before + 2) << "bytes of no protocol";

  // Shown to people too, and the job has gone on meanwhile.
  const Finished shown = hone(with({"status"}, key("me")), scratch_);
  EXPECT_THAT(shown.out, HasSubstr("refused    " + std::to_string(refused()) + " connections at the door"));
  EXPECT_THAT(shown.out, HasSubstr("log        " + log().string()));
  const uint64_t trials = client.event().trials;
  ASSERT_TRUE(client.until([&] { return client.event().trials > trials; })) << scheduler_said();
  EXPECT_EQ(client.event().boards, 1u);
  EXPECT_THAT(scheduler_said(), Not(HasSubstr("lost ")));
  client.stop();
  ASSERT_TRUE(client.ended());
  expect_sound(*server_);
}

TEST_F(Strangers, MayNotStopOrResumeAJobOfAnotherNorTouchBoardsUnlessTheyAreOperators) {
  start();
  make_key("you", "client");
  make_key("boss", "operator");
  std::ofstream(scratch_ / "script") << "seed 3\ntime_ns 1000000 2000000\npace 1\n";
  Running board("hone-runner", with({"--name", "b1", "--simulate", at("script")}, key("board")), scratch_, {},
                "b1");
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "board b1 is Good"));
  const Finished created =
      hone(with({"jobs", "create", tiny_model(), "--require", "rack=9"}, key("me")), scratch_);
  ASSERT_EQ(created.exit_code, 0) << created.err;
  const std::string job = created.last_line();

  Finished finished = hone(with({"jobs", "stop", job}, key("you")), scratch_);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("job " + job +
                                      " belongs to me: only me or an operator may stop or resume "
                                      "it, and this key is you's"));
  // Everybody may look.
  finished = hone(with({"jobs", "describe", job}, key("you")), scratch_);
  EXPECT_THAT(finished.out, testing::AllOf(HasSubstr("tiny: Starting"), HasSubstr("for     me")))
      << finished.err;

  for (const std::string action : {"drain", "resume", "retire"}) {
    finished = hone(with({"boards", action, "b1"}, key("me")), scratch_);
    EXPECT_EQ(finished.exit_code, 1) << action;
    EXPECT_THAT(finished.err, HasSubstr("only an operator may drain, resume or retire boards")) << action;
  }
  finished = hone(with({"boards", "describe", "b1"}, key("me")), scratch_);
  EXPECT_THAT(finished.out, HasSubstr("Good")) << finished.err;

  finished = hone(with({"jobs", "stop", job}, key("boss")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("Stopped, stopped by boss"));
  finished = hone(with({"jobs", "resume", job}, key("you")), scratch_);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("belongs to me"));
  finished = hone(with({"jobs", "resume", job}, key("me")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  finished = hone(with({"jobs", "stop", job}, key("me")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  finished = hone(with({"boards", "drain", "b1"}, key("boss")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(said(*server_, "hone-scheduler.err", "board b1 is Maintenance"));

  // An operator is a client: in another role its key is refused.
  finished = Running("hone-tuner", key("boss"), scratch_).finish();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("its key is for an operator, not for a tuner"));
  expect_sound(*server_);
}

}  // namespace
}  // namespace hone::testing_system
