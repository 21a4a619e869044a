// Peers and hub over real sockets: delivery, loss, reconnects, limits. Every wait has a deadline; none is
// timed.
#include "measure/transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <optional>
#include <thread>
#include <zmq.hpp>

namespace hone {
namespace {

using testing::HasSubstr;
using wire::Bytes;
using wire::Fetch;
using wire::Hello;
using wire::Welcome;

TimePoint soon() { return std::chrono::steady_clock::now() + std::chrono::seconds(20); }

class Transport : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/hone-transport-XXXXXX";
    folder = ::mkdtemp(name);
    endpoint = "ipc://" + folder + "/hub";
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string folder, endpoint;
};

TEST_F(Transport, AMessageAndItsBlobsArriveBothWays) {
  auto hub = Hub::bind(endpoint);
  ASSERT_TRUE(hub) << hub.error().text();
  auto peer = Peer::connect(endpoint);
  ASSERT_TRUE(peer);
  Hello hello;
  hello.name = "me";
  Bytes blob(300000, std::byte{7});
  ASSERT_TRUE(peer->send(hello, std::vector{blob, Bytes{}}));
  auto got = hub->receive(soon());
  ASSERT_TRUE(got);
  ASSERT_TRUE(got->received.message);
  EXPECT_EQ(std::get<Hello>(*got->received.message).name, "me");
  ASSERT_EQ(got->received.blobs.size(), 2u);
  EXPECT_EQ(got->received.blobs[0], blob);
  EXPECT_TRUE(got->received.blobs[1].empty());

  ASSERT_TRUE(hub->send(got->peer, Welcome{1, 5, 100, 200}));
  auto answer = peer->receive(soon());
  ASSERT_TRUE(answer);
  EXPECT_EQ(std::get<Welcome>(*answer->message).worker, 5u);
}

TEST_F(Transport, APeerMayConnectBeforeTheHubIsThere) {
  auto peer = Peer::connect(endpoint);
  ASSERT_TRUE(peer);
  ASSERT_TRUE(peer->send(Fetch{digest_of("early")}));
  auto hub = Hub::bind(endpoint);
  ASSERT_TRUE(hub);
  auto got = hub->receive(soon());
  ASSERT_TRUE(got);
  EXPECT_EQ(std::get<Fetch>(*got->received.message).digest, digest_of("early"));
}

TEST_F(Transport, PeersAreToldApart) {
  auto hub = Hub::bind(endpoint);
  auto one = Peer::connect(endpoint), two = Peer::connect(endpoint);
  ASSERT_TRUE(hub && one && two);
  ASSERT_TRUE(one->send(Fetch{digest_of("1")}));
  auto first = hub->receive(soon());
  ASSERT_TRUE(two->send(Fetch{digest_of("2")}));
  auto second = hub->receive(soon());
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->peer, second->peer);
  ASSERT_TRUE(hub->send(second->peer, Fetch{digest_of("for two")}));
  auto got = two->receive(soon());
  ASSERT_TRUE(got);
  EXPECT_EQ(std::get<Fetch>(*got->message).digest, digest_of("for two"));
  EXPECT_FALSE(one->receive());
}

TEST_F(Transport, SendingToAnUnknownPeerIsAnErrorNotSilence) {
  auto hub = Hub::bind(endpoint);
  ASSERT_TRUE(hub);
  EXPECT_THAT(hub->send("nobody", Welcome{}).error().text(), HasSubstr("is not connected"));
}

TEST_F(Transport, AReconnectIsANewPeerAndTheOldOneIsGone) {
  auto hub = Hub::bind(endpoint);
  auto peer = Peer::connect(endpoint);
  ASSERT_TRUE(peer->send(Fetch{digest_of("before")}));
  auto before = hub->receive(soon());
  ASSERT_TRUE(before);
  ASSERT_TRUE(peer->reconnect());
  ASSERT_TRUE(peer->send(Fetch{digest_of("after")}));
  auto after = hub->receive(soon());
  ASSERT_TRUE(after);
  EXPECT_NE(before->peer, after->peer);
  ASSERT_TRUE(hub->send(after->peer, Welcome{}));
  EXPECT_TRUE(peer->receive(soon()));
}

TEST_F(Transport, ARestartedHubIsReachedByAReconnectedPeer) {
  auto hub = Hub::bind(endpoint);
  ASSERT_TRUE(hub);
  auto peer = Peer::connect(endpoint);
  ASSERT_TRUE(peer->send(Fetch{digest_of("first")}));
  ASSERT_TRUE(hub->receive(soon()));
  {
    Hub gone = std::move(*hub);
  }
  hub = Hub::bind(endpoint);
  ASSERT_TRUE(hub) << hub.error().text();
  ASSERT_TRUE(peer->reconnect());
  ASSERT_TRUE(peer->send(Fetch{digest_of("again")}));
  auto got = hub->receive(soon());
  ASSERT_TRUE(got);
  EXPECT_EQ(std::get<Fetch>(*got->received.message).digest, digest_of("again"));
}

TEST_F(Transport, APeerComesBackHoweverOftenItsHubDiesWhileItReconnects) {
  auto peer = Peer::connect(endpoint);
  ASSERT_TRUE(peer);
  for (int death = 0; death < 100; ++death) {
    auto hub = Hub::bind(endpoint);
    ASSERT_TRUE(hub) << hub.error().text();
    ASSERT_TRUE(peer->reconnect());
    ASSERT_TRUE(peer->send(Hello{}));
    ASSERT_TRUE(hub->receive(soon())) << "not heard after " << death << " deaths";
    // The old connection ends in ZeroMQ's thread while this one makes a new socket.
    std::thread dies([&] { std::optional<Hub>(std::move(*hub)).reset(); });
    EXPECT_TRUE(peer->reconnect());
    dies.join();
  }
}

