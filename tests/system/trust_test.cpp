// A lab whose peers want more than is theirs: another board's name, a removed key's place, memory, files. The
// real programs; each attack is seen to fail, and others are served meanwhile.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <zmq.hpp>

#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// A scheduler on a port of its own, with keys or without.
class Trust : public Rig, public testing::WithParamInterface<bool> {
 protected:
  std::string at(const std::string& name) const { return (scratch_ / name).string(); }
  void start(bool with_keys, Launcher launcher = {}) {
    std::vector<std::string> more = {"--listen", "tcp://127.0.0.1:*", "--loss-ms", "3000"};
    if (with_keys) {
      make_key(scratch_, "scheduler", "");
      make_key(scratch_, "me", "client");
      more.insert(more.end(), {"--key", at("scheduler.key"), "--keys", at("list")});
    }
    server_ = scheduler(more, std::move(launcher));
    ASSERT_TRUE(said(*server_, "hone-scheduler.err", "listens on tcp://127.0.0.1:")) << scheduler_said();
    const size_t from = scheduler_said().find("tcp://");
    address_ = scheduler_said().substr(from, scheduler_said().find(';', from) - from);
    keyed_ = with_keys;
  }
  std::vector<std::string> with(std::vector<std::string> arguments, const std::string& name,
                                const std::string& server = "scheduler") const {
    arguments.insert(arguments.end(), {"--scheduler", address_});
    if (keyed_)
      arguments.insert(arguments.end(), {"--key", at(name + ".key"), "--server-key", at(server + ".pub")});
    return arguments;
  }
  TransportOptions options(const std::string& name) const {
    TransportOptions out;
    if (keyed_) out.keys = *peer_keys(at(name + ".key"), at("scheduler.pub"));
    return out;
  }
  /// `machine`: boards of different ones have different ids.
  std::unique_ptr<Running> board(const std::string& key, std::vector<std::string> more = {},
                                 const std::string& machine = "3") {
    std::ofstream(scratch_ / "script") << "seed " + machine + "\ntime_ns 1000000 2000000\npace 1\n";
    more.insert(more.end(), {"--simulate", at("script")});
    return std::make_unique<Running>("hone-runner", with(more, key), scratch_, Launcher{}, "board-" + key);
  }
  nlohmann::json now() { return status(with({}, "me")); }
  /// Most memory that the scheduler ever had.
  uint64_t peak_mib() const {
    std::ifstream file("/proc/" + std::to_string(server_->pid()) + "/status");
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("VmHWM:")) return std::strtoull(line.c_str() + 6, nullptr, 10) >> 10;
    return 0;
  }

  std::unique_ptr<Running> server_;
  std::string address_;
  bool keyed_ = false;
};

using Identity = Trust;

TEST_F(Identity, ARunnerIsNotAnotherBoardAndPushesNobodyOut) {
  start(true);
  for (const char* name : {"b7", "b8", "r2"}) make_key(scratch_, name, "runner");
  auto b7 = board("b7");
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "board b7 is Good")) << scheduler_said();
  const Finished thief = board("b8", {"--name", "b7"})->finish();
  EXPECT_EQ(thief.exit_code, 1);
  EXPECT_THAT(thief.err, AllOf(HasSubstr("the key of b8 owns the boards b8 and b8/*, not b7"),
                               HasSubstr("hone keys add runner b8.pub --board b7 --keys LIST")));
  EXPECT_TRUE(b7->running());
  auto rack = board("r2", {"--boards", "3"});
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "board r2/3 is Good")) << scheduler_said();
  const Finished shown = hone(with({"boards", "describe", "b7"}, "me"), scratch_);
  EXPECT_THAT(shown.out, AllOf(HasSubstr("Good"), HasSubstr("the name belongs to the machine ")))
      << shown.err;
  EXPECT_THAT(scheduler_said(), Not(HasSubstr("lost b7")));
  EXPECT_EQ(now()["boards"], 4);
}

