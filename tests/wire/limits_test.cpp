// What one peer may take of a Hub: memory, connections, time; and that the others are served meanwhile. Over
// real sockets, with limits that are soon reached. Waits have deadlines; none is timed.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <thread>
#include <zmq.hpp>

#include "measure/transport.h"

namespace hone {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using wire::Fetch;
using wire::Hello;
using wire::Role;

TimePoint soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(60); }
TimePoint now() { return std::chrono::steady_clock::now(); }

/// ZMTP 3.0 without security, then READY as a DEALER.
const std::string greeting = [] {
  std::string text = "\xff" + std::string(8, '\0') + "\x7f\x03" + std::string(1, '\0') + "NULL";
  text.resize(64, '\0');
  const std::string ready = std::string("\x05READY\x0bSocket-Type", 18) + std::string("\0\0\0\6DEALER", 10);
  return text + std::string("\x04", 1) + static_cast<char>(ready.size()) + ready;
}();

/// A bare connection to a Hub's port, as any program can make one.
class Bare {
 public:
  explicit Bare(const std::string& endpoint) : file_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(file_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  Bare(const Bare&) = delete;
  ~Bare() { ::close(file_); }
  bool send(const std::string& bytes) const {
    for (size_t sent = 0; sent < bytes.size();) {
      const ssize_t count = ::send(file_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) return false;
      sent += static_cast<size_t>(count);
    }
    return true;
  }
  /// The handshake without security, both ways: what comes in one piece with it is not heard.
  bool greet() const {
    if (!send(greeting)) return false;
    char bytes[512];
    for (size_t came = 0; came < 64 + 20;) {
      const ssize_t count = ::recv(file_, bytes, sizeof bytes, 0);
      if (count <= 0) return false;
      came += static_cast<size_t>(count);
    }
    return true;
  }
  void shut() const { ::shutdown(file_, SHUT_RDWR); }
  /// Whether the other side has closed it by now.
  bool is_closed() const {
    char bytes[4096];
    ssize_t count;
    while ((count = ::recv(file_, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
    }
    return count == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

 private:
  int file_;
};

const std::string word("\0\1x", 3);                      ///< a whole message
const std::string beginning("\3\0\0\0\0\0\x0f\0\0", 9);  ///< of a frame of 983,040 bytes, with more to come

uint64_t memory_mib() {
  uint64_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE)) >> 20;
}

/// A Hub with a friend that was welcomed; with keys or without.
class Limits : public testing::Test, public testing::WithParamInterface<bool> {
 protected:
  Limits() {
    char name[] = "/tmp/hone-limits-XXXXXX";
    folder = ::mkdtemp(name);
    list = folder / "list";
  }
  ~Limits() override { std::filesystem::remove_all(folder); }
  void start(ConnectionLimits limits, bool with_keys) {
    TransportOptions options;
    options.limits = limits;
    if (with_keys) {
      server = make_key_pair();
      std::ofstream(list).flush();
      options.keys = TransportKeys{*server, "", list};
    }
    auto made = Hub::bind("tcp://127.0.0.1:*", options);
    ASSERT_TRUE(made) << made.error().text();
    hub.emplace(std::move(*made));
    friendly.emplace(peer("friend"));
    ASSERT_TRUE(speaks(*friendly));
  }
  TransportOptions options_of(const KeyPair& own) const {
    TransportOptions options;
    if (server) options.keys = TransportKeys{own, server->public_key, {}};
    return options;
  }
  KeyPair allow(const char* name) const {
    const KeyPair keys = make_key_pair();
    EXPECT_TRUE(add_to_key_list(list, {Role::client, keys.public_key, name}));
    return keys;
  }
  Peer peer(const char* name) const {
    return *Peer::connect(hub->endpoint(), server ? options_of(allow(name)) : TransportOptions{});
  }
  /// Its word arrives.
  bool speaks(Peer& peer, const std::string& word = "hello") {
    if (!peer.send(Fetch{digest_of(word)})) return false;
    for (const TimePoint end = soon(); now() < end;)
      if (const auto got = hub->receive(now() + milliseconds(20)); got && got->received.message)
        if (const auto* fetch = std::get_if<Fetch>(&*got->received.message);
            fetch && fetch->digest == digest_of(word))
          return true;
    return false;
  }
  bool until(const std::function<bool()>& condition) {
    for (const TimePoint end = soon(); !condition();) {
      if (now() >= end) return false;
      (void)hub->receive(now() + milliseconds(10));
    }
    return true;
  }

  std::filesystem::path folder, list;
  std::optional<KeyPair> server;
  std::optional<Hub> hub;
  std::optional<Peer> friendly;
};

/// Sends one message whose parts never end, from one buffer.
void send_without_end(const std::string& endpoint, const std::optional<TransportKeys>& keys, size_t part,
                      const std::atomic<bool>& stop) {
  static const std::vector<char> buffer(part);
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  socket.set(zmq::sockopt::linger, 0);
  if (keys) {
    socket.set(zmq::sockopt::curve_serverkey, keys->server);
    socket.set(zmq::sockopt::curve_publickey, keys->own.public_key);
    socket.set(zmq::sockopt::curve_secretkey, keys->own.secret_key);
  }
  socket.connect(endpoint);
  // ZeroMQ holds a message back until its last part is there: four gigabytes of the same few.
  for (int i = 0; i < 512; ++i) {
    zmq::message_t frame(const_cast<char*>(buffer.data()), buffer.size(), [](void*, void*) {});
    socket.send(frame, i < 511 ? zmq::send_flags::sndmore : zmq::send_flags::none);
  }
  while (!stop) std::this_thread::yield();
}

TEST_P(Limits, AMessageWithoutEndIsCutOffWhileOthersAreServed) {
  start({}, GetParam());
  std::optional<TransportKeys> keys;
  if (server) keys = TransportKeys{allow("hostile"), server->public_key, {}};
  const uint64_t before = memory_mib();
  uint64_t most = before;
  std::atomic<bool> stop = false;
  std::thread hostile([&] { send_without_end(hub->endpoint(), keys, size_t{8} << 20, stop); });
  EXPECT_TRUE(until([&] {
    most = std::max(most, memory_mib());
    return hub->refused().greedy > 0;
  }));
  EXPECT_TRUE(speaks(*friendly, "still here"));
  stop = true;
  hostile.join();
  EXPECT_LT(most - before, 1024u) << "MiB";
  EXPECT_EQ(hub->refused().total(), hub->refused().greedy) << "cut off once, counted once";
}

INSTANTIATE_TEST_SUITE_P(WithKeysAndWithout, Limits, testing::Bool(),
                         [](const auto& with) { return with.param ? "Curve" : "Null"; });

using Open = Limits;

TEST_F(Open, PartsOfNoBytesTakeMemoryTooAndAreCutOff) {
  ConnectionLimits limits;
  limits.memory_bytes = 64u << 20;
  start(limits, false);
  const uint64_t before = memory_mib();
  uint64_t most = before;
  std::atomic<bool> stop = false;
  const Bare bare(hub->endpoint());
  std::thread hostile([&] {
    std::string parts;
    for (int i = 0; i < 50000; ++i) parts += std::string("\1\0", 2);  // more to come, no bytes
    if (!bare.greet() || !bare.send(word)) return;
    while (!stop && bare.send(parts)) {
    }
  });
  EXPECT_TRUE(until([&] {
    most = std::max(most, memory_mib());
    return hub->refused().greedy > 0;
  }));
  EXPECT_TRUE(speaks(*friendly, "still here"));
  stop = true;
  bare.shut();  // nobody reads it any more: it may be waiting in send
  hostile.join();
  EXPECT_LT(most - before, 512u) << "MiB";
}

TEST_F(Open, AFirstMessageMayNotBeLargeBeforeItIsWhole) {
  ConnectionLimits limits;
  limits.first_bytes = 100000;
  start(limits, false);
  const Bare bare(hub->endpoint());
  ASSERT_TRUE(bare.greet() && bare.send(beginning + std::string(300000, 'x')));
  EXPECT_TRUE(until([&] { return bare.is_closed(); }));
  EXPECT_EQ(hub->refused().greedy, 1u);
}

TEST_F(Open, AMessageMustBeWholeInTime) {
  ConnectionLimits limits;
  limits.message = milliseconds(50);
  start(limits, false);
  const Bare bare(hub->endpoint());
  ASSERT_TRUE(bare.greet() && bare.send(word));
  ASSERT_TRUE(hub->receive(soon()));
  ASSERT_TRUE(bare.send(beginning + std::string(200000, 'x')));
  EXPECT_TRUE(until([&] { return bare.is_closed(); }));
  EXPECT_EQ(hub->refused().greedy, 1u);
}

TEST_F(Open, AllTogetherMayNotLeaveTooMuchUnfinished) {
  ConnectionLimits limits;
  limits.all_waiting_bytes = 1000000;
  start(limits, false);
  std::vector<std::unique_ptr<Bare>> hostile;
  for (int i = 0; i < 8; ++i) {
    hostile.push_back(std::make_unique<Bare>(hub->endpoint()));
    ASSERT_TRUE(hostile.back()->greet() && hostile.back()->send(word));
    ASSERT_TRUE(hub->receive(soon()));
    ASSERT_TRUE(hostile.back()->send(beginning + std::string(200000, 'x')));
  }
  EXPECT_TRUE(until([&] { return hub->refused().greedy >= 4; }));
  EXPECT_TRUE(speaks(*friendly, "still here"));
  EXPECT_EQ(std::ranges::count_if(hostile, [](const auto& bare) { return bare->is_closed(); }), 4);
}

TEST_F(Open, WhoeverSaysNothingIsCutOffInTime) {
  ConnectionLimits limits;
  limits.first_message = milliseconds(200);
  start(limits, false);
  const Bare nothing(hub->endpoint()), greeted(hub->endpoint());
  ASSERT_TRUE(greeted.send(greeting));
  EXPECT_TRUE(until([&] { return nothing.is_closed() && greeted.is_closed(); }));
  EXPECT_TRUE(until([&] { return hub->refused().total() == 2; })) << hub->refused().total();
  EXPECT_TRUE(speaks(*friendly, "still here")) << "who has spoken may be silent";
}

TEST_F(Open, IdleConnectionsMakeRoomForPeersThatSpeak) {
  ConnectionLimits limits;
  limits.connections = 20;
  start(limits, false);
  std::vector<std::unique_ptr<Bare>> idle;
  for (int i = 0; i < 100; ++i) idle.push_back(std::make_unique<Bare>(hub->endpoint()));
  auto late = Peer::connect(hub->endpoint());
  EXPECT_TRUE(speaks(*late, "late"));
  EXPECT_TRUE(speaks(*friendly, "still here"));
  EXPECT_TRUE(until([&] { return hub->connections() <= 20; }));
  EXPECT_GE(hub->refused().crowded, 80u);
}

TEST_F(Open, WhoeverDoesNotReadIsCutOff) {
  ConnectionLimits limits;
  limits.unread_bytes = 32u << 20;
  start(limits, false);
  const Bare bare(hub->endpoint());
  ASSERT_TRUE(bare.greet() && bare.send(word));
  const auto got = hub->receive(soon());
  ASSERT_TRUE(got);
  const std::vector<wire::Bytes> blob = {wire::Bytes(1 << 20)};
  Status status;
  for (int i = 0; i < 100 && status; ++i)
    status = hub->send(got->peer, wire::Blob{digest_of("x"), true}, blob);
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().text(), HasSubstr("does not read"));
  EXPECT_EQ(hub->refused().greedy, 1u);
  EXPECT_TRUE(until([&] { return hub->connections() == 1; }));
}

TEST_F(Open, APeerThatLeftIsToldOfOnceAllThatItSaidWasTaken) {
  start({}, false);
  EXPECT_TRUE(hub->take_left().empty());
  {
    auto leaving = Peer::connect(hub->endpoint());
    ASSERT_TRUE(speaks(*leaving, "first"));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(leaving->send(Fetch{digest_of("more")}));
    ASSERT_TRUE(leaving->send(Fetch{digest_of("last")}));
    std::optional<ReceivedFrom> got;
    ASSERT_TRUE((got = hub->receive(soon())).has_value());  // ZeroMQ has sent some of it
  }
  std::vector<PeerLeft> left;
  ASSERT_TRUE(until([&] {
    left = hub->take_left();
    return !left.empty();
  }));
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].why, "");
  EXPECT_FALSE(hub->receive()) << "something came from one who had left";
  EXPECT_EQ(hub->connections(), 1u);
}

