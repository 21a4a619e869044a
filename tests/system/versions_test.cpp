// Programs of other versions: those of protocol 1 do their work in a lab of today, those from the future and
// from before are refused with both sides' versions, and a client of today says why it was refused elsewhere.
#include <gmock/gmock.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/system/old_peers.h"
#include "tests/system/old_relay.h"
#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using testing::AllOf;
using testing::HasSubstr;

constexpr uint64_t trials = 60;

/// Which of a lab's peers are old ones.
struct Mix {
  const char* name;
  bool tuner, runner, client;
  friend std::ostream& operator<<(std::ostream& out, const Mix& it) { return out << it.name; }
};

class OldPeers : public Rig, public testing::WithParamInterface<Mix> {};

TEST_P(OldPeers, OfProtocol1TakeAJobToItsEnd) {
  const Mix& mix = GetParam();
  auto server = scheduler();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "listens on"));
  std::unique_ptr<OldPeer> old_tuner, old_runner, old_client;
  std::unique_ptr<FakeTuner> tuner;
  std::unique_ptr<Running> rack;
  if (mix.tuner)
    old_tuner = std::make_unique<OldPeer>(endpoint(), wire::Role::tuner);
  else
    tuner = std::make_unique<FakeTuner>(endpoint());
  if (mix.runner)
    old_runner = std::make_unique<OldPeer>(endpoint(), wire::Role::runner);
  else
    rack = boards("seed 3\ntime_ns 100000 200000\n", 1);
  Client client(endpoint());
  if (mix.client) {
    old_client = std::make_unique<OldPeer>(endpoint(), wire::Role::client, trials);
    ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return old_client->completed(); }))
        << scheduler_said();
    EXPECT_GT(old_client->done(), 0u);
  } else {
    client.submit(request(trials));
    ASSERT_TRUE(client.ended()) << scheduler_said();
    EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
    EXPECT_EQ(client.event().trials, trials);
  }
  for (const auto* old : {old_tuner.get(), old_runner.get(), old_client.get()}) {
    if (old == nullptr) continue;
    EXPECT_EQ(old->protocol(), 1u);
    EXPECT_EQ(old->malformed(), 0u);
  }
  if (mix.tuner) {
    EXPECT_GE(old_tuner->done(), trials);
  }
  if (mix.runner) {
    EXPECT_GE(old_runner->done(), trials) << "so many results were acknowledged";
    const Finished shown = hone({"boards", "--scheduler", endpoint()}, scratch_);
    EXPECT_THAT(shown.out, AllOf(HasSubstr("Good"), HasSubstr("it cannot check itself"))) << shown.err;
  }
  EXPECT_GE(records().size(), trials);
  expect_sound(*server);
}

INSTANTIATE_TEST_SUITE_P(Versions, OldPeers,
                         testing::Values(Mix{"Tuner", true, false, false}, Mix{"Runner", false, true, false},
                                         Mix{"Client", false, false, true},
                                         Mix{"AllOfThem", true, true, true}),
                         [](const auto& mix) { return mix.param.name; });

class Versions : public Rig {
 protected:
  /// What a hello that speaks these protocols is answered with.
  std::string answer_to(uint32_t least, uint32_t most) {
    auto peer = Peer::connect(endpoint());
    wire::Hello hello;
    hello.protocol_min = least;
    hello.protocol_max = most;
    hello.build = "hone of another time";
    EXPECT_TRUE(peer->send(hello));
    const auto received = peer->receive(in(milliseconds(20000)));
    if (!received || !received->message) return "nothing";
    if (const auto* refuse = std::get_if<wire::Refuse>(&*received->message)) return refuse->reason;
    const auto* welcome = std::get_if<wire::Welcome>(&*received->message);
    return welcome == nullptr ? "something else" : "protocol " + std::to_string(welcome->protocol);
  }
};

TEST_F(Versions, WithoutACommonProtocolAreRefusedWithBothSidesVersions) {
  auto server = scheduler();
  EXPECT_THAT(answer_to(5, 6), AllOf(HasSubstr("speaks protocol 1 to 4"), HasSubstr("hone of another time"),
                                     HasSubstr("5 to 6"), HasSubstr("the scheduler is too old")));
  EXPECT_THAT(answer_to(0, 0), AllOf(HasSubstr("speaks protocol 1 to 4"), HasSubstr("the peer is too old")));
  EXPECT_EQ(answer_to(2, 9), "protocol 4");
  EXPECT_EQ(answer_to(1, 2), "protocol 2");
  EXPECT_EQ(answer_to(1, 1), "protocol 1");
  expect_sound(*server);
}