TEST_F(Transport, GarbageIsAnErrorAndTheConnectionLivesOn) {
  auto hub = Hub::bind(endpoint);
  zmq::context_t context;
  zmq::socket_t stranger(context, zmq::socket_type::dealer);
  stranger.set(zmq::sockopt::linger, 0);
  stranger.connect(endpoint);
  stranger.send(zmq::str_buffer("not a message at all, really"));
  auto got = hub->receive(soon());
  ASSERT_TRUE(got);
  EXPECT_FALSE(got->received.message);
  EXPECT_TRUE(got->received.blobs.empty());

  auto bytes = wire::encode(Fetch{digest_of("good")});
  for (int i = 0; i < 20; ++i)
    stranger.send(zmq::buffer(bytes->data(), bytes->size()), zmq::send_flags::sndmore);
  stranger.send(zmq::buffer(bytes->data(), bytes->size()));
  got = hub->receive(soon());
  ASSERT_TRUE(got);
  ASSERT_FALSE(got->received.message);
  EXPECT_THAT(got->received.message.error().text(), HasSubstr("too many frames"));

  stranger.send(zmq::buffer(bytes->data(), bytes->size()));
  got = hub->receive(soon());
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->received.message);
}

TEST_F(Transport, BlobsBeyondTheLimitsAreRefusedBeforeTheyAreSent) {
  auto peer = Peer::connect(endpoint);
  EXPECT_THAT(peer->send(Fetch{digest_of("x")}, std::vector<Bytes>(5)).error().text(),
              HasSubstr("5 blobs, at most 4"));
  EXPECT_THAT(peer->send(Fetch{digest_of("x")}, std::vector<Bytes>{Bytes(wire::Limits::blob_bytes + 1)})
                  .error()
                  .text(),
              HasSubstr("67108865 bytes, at most 67108864"));
}

TEST_F(Transport, AFullQueueIsAnErrorNotABlock) {
  TransportOptions options;
  options.queue_messages = 3;
  auto peer = Peer::connect(endpoint, options);
  Status status;
  for (int i = 0; i < 10 && status; ++i) status = peer->send(Fetch{digest_of("x")});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().text(), HasSubstr("queue is full"));
}

TEST_F(Transport, OffLoopbackNothingListensWithoutKeys) {
  for (const char* bad :
       {"tcp://0.0.0.0:5555", "tcp://*:5555", "tcp://192.168.1.4:5555", "tcp://[::]:5555"}) {
    auto hub = Hub::bind(bad);
    ASSERT_FALSE(hub) << bad;
    EXPECT_THAT(hub.error().text(), HasSubstr("CURVE keys"));
  }
  EXPECT_THAT(Peer::connect("tcp://10.0.0.1:1").error().text(), HasSubstr("CURVE keys"));
}

TEST_F(Transport, LoopbackTcpWorksOnAChosenPort) {
  auto hub = Hub::bind("tcp://127.0.0.1:*");
  ASSERT_TRUE(hub) << hub.error().text();
  EXPECT_THAT(hub->endpoint(), testing::MatchesRegex("tcp://127.0.0.1:[0-9]+"));
  auto peer = Peer::connect(hub->endpoint());
  ASSERT_TRUE(peer->send(Fetch{digest_of("x")}));
  EXPECT_TRUE(hub->receive(soon()));
}

TEST_F(Transport, MalformedEndpointsAreErrors) {
  EXPECT_THAT(Hub::bind("http://x").error().text(), HasSubstr("is no endpoint"));
  EXPECT_THAT(Hub::bind("ipc://").error().text(), HasSubstr("needs a path"));
  EXPECT_THAT(Hub::bind("tcp://127.0.0.1").error().text(), HasSubstr("needs a host and a port"));
  EXPECT_THAT(Peer::connect("ipc:///tmp/" + std::string(200, 'x')).error().text(),
              HasSubstr("at most 107 fit"));
  EXPECT_THAT(Hub::bind("ipc:///no/such/folder/hub").error().text(), HasSubstr("cannot listen"));
}

TEST_F(Transport, TheIpcSocketIsPrivate) {
  auto hub = Hub::bind(endpoint);
  struct stat info;
  ASSERT_EQ(::stat((folder + "/hub").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 077, 0u);
}

TEST_F(Transport, AWaitEndsWithAnEventFromAnotherThread) {
  auto hub = Hub::bind(endpoint);
  WakeUp wake_up;
  std::thread other([&] { wake_up.notify(); });
  auto waited = hub->wait(soon(), std::vector{wake_up.fd()});
  other.join();
  EXPECT_FALSE(waited.message);
  EXPECT_EQ(waited.ready, std::vector{wake_up.fd()});
  wake_up.clear();
  EXPECT_TRUE(hub->wait(std::chrono::steady_clock::now(), std::vector{wake_up.fd()}).ready.empty());
}

TEST_F(Transport, AWaitEndsWithATerminationSignal) {
  auto peer = Peer::connect(endpoint);
  TerminationSignals signals;
  EXPECT_EQ(signals.take(), 0);
  ::raise(SIGTERM);
  EXPECT_EQ(peer->wait(soon(), std::vector{signals.fd()}).ready, std::vector{signals.fd()});
  EXPECT_EQ(signals.take(), SIGTERM);
}

TEST_F(Transport, APassedDeadlineGivesNothing) {
  auto hub = Hub::bind(endpoint);
  EXPECT_FALSE(hub->receive(std::chrono::steady_clock::now() - std::chrono::seconds(1)));
}

}  // namespace
}  // namespace hone