using Locked = Limits;

TEST_F(Locked, AKeyHasSoManyConnectionsAndTheNextIsToldWhy) {
  ConnectionLimits limits;
  limits.of_key = 3;
  start(limits, true);
  const KeyPair rack = allow("rack");
  std::vector<Peer> peers;
  for (int i = 0; i < 3; ++i) {
    peers.push_back(*Peer::connect(hub->endpoint(), options_of(rack)));
    ASSERT_TRUE(speaks(peers.back()));
  }
  auto fourth = Peer::connect(hub->endpoint(), options_of(rack));
  ASSERT_TRUE(fourth->send(Hello{}));
  std::string told;
  EXPECT_TRUE(until([&] {
    if (auto received = fourth->receive(); received && received->message)
      if (const auto* refuse = std::get_if<wire::Refuse>(&*received->message)) told = refuse->reason;
    return !told.empty();
  }));
  EXPECT_EQ(told, "the key of rack has 3 connections, the most that one key may have");
  EXPECT_TRUE(speaks(peers[0], "first")) << "those that were there stay";
  EXPECT_TRUE(speaks(*friendly, "another key"));
}

TEST_F(Locked, RemovingAKeyEndsItsOpenConnections) {
  start({}, true);
  const KeyPair keys = allow("board");
  auto board = Peer::connect(hub->endpoint(), options_of(keys));
  ASSERT_TRUE(speaks(*board));
  ASSERT_TRUE(remove_from_key_list(list, "board"));
  std::vector<PeerLeft> left;
  ASSERT_TRUE(until([&] {
    left = hub->take_left();
    return !left.empty();
  }));
  EXPECT_THAT(left.at(0).why, HasSubstr("its key was removed"));
  // It tries to come back, and is told; nothing that it says is heard.
  (void)board->send(Fetch{digest_of("again")});
  std::string told;
  for (const TimePoint end = soon(); told.empty() && now() < end;) {
    EXPECT_FALSE(hub->receive(now() + milliseconds(10)));
    if (auto received = board->receive(); received && received->message)
      if (const auto* refuse = std::get_if<wire::Refuse>(&*received->message)) told = refuse->reason;
  }
  EXPECT_THAT(told, testing::AnyOf(HasSubstr("not on the scheduler's list"), HasSubstr("removed")));
  EXPECT_GE(hub->refused().removed, 1u);
  EXPECT_TRUE(speaks(*friendly, "still here"));
}