/// Programs of today at a scheduler of protocol 2, which for the scheduler are a tuner, a runner and a client
/// of protocol 2.
class Protocol2 : public Rig {
 protected:
  std::string old() const { return "ipc://" + (scratch_ / "old").string(); }
  std::vector<std::string> tune(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"tune", tiny_model(), "--scheduler", old(), "--trials", "8"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
};

TEST_F(Protocol2, TakesAJobToItsEndWithAllThreeProgramsAndSaysHowItStands) {
  auto server = scheduler();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "listens on"));
  OldRelay relay(old(), endpoint());
  Running tuner("hone-tuner", {"--scheduler", old(), "--jobs", "1"}, scratch_);
  Running runner("hone-runner", {"--scheduler", old(), "--name", "board"}, scratch_);
  const Finished tuned = hone(tune({"--target", "host"}), scratch_);
  EXPECT_EQ(tuned.exit_code, 0) << tuned.err << scheduler_said();
  const nlohmann::json now = status({"--scheduler", old()});
  EXPECT_EQ(now["protocol_max"], 2);
  EXPECT_EQ(now["malformed"], 0) << "nobody said what it should not";
  EXPECT_GE(relay.dropped().feature_versions, 1u);
  EXPECT_GE(relay.dropped().delays, 1u);
  EXPECT_FALSE(records().empty());
  const Finished jobs = hone({"jobs", "list", "--scheduler", old()}, scratch_);
  EXPECT_THAT(jobs.out, HasSubstr("Completed")) << jobs.err;
  const Finished shown = hone({"boards", "--scheduler", old()}, scratch_);
  EXPECT_THAT(shown.out, AllOf(HasSubstr("board"), HasSubstr("Good"))) << shown.err;
  expect_sound(*server);
}

TEST_F(Protocol2, IsGivenNoJobWithSeveralTargetsSinceItWouldTuneTheFirstAlone) {
  auto server = scheduler();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "listens on"));
  OldRelay relay(old(), endpoint());
  for (const bool leave : {false, true}) {
    std::vector<std::string> words = tune({"--target", "host", "--target", "aarch64-neon"});
    if (leave) words.push_back("--detach");
    const Finished refused = hone(words, scratch_);
    EXPECT_EQ(refused.exit_code, 1) << refused.out;
    EXPECT_THAT(refused.err, AllOf(HasSubstr("protocol 2"), HasSubstr("start a scheduler of protocol 3")));
  }
  EXPECT_EQ(relay.dropped().further_targets, 0u) << "none was sent";
  const Finished jobs = hone({"jobs", "list", "--scheduler", endpoint()}, scratch_);
  EXPECT_THAT(jobs.out, testing::Not(HasSubstr("tiny"))) << jobs.out;
}

/// Every program of today at a scheduler that is too old or too new for it.
TEST_F(Versions, ThatASchedulerRefusesAreToldToThePersonByEveryProgram) {
  auto hub = Hub::bind(endpoint());
  ASSERT_TRUE(hub) << hub.error().text();
  const std::string reason = "this scheduler (hone 9) speaks protocol 7 to 9, the peer (hone 0.1) 1 to 2";
  std::ofstream(scratch_ / "script") << "seed 1\n";
  const std::map<std::string, std::vector<std::string>> programs = {
      {"hone-runner", {"--scheduler", endpoint(), "--simulate", scratch_ / "script"}},
      {"hone-tuner", {"--scheduler", endpoint()}},
      {"hone", {"jobs", "list", "--scheduler", endpoint()}}};
  for (const auto& [name, arguments] : programs) {
    Running program(name, arguments, scratch_);
    const TimePoint give_up = in(milliseconds(20000));
    while (program.running() && std::chrono::steady_clock::now() < give_up)
      if (const auto received = hub->receive(in(milliseconds(100))))
        (void)hub->send(received->peer, wire::Refuse{reason});
    const Finished finished = program.finish();
    EXPECT_EQ(finished.exit_code, 1) << name;
    EXPECT_THAT(finished.err, HasSubstr(reason)) << name;
  }
}

}  // namespace
}  // namespace hone::testing_system
