// Who gets in: key files and lists, and peers with and without the right key over real sockets. Waits have
// deadlines; none is timed.
#include "measure/keys.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <zmq.hpp>

#include "measure/greeting.h"
#include "measure/transport.h"

namespace hone {
namespace {

using testing::HasSubstr;
using wire::Hello;
using wire::Role;

TimePoint soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

class Keys : public testing::Test {
 protected:
  Keys() {
    char name[] = "/tmp/hone-keys-XXXXXX";
    folder = ::mkdtemp(name);
    list = folder / "list";
  }
  ~Keys() override { std::filesystem::remove_all(folder); }
  std::string at(const char* name) const { return (folder / name).string(); }
  void write(const char* name, const std::string& text) const { std::ofstream(folder / name) << text; }

  std::filesystem::path folder, list;
};

TEST_F(Keys, ComeBackFromTheirFilesAndOnlyTheOwnerReadsTheSecretOne) {
  const KeyPair keys = make_key_pair();
  ASSERT_TRUE(write_key_pair(at("board-1"), keys));
  struct stat facts;
  ASSERT_EQ(::stat(at("board-1.key").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
  const auto read = read_key_pair(at("board-1.key"));
  ASSERT_TRUE(read) << read.error().text();
  EXPECT_EQ(read->secret_key, keys.secret_key);
  EXPECT_EQ(read->public_key, keys.public_key);
  const auto published = read_public_key(at("board-1.pub"));
  ASSERT_TRUE(published) << published.error().text();
  EXPECT_EQ(published->public_key, keys.public_key);
  EXPECT_EQ(published->name, "board-1");
  std::ifstream file(at("board-1.pub"));
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(file), {}),
              testing::Not(HasSubstr(keys.secret_key)));
}

TEST_F(Keys, ThatAreThereAreNeverOverwritten) {
  const KeyPair keys = make_key_pair();
  ASSERT_TRUE(write_key_pair(at("a"), keys));
  EXPECT_THAT(write_key_pair(at("a"), make_key_pair()).error().text(), HasSubstr("never overwritten"));
  EXPECT_EQ(read_key_pair(at("a.key"))->secret_key, keys.secret_key);
  EXPECT_THAT(write_key_pair(at("a b"), keys).error().text(), HasSubstr("no name for a key"));
}

TEST_F(Keys, ThatMakeNoSenseAreErrors) {
  const KeyPair one = make_key_pair(), two = make_key_pair();
  ASSERT_TRUE(write_key_pair(at("a"), one));
  EXPECT_THAT(read_key_pair(at("none.key")).error().text(), HasSubstr("there is no such file"));
  EXPECT_THAT(read_key_pair("/dev/zero").error().text(), HasSubstr("is a device, not a file"));
  EXPECT_THAT(read_key_list("/dev/zero").error().text(), HasSubstr("is a device, not a file"));
  EXPECT_THAT(read_key_pair(at("a.pub")).error().text(), HasSubstr("is no secret key"));
  EXPECT_THAT(read_public_key(at("a.key")).error().text(), HasSubstr("is no public key"));
  ASSERT_EQ(::chmod(at("a.key").c_str(), 0640), 0);
  EXPECT_THAT(read_key_pair(at("a.key")).error().text(), HasSubstr("others can read"));
  write("mixed", "hone-key v1 " + one.public_key + " " + two.secret_key + "\n");
  ASSERT_EQ(::chmod(at("mixed").c_str(), 0600), 0);
  EXPECT_THAT(read_key_pair(at("mixed")).error().text(), HasSubstr("do not belong together"));
  write("short", "hone-public-key v1 " + one.public_key.substr(1) + " a\n");
  EXPECT_THAT(read_public_key(at("short")).error().text(), HasSubstr("is no public key"));
}

TEST_F(Keys, InAListHaveOneRoleEach) {
  const AllowedKey a{Role::runner, make_key_pair().public_key, "a"},
      b{Role::client, make_key_pair().public_key, "b"};
  ASSERT_TRUE(add_to_key_list(list, a));
  ASSERT_TRUE(add_to_key_list(list, b));
  ASSERT_TRUE(add_to_key_list(list, {Role::tuner, a.public_key, "a"}));
  const auto keys = read_key_list(list);
  ASSERT_TRUE(keys) << keys.error().text();
  ASSERT_EQ(keys->size(), 2u);
  EXPECT_EQ(keys->at(0).name, "b");
  EXPECT_EQ(keys->at(1).role, Role::tuner);
}

TEST_F(Keys, AreAddedToTheListThatALinkNames) {
  std::filesystem::create_symlink("real", at("link"));
  ASSERT_TRUE(add_to_key_list(at("link"), {Role::runner, make_key_pair().public_key, "a"}));
  ASSERT_TRUE(add_to_key_list(at("link"), {Role::runner, make_key_pair().public_key, "b"}));
  EXPECT_TRUE(std::filesystem::is_symlink(at("link")));
  EXPECT_EQ(read_key_list(at("real"))->size(), 2u);
}

TEST_F(Keys, OwnTheirNameAndWhatLiesUnderItUnlessPatternsSayOtherwise) {
  const KeyHolder rack{"r2"}, granted{"r2", false, {"lab-*/b?", "spare", "east/*"}};
  EXPECT_TRUE(owns_board(rack, "r2"));
  EXPECT_TRUE(owns_board(rack, "r2/17"));
  for (const char* other : {"r22", "r", "r2-1", "R2", "x/r2", ""})
    EXPECT_FALSE(owns_board(rack, other)) << other;
  EXPECT_TRUE(owns_board(granted, "spare"));
  EXPECT_TRUE(owns_board(granted, "east/1/2"));
  for (const char* other : {"r2", "r2/1", "spare/1", "lab-x/b1", "east", "west/east/1"})
    EXPECT_FALSE(owns_board(granted, other)) << other;
  EXPECT_TRUE(matches_pattern("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(matches_pattern("a*b*c", "a-b-b"));
  EXPECT_TRUE(matches_pattern("*", "anything/at/all"));
  EXPECT_EQ(owned_boards(rack), "r2 and r2/*");
  EXPECT_EQ(whole_board_name(rack, ""), "r2");
  EXPECT_EQ(whole_board_name(rack, "/3"), "r2/3");
  EXPECT_EQ(whole_board_name(rack, "b7"), "b7");
  EXPECT_EQ(whole_board_name({}, "/3"), "/3");
}

TEST_F(Keys, ABoardsNameIsNamesWithSlashesBetween) {
  for (const char* good : {"b7", "rack-2/board.1", "a/b/c"}) EXPECT_TRUE(is_board_name(good)) << good;
  for (const std::string bad :
       {"", "/", "/a", "a/", "a//b", "a b", "a\nb", "\x1b[31m", ".hidden", "a/.b", "caf\xc3\xa9"})
    EXPECT_FALSE(is_board_name(bad)) << bad;
  EXPECT_FALSE(is_board_name(std::string(65, 'x')));
  EXPECT_FALSE(is_board_name("x/" + std::string(64, 'x') + "/" + std::string(64, 'x')));
}

TEST_F(Keys, KeepTheirPatternsInTheListAndOldLinesAreStillRead) {
  const std::string old = make_key_pair().public_key, key = make_key_pair().public_key;
  write("list", "runner " + old + " b7\n");
  ASSERT_TRUE(add_to_key_list(list, {Role::runner, key, "r2", false, {"r2/*", "spare"}}));
  const auto keys = read_key_list(list);
  ASSERT_TRUE(keys) << keys.error().text();
  EXPECT_THAT(keys->at(0).boards, testing::IsEmpty());
  EXPECT_THAT(keys->at(1).boards, testing::ElementsAre("r2/*", "spare"));
  EXPECT_THAT(add_to_key_list(list, {Role::runner, key, "r2", false, {"a b"}}).error().text(),
              HasSubstr("'a b' is no pattern of board names"));
  EXPECT_THAT(add_to_key_list(list, {Role::tuner, key, "r2", false, {"r2"}}).error().text(),
              HasSubstr("only a runner's key has boards"));
  write("list", "runner " + old + " b7 ok \x1b[2J\n");
  EXPECT_THAT(read_key_list(list).error().text(), HasSubstr("line 1: "));
}

TEST_F(Keys, AreRemovedByNameOrByFile) {
  const KeyPair b7 = make_key_pair(), other = make_key_pair(), me = make_key_pair();
  ASSERT_TRUE(write_key_pair(at("b7"), b7));
  for (const auto& [keys, name] : {std::pair(b7, "b7"), std::pair(other, "b7"), std::pair(me, "me")})
    ASSERT_TRUE(add_to_key_list(list, {Role::runner, keys.public_key, name}));
  const auto one = remove_from_key_list(list, at("b7.pub"));
  ASSERT_TRUE(one) << one.error().text();
  EXPECT_EQ(one->at(0).public_key, b7.public_key);
  EXPECT_EQ(read_key_list(list)->size(), 2u) << "another key of that name stays";
  ASSERT_TRUE(remove_from_key_list(list, "b7"));
  ASSERT_EQ(read_key_list(list)->size(), 1u);
  EXPECT_EQ(read_key_list(list)->at(0).name, "me");
  EXPECT_THAT(remove_from_key_list(list, "b7").error().text(), HasSubstr("no such key on the list"));
}

TEST_F(Keys, ABrokenListIsAnErrorWithItsLine) {
  write("list", "\nrunner " + make_key_pair().public_key + " a\nboss x y\n");
  EXPECT_THAT(read_key_list(list).error().text(), HasSubstr("line 3 is not 'ROLE KEY NAME [PATTERN...]'"));
  EXPECT_THAT(add_to_key_list(list, {}).error().text(), HasSubstr("line 3"));
  EXPECT_THAT(hub_keys("", list).error().text(), HasSubstr("go together"));
  EXPECT_THAT(peer_keys("a.key", "").error().text(), HasSubstr("in pairs"));
}

/// A hub that demands keys, a client that holds a right one, and strangers.
class Door : public Keys {
 protected:
  void SetUp() override {
    server = make_key_pair();
    write("list", "");
    hub.emplace(*Hub::bind("tcp://127.0.0.1:*", hub_options()));
    friendly.emplace(*connect(allow(Role::client, "friend")));
    ASSERT_TRUE(speaks(*friendly, Role::client));
  }
  TransportOptions hub_options() const {
    TransportOptions options;
    options.keys = TransportKeys{server, "", list};
    return options;
  }
  KeyPair allow(Role role, const char* name) const {
    const KeyPair keys = make_key_pair();
    EXPECT_TRUE(add_to_key_list(list, {role, keys.public_key, name}));
    return keys;
  }
  Result<Peer> connect(const KeyPair& own) const { return connect(own, server.public_key); }
  Result<Peer> connect(const KeyPair& own, const std::string& to) const {
    TransportOptions options;
    options.keys = TransportKeys{own, to, {}};
    return Peer::connect(hub->endpoint(), options);
  }
  /// Sends a hello and sees it arrive and be answered.
  bool speaks(Peer& peer, Role role) {
    Hello hello;
    hello.role = role;
    if (!peer.send(hello)) return false;
    const auto got = hub->receive(soon());
    if (!got || !got->received.message || !std::holds_alternative<Hello>(*got->received.message))
      return false;
    if (!hub->send(got->peer, wire::Welcome{1, 7, 100, 200})) return false;
    const auto answer = peer.receive(soon());
    return answer && answer->message && std::holds_alternative<wire::Welcome>(*answer->message);
  }
  /// Lets the hub work until it has counted; whatever it receives meanwhile is a failure.
  bool counts(const std::function<bool(const Refused&)>& condition) {
    const TimePoint give_up = soon();
    while (!condition(hub->refused())) {
      if (std::chrono::steady_clock::now() >= give_up) return false;
      EXPECT_FALSE(hub->receive(std::chrono::steady_clock::now() + std::chrono::milliseconds(20)));
    }
    return true;
  }
  /// What the peer is told while the hub works.
  std::string refusal(Peer& peer) {
    const TimePoint give_up = soon();
    while (std::chrono::steady_clock::now() < give_up) {
      EXPECT_FALSE(hub->receive(std::chrono::steady_clock::now() + std::chrono::milliseconds(10)));
      if (auto received = peer.receive(); received && received->message)
        if (const auto* refuse = std::get_if<wire::Refuse>(&*received->message)) return refuse->reason;
    }
    return "nothing";
  }
  bool others_are_undisturbed() {
    if (!friendly->send(wire::Fetch{digest_of("still here")})) return false;
    const auto got = hub->receive(soon());
    return got && got->received.message &&
           std::get<wire::Fetch>(*got->received.message).digest == digest_of("still here");
  }

  KeyPair server;
  std::optional<Hub> hub;
  std::optional<Peer> friendly;
};

TEST_F(Door, OpensForEachRoleWithItsKey) {
  for (const Role role : {Role::tuner, Role::runner, Role::client}) {
    auto peer = connect(allow(role, "x"));
    ASSERT_TRUE(peer);
    EXPECT_TRUE(speaks(*peer, role)) << to_text(role);
  }
  EXPECT_EQ(hub->refused().total(), 0u);
}

TEST_F(Door, StaysShutWithoutAKeyAndSaysWhy) {
  auto peer = Peer::connect(hub->endpoint());
  ASSERT_TRUE(peer->send(Hello{}));
  EXPECT_THAT(refusal(*peer), HasSubstr("demands a key"));
  EXPECT_TRUE(counts([](const Refused& refused) { return refused.handshakes > 0; }));
  EXPECT_EQ(hub->refused().keys, 0u);
  EXPECT_TRUE(others_are_undisturbed());
}

TEST_F(Door, StaysShutForAKeyThatIsNotListedAndOpensOnceItIs) {
  const KeyPair keys = make_key_pair();
  {
    auto stranger = connect(keys);
    ASSERT_TRUE(stranger->send(Hello{}));
    EXPECT_THAT(refusal(*stranger), HasSubstr("not on the scheduler's list"));
  }
  EXPECT_GE(hub->refused().keys, 1u);
  EXPECT_TRUE(others_are_undisturbed());
  ASSERT_TRUE(add_to_key_list(list, {Role::runner, keys.public_key, "late"}));
  auto again = connect(keys);
  EXPECT_TRUE(speaks(*again, Role::runner));
}

TEST_F(Door, StaysShutForEverybodyNewWhileTheListCannotBeRead) {
  const KeyPair keys = allow(Role::client, "x");
  write("list", "nonsense\n");
  auto peer = connect(keys);
  ASSERT_TRUE(peer->send(Hello{}));
  EXPECT_TRUE(counts([](const Refused& refused) { return refused.keys > 0; }));
  EXPECT_TRUE(others_are_undisturbed());
}

TEST_F(Door, IsNotFoundWithTheWrongKeyOfTheScheduler) {
  auto peer = connect(allow(Role::client, "x"), make_key_pair().public_key);
  ASSERT_TRUE(peer->send(Hello{}));
  EXPECT_TRUE(counts([](const Refused& refused) { return refused.handshakes > 0; }));
  EXPECT_TRUE(others_are_undisturbed());
}

TEST_F(Door, ARunnersKeyIsNoTunersKey) {
  auto peer = connect(allow(Role::runner, "board"));
  Hello hello;
  hello.role = Role::tuner;
  ASSERT_TRUE(peer->send(hello));
  EXPECT_EQ(refusal(*peer), "its key is for a runner, not for a tuner");
  EXPECT_EQ(hub->refused().roles, 1u);
  EXPECT_EQ(hub->refused().total(), 1u);
  EXPECT_TRUE(others_are_undisturbed());
  EXPECT_TRUE(speaks(*peer, Role::runner)) << "in its own role it may speak";
}

TEST_F(Door, AnOperatorsKeyIsAClientsAndTheHubSaysThatItIsMore) {
  const KeyPair keys = make_key_pair();
  AllowedKey key{Role::client, keys.public_key, "boss"};
  ASSERT_TRUE(set_role(key, "operator"));
  EXPECT_EQ(key.role, Role::client);
  ASSERT_TRUE(add_to_key_list(list, key));
  EXPECT_TRUE(read_key_list(list)->back().is_operator) << "it does not come back from the list";
  auto boss = connect(keys);
  ASSERT_TRUE(boss->send(Hello{}));
  const auto got = hub->receive(soon());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->key.name, "boss");
  EXPECT_TRUE(got->key.is_operator);
  ASSERT_TRUE(friendly->send(wire::Fetch{digest_of("x")}));
  const auto from_friend = hub->receive(soon());
  ASSERT_TRUE(from_friend);
  EXPECT_EQ(from_friend->key.name, "friend");
  EXPECT_FALSE(from_friend->key.is_operator);
  Hello hello;
  hello.role = Role::runner;
  ASSERT_TRUE(boss->send(hello));
  EXPECT_EQ(refusal(*boss), "its key is for an operator, not for a runner");
}

TEST_F(Door, ANameOfOnesOwnChoiceIsNotHeard) {
  const KeyPair keys = allow(Role::runner, "board");
  zmq::context_t context;
  zmq::socket_t socket(context, zmq::socket_type::dealer);
  socket.set(zmq::sockopt::linger, 0);
  socket.set(zmq::sockopt::routing_id, "somebody");
  socket.set(zmq::sockopt::curve_serverkey, server.public_key);
  socket.set(zmq::sockopt::curve_publickey, keys.public_key);
  socket.set(zmq::sockopt::curve_secretkey, keys.secret_key);
  socket.connect(hub->endpoint());
  const auto bytes = wire::encode(wire::Fetch{digest_of("x")});
  socket.send(zmq::buffer(bytes->data(), bytes->size()));
  EXPECT_TRUE(counts([](const Refused& refused) { return refused.roles == 1; }));
  EXPECT_TRUE(others_are_undisturbed());
}

TEST_F(Door, BytesOfNoProtocolAreCounted) {
  const std::string endpoint = hub->endpoint();
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(std::stoi(endpoint.substr(endpoint.rfind(':') + 1))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  uint64_t seen = 0;
  const std::string greeting = std::string("\xff\0\0\0\0\0\0\0\1\x7f", 10);
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), std::string(4096, '\0'), std::string(4096, '\xff'),
        greeting + "\3" + std::string(53, 'x') + std::string(500, 'y'), greeting.substr(0, 3),
        std::string()}) {
    const int stranger = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(::connect(stranger, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    (void)::send(stranger, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(stranger, SHUT_WR);
    EXPECT_TRUE(counts([&](const Refused& refused) { return refused.handshakes > seen; })) << bytes.size();
    seen = hub->refused().handshakes;
    ::close(stranger);
  }
  EXPECT_EQ(seen, 6u) << "each once";
  EXPECT_TRUE(others_are_undisturbed());
  auto late = connect(allow(Role::tuner, "t"));
  EXPECT_TRUE(speaks(*late, Role::tuner));
}

TEST_F(Door, APeerWithAKeyIsToldThatASchedulerUsesNone) {
  auto open = Hub::bind("tcp://127.0.0.1:*");
  ASSERT_TRUE(open);
  TransportOptions options;
  options.keys = TransportKeys{make_key_pair(), server.public_key, {}};
  auto peer = Peer::connect(open->endpoint(), options);
  ASSERT_TRUE(peer->send(Hello{}));
  const auto told = peer->receive(soon());
  ASSERT_TRUE(told && told->message);
  EXPECT_THAT(std::get<wire::Refuse>(*told->message).reason, HasSubstr("it uses no keys"));
  EXPECT_FALSE(open->receive());
}

TEST_F(Door, AGreetingSaysWhichSecurityASocketUses) {
  const std::chrono::seconds patience{60};
  auto open = Hub::bind("tcp://127.0.0.1:*");
  const std::string path = "ipc://" + testing::TempDir() + "greeting" + std::to_string(::getpid());
  auto local = Hub::bind(path);
  ASSERT_TRUE(open && local);
  EXPECT_EQ(greeted_mechanism(open->endpoint(), patience), "NULL");
  EXPECT_EQ(greeted_mechanism(path, patience), "NULL");
  EXPECT_EQ(greeted_mechanism(hub->endpoint(), patience), "CURVE");
  EXPECT_EQ(greeted_mechanism("tcp://127.0.0.1:1", patience), std::nullopt);
  EXPECT_EQ(greeted_mechanism("tcp://nowhere", patience), std::nullopt);
  EXPECT_EQ(greeted_mechanism("inproc://x", patience), std::nullopt);
}

TEST_F(Door, AWellKnownPeerThatLeavesIsNotCounted) {
  friendly.reset();
  auto other = connect(allow(Role::client, "other"));
  EXPECT_TRUE(speaks(*other, Role::client));
  EXPECT_TRUE(hub->refused().total() == 0);
}

TEST_F(Door, WithKeysAHubMayListenOffLoopback) {
  auto open = Hub::bind("tcp://0.0.0.0:*", hub_options());
  ASSERT_TRUE(open) << open.error().text();
  const std::string port = open->endpoint().substr(open->endpoint().rfind(':'));
  TransportOptions options;
  options.keys = TransportKeys{allow(Role::client, "c"), server.public_key, {}};
  auto peer = Peer::connect("tcp://127.0.0.1" + port, options);
  ASSERT_TRUE(peer->send(Hello{}));
  EXPECT_TRUE(open->receive(soon()));
}

TEST_F(Keys, AHostWhoseNameBeginsLikeLoopbackIsNotLoopback) {
  EXPECT_THAT(Peer::connect("tcp://127.example.org:5").error().text(), HasSubstr("CURVE keys"));
}

}  // namespace
}  // namespace hone
