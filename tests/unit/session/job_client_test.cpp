// The job's client against a scheduler played by the test: submits once, follows by id ever after.
#include "tuner/session/job_client.h"

#include <gmock/gmock.h>

#include "codegen/base/temporary_folder.h"

namespace hone::session {
namespace {

using Clock = std::chrono::steady_clock;

struct Stage {
  TemporaryFolder folder = *TemporaryFolder::make("test");
  std::string endpoint = "ipc://" + (folder.path() / "s").string();
  Hub hub = *Hub::bind(endpoint);
  PeerId peer;

  /// The next message of kind T that the client sends; others are passed over.
  template <class T>
  std::optional<T> next() {
    const auto deadline = Clock::now() + std::chrono::seconds(20);
    while (auto received = hub.receive(deadline)) {
      peer = received->peer;
      if (!received->received.message) return std::nullopt;
      if (auto* message = std::get_if<T>(&*received->received.message)) return *message;
    }
    return std::nullopt;
  }
  void say(const wire::Message& message) { ASSERT_TRUE(hub.send(peer, message)); }
};

/// Lets the client work until it has taken a message.
Result<std::optional<wire::JobEvent>> take(JobClient& client) {
  client.wait(Clock::now() + std::chrono::seconds(20), {});
  return client.take();
}

wire::JobRequest request() {
  wire::JobRequest request;
  request.name = "model";
  return request;
}

TEST(JobClient, SubmitsOnceWelcomedAndFollowsTheJob) {
  Stage stage;
  auto client = JobClient::connect(stage.endpoint, request());
  ASSERT_TRUE(client);
  ASSERT_EQ(stage.next<wire::Hello>()->role, wire::Role::client);
  stage.say(wire::Welcome{});
  ASSERT_TRUE(take(*client));
  EXPECT_EQ(stage.next<wire::JobRequest>()->name, "model");
  stage.say(wire::Accepted{17});
  ASSERT_TRUE(take(*client));
  EXPECT_EQ(stage.next<wire::Follow>()->job, 17u);
  wire::JobEvent event;
  event.job = 17;
  event.state = "Completed";
  stage.say(event);
  const auto taken = take(*client);
  ASSERT_TRUE(taken && *taken);
  EXPECT_TRUE(is_over((*taken)->state));
}

TEST(JobClient, SubmitsSeveralTargetsOnlyToASchedulerThatTakesThem) {
  for (const uint32_t protocol : {1u, 2u, 3u}) {
    Stage stage;
    wire::JobRequest both = request();
    both.parts[0].target = "x86_64";
    both.parts.push_back({"aarch64", {}, TimingMode::llc});
    auto client = JobClient::connect(stage.endpoint, both);
    ASSERT_TRUE(client);
    ASSERT_TRUE(stage.next<wire::Hello>());
    wire::Welcome welcome;
    welcome.protocol = protocol;
    stage.say(welcome);
    const auto taken = take(*client);
    if (protocol >= 3) {
      ASSERT_TRUE(taken) << taken.error().text();
      EXPECT_EQ(stage.next<wire::JobRequest>()->parts.size(), 2u);
    } else {
      ASSERT_FALSE(taken) << "cut to one target, and nobody knows";
      EXPECT_THAT(taken.error().text(), testing::HasSubstr("protocol " + std::to_string(protocol)));
      EXPECT_THAT(taken.error().text(), testing::HasSubstr("it would tune x86_64 alone"));
    }
  }
  EXPECT_TRUE(check_takes_all(request(), 1)) << "one target is understood by all";
}

TEST(JobClient, ReattachesToItsJobInsteadOfSubmittingAgain) {
  Stage stage;
  auto client = JobClient::connect(stage.endpoint, request());
  stage.next<wire::Hello>();
  stage.say(wire::Welcome{});
  ASSERT_TRUE(take(*client));
  stage.next<wire::JobRequest>();
  stage.say(wire::Accepted{17});
  ASSERT_TRUE(take(*client));
  stage.next<wire::Follow>();
  ASSERT_TRUE(client->reconnect());
  ASSERT_TRUE(stage.next<wire::Hello>());
  stage.say(wire::Welcome{});
  ASSERT_TRUE(take(*client));
  EXPECT_EQ(stage.next<wire::Follow>()->job, 17u);
}

TEST(JobClient, EventsOfOtherJobsAreNotItsOwn) {
  Stage stage;
  auto client = JobClient::connect(stage.endpoint, request());
  stage.next<wire::Hello>();
  stage.say(wire::Accepted{17});
  ASSERT_TRUE(take(*client));
  wire::JobEvent event;
  event.job = 16;
  stage.say(event);
  const auto taken = take(*client);
  ASSERT_TRUE(taken);
  EXPECT_FALSE(*taken);
}

TEST(JobClient, ARefusalIsAnErrorWithItsReason) {
  Stage stage;
  auto client = JobClient::connect(stage.endpoint, request());
  stage.next<wire::Hello>();
  stage.say(wire::Refuse{"protocol 9 is not spoken here"});
  const auto taken = take(*client);
  ASSERT_FALSE(taken);
  EXPECT_THAT(taken.error().text(), testing::HasSubstr("protocol 9 is not spoken here"));
}

TEST(JobClient, StopNamesTheJob) {
  Stage stage;
  auto client = JobClient::connect(stage.endpoint, request());
  stage.next<wire::Hello>();
  stage.say(wire::Accepted{17});
  ASSERT_TRUE(take(*client));
  client->stop();
  EXPECT_EQ(stage.next<wire::Stop>()->job, 17u);
}

}  // namespace
}  // namespace hone::session