TEST_F(Identity, ARemovedKeyLosesItsConnectionsAndWhatItHoldsGoesToOthers) {
  start(true);
  for (const char* name : {"b7", "b8"}) make_key(scratch_, name, "runner");
  make_key(scratch_, "worker", "tuner");
  auto b7 = board("b7"), b8 = board("b8");
  FakeTuner tuner(address_, {}, options("worker"));
  Client client(address_, options("me"));
  client.submit(request(100000));
  ASSERT_TRUE(client.until([&] { return client.event().trials >= 20 && client.event().boards == 2; }));
  Finished list = hone({"keys", "list", "--keys", at("list")}, scratch_);
  EXPECT_THAT(list.out, HasSubstr("b7  boards b7 and b7/*"));
  const Finished removed = hone({"keys", "remove", "b7", "--keys", at("list")}, scratch_);
  EXPECT_EQ(removed.exit_code, 0) << removed.err;
  EXPECT_THAT(removed.err, HasSubstr("b7 may come in no more"));
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "lost b7: its key was removed from the list"))
      << scheduler_said();
  const Finished told = b7->finish();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("not on the scheduler's list"));
  const uint64_t trials = client.event().trials;
  ASSERT_TRUE(
      client.until([&] { return client.event().trials > trials + 20 && client.event().boards == 1; }));
  EXPECT_GE(now()["removed"], 1);
  list = hone({"keys", "list", "--json", "--keys", at("list")}, scratch_);
  EXPECT_EQ(nlohmann::json::parse(list.last_line())["keys"].size(), 3u);
  EXPECT_THAT(hone({"keys", "remove", "b7", "--keys", at("list")}, scratch_).err,
              HasSubstr("there is no such key on the list"));
  expect_sound(*server_);
}

TEST_F(Identity, AnotherMachineUnderAKnownNameIsRefusedUntilItIsReleased) {
  start(true);
  make_key(scratch_, "b7", "runner");
  make_key(scratch_, "boss", "operator");
  {
    auto first = board("b7");
    ASSERT_TRUE(said(*server_, "hone-scheduler.err", "board b7 is Good")) << scheduler_said();
  }
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "lost b7")) << scheduler_said();
  EXPECT_THAT(board("b7", {"--name", "b7/../b7"})->finish().err, HasSubstr("no name for a board"));
  EXPECT_THAT(board("b7", {}, "4")->finish().err, AllOf(HasSubstr("the name b7 belongs to another machine"),
                                                        HasSubstr("hone boards release b7")));
  Finished told = hone(with({"boards", "release", "b7", "--reason", "new machine"}, "me"), scratch_);
  EXPECT_THAT(told.err, HasSubstr("only an operator may drain, resume, retire or release boards"));
  told = hone(with({"boards", "release", "b7", "--reason", "new machine"}, "boss"), scratch_);
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_THAT(told.out, AllOf(HasSubstr("released: new machine"), Not(HasSubstr("the name belongs to"))));
  auto second = board("b7", {}, "4");
  EXPECT_TRUE(wait_until(scratch_.path(), *second, [&] {
    return count(scheduler_said(), "board b7 is Good") == 2;
  })) << scheduler_said();
}

TEST_F(Identity, CommandsThatAreThroughAreNoClientsAnyMore) {
  start(true);
  for (int i = 0; i < 7; ++i) ASSERT_EQ(hone(with({"jobs", "list"}, "me"), scratch_).exit_code, 0);
  nlohmann::json shown;
  EXPECT_TRUE(wait_until(scratch_.path(), *server_, [&] {
    shown = now();
    return shown["clients"] == 1;
  })) << "more than the one that asks";
  EXPECT_EQ(shown["refused"], 0);
}