TEST_F(Locked, AKeyWithAnotherRoleComesAnew) {
  start({}, true);
  const KeyPair keys = allow("x");
  auto peer = Peer::connect(hub->endpoint(), options_of(keys));
  ASSERT_TRUE(speaks(*peer));
  ASSERT_TRUE(add_to_key_list(list, {Role::runner, keys.public_key, "x"}));
  EXPECT_TRUE(until([&] { return !hub->take_left().empty(); }));
}

TEST_F(Locked, AListThatCannotBeReadRemovesNobody) {
  start({}, true);
  std::ofstream(list) << "nonsense\n";
  auto late = Peer::connect(hub->endpoint(), options_of(make_key_pair()));
  ASSERT_TRUE(late->send(Hello{}));
  EXPECT_TRUE(until([&] { return hub->refused().keys > 0; }));
  EXPECT_TRUE(speaks(*friendly, "still here"));
}

TEST_F(Locked, AnotherSchedulersKeyIsTriedAFewTimesAndSaidToBeWrong) {
  start({}, true);
  TransportOptions options = options_of(allow("x"));
  options.keys->server = make_key_pair().public_key;
  options.give_up_unheard = true;
  auto lost = Peer::connect(hub->endpoint(), options);
  ASSERT_TRUE(lost->send(Hello{}));
  std::string told;
  EXPECT_TRUE(until([&] {
    if (auto received = lost->receive(); received && received->message)
      if (const auto* refuse = std::get_if<wire::Refuse>(&*received->message)) told = refuse->reason;
    return !told.empty();
  }));
  EXPECT_THAT(told, HasSubstr("is --server-key the key of the scheduler there?"));
  EXPECT_LE(hub->refused().handshakes, 5u);
}

TEST(SharedSockets, AreEnoughForAllPeersToComeAnewAtOnceAgainAndAgain) {
  char name[] = "/tmp/hone-shared-XXXXXX";
  const std::string folder = ::mkdtemp(name);
  auto hub = Hub::bind("ipc://" + folder + "/hub");
  ASSERT_TRUE(hub) << hub.error().text();
  constexpr size_t count = 60;
  TransportOptions options;
  options.shared = *SharedTransport::create(count);
  std::vector<Peer> peers;
  for (size_t i = 0; i < count; ++i) peers.push_back(*Peer::connect(hub->endpoint(), options));
  for (Peer& peer : peers)
    if (const auto status = peer.reconnect(); !status) FAIL() << status.error().text();
  for (Peer& peer : peers) ASSERT_TRUE(peer.send(Fetch{digest_of("back")}));
  for (size_t i = 0; i < count; ++i) ASSERT_TRUE(hub->receive(soon())) << i;
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace hone