TEST_F(Identity, ACommandWithAnotherSchedulersKeyIsToldSoonAndCountedAFewTimes) {
  start(true);
  make_key(scratch_, "other", "");
  const Finished told = hone(with({"jobs", "list"}, "me", "other"), scratch_);
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("is --server-key the key of the scheduler there?"));
  EXPECT_LE(now()["refused"], 5);
  EXPECT_LE(count(scheduler_said(), "refused "), 3u) << scheduler_said();
}

TEST_P(Trust, AMessageWithoutEndTakesLessThanAGigabyteAndOthersAreServed) {
  start(GetParam());
  static const std::vector<char> buffer(size_t{8} << 20);
  zmq::context_t context;
  zmq::socket_t hostile(context, zmq::socket_type::dealer);
  hostile.set(zmq::sockopt::linger, 0);
  if (keyed_) {
    const TransportOptions mine = options("me");
    hostile.set(zmq::sockopt::curve_serverkey, mine.keys->server);
    hostile.set(zmq::sockopt::curve_publickey, mine.keys->own.public_key);
    hostile.set(zmq::sockopt::curve_secretkey, mine.keys->own.secret_key);
  }
  hostile.connect(address_);
  for (int i = 0; i < 512; ++i) {  // it goes out once its last part is there: four gigabytes
    zmq::message_t frame(const_cast<char*>(buffer.data()), buffer.size(), [](void*, void*) {});
    hostile.send(frame, i < 511 ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", ", 1 took too much")) << scheduler_said();
  const nlohmann::json shown = now();
  EXPECT_GE(shown["greedy"], 1);
  EXPECT_LT(peak_mib(), 1024u);
  expect_sound(*server_);
}

INSTANTIATE_TEST_SUITE_P(WithKeysAndWithout, Trust, testing::Bool(),
                         [](const auto& with) { return with.param ? "Curve" : "Null"; });

TEST_F(Identity, IdleConnectionsKeepNobodyOut) {
  start(false, {"prlimit", "--nofile=1024:1024"});
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < 2000) GTEST_SKIP() << "this process may not open 1,100 connections";
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1))));
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::vector<int> idle;
  for (int i = 0; i < 1100; ++i) {
    idle.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::connect(idle.back(), reinterpret_cast<sockaddr*>(&place), sizeof place), 0) << i;
  }
  // A command waits for ten seconds, a connection may be idle for as long.
  const nlohmann::json shown = now();
  EXPECT_GE(shown["crowded"], 1) << shown.dump();
  EXPECT_LT(shown["connections"], 1024);
  for (const int file : idle) ::close(file);
}

TEST_F(Identity, ARackOfSixtyBoardsComesBackToASchedulerThatWasKilled) {
  auto server = scheduler();
  auto rack = boards("seed 3\ntime_ns 1000000 2000000\npace 1\n", 60);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  wire::JobRequest wanted = request(1000000);
  wanted.token = "rack";
  client.submit(wanted);
  ASSERT_TRUE(client.until([&] { return client.event().boards == 60 && client.event().trials > 100; }))
      << scheduler_said();
  for (int turn = 0; turn < 3; ++turn) {
    server->signal(SIGKILL);
    server->finish();
    server = scheduler();
    client.reconnect();
    ASSERT_TRUE(client.until([&] { return client.event().boards == 60; }))
        << turn << text_of(scratch_ / "boards.err");
  }
  const uint64_t before = client.event().trials;
  ASSERT_TRUE(client.until([&] { return client.event().trials >= before + 100; })) << scheduler_said();
  client.stop();
  ASSERT_TRUE(client.ended()) << scheduler_said();
  EXPECT_EQ(client.event().state, "Stopped") << client.event().reason;
  for (const wire::Failure& failure : client.event().failed)
    EXPECT_NE(failure.status, MeasureStatus::board_lost) << failure.example;
  EXPECT_TRUE(rack->running()) << text_of(scratch_ / "boards.err");
  expect_sound(*server);
}

}  // namespace
}  // namespace hone::testing_system
