// One job on boards of several models and for several targets: each has its own search, budget and best.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using test::World;
using testing::HasSubstr;
using testing::IsEmpty;

size_t trials_on(const std::vector<Record>& records, const std::string& model) {
  return static_cast<size_t>(std::ranges::count_if(records, [&](const Record& record) {
    return record.board.model == model && !record.from.final && !record.artifact.empty();
  }));
}

/// A target that only boards of its own architecture have.
Target other_target() {
  Target target = test::make_target();
  target.triple = "aarch64-linux-gnu";
  target.features = "+neon";
  target.vector_bits = 128;
  return target;
}

TEST(Lanes, UseBoardsOfTwoModelsAtOnceEachWithTrialsOfItsOwn) {
  World world({}, 5);
  world.add_tuner("t");
  world.add_runner("a1");
  world.add_runner("a2");
  world.add_runner("b", "Another board");
  world.submit(test::make_request(2, 40));
  ASSERT_TRUE(world.run(Time(600000)));
  const wire::JobEvent& event = world.last_event();
  EXPECT_EQ(event.state, "Completed") << event.reason;
  ASSERT_EQ(event.lanes.size(), 2u);
  EXPECT_EQ(event.lanes[0].board_model, "Test board");
  EXPECT_EQ(event.lanes[0].boards, 2u);
  EXPECT_EQ(event.lanes[1].board_model, "Another board");
  uint64_t all = 0;
  for (const wire::JobLane& lane : event.lanes) {
    uint32_t trials = 0;
    for (const wire::TaskProgress& task : lane.tasks) {
      EXPECT_TRUE(task.finished);
      EXPECT_GT(task.best_ns, 0) << lane.board_model;
      trials += task.trials;
    }
    EXPECT_GE(trials, 40u) << lane.board_model;
    all += trials;
  }
  EXPECT_EQ(event.trials, all);
  EXPECT_GE(trials_on(world.disk(), "Test board"), 40u);
  EXPECT_GE(trials_on(world.disk(), "Another board"), 40u);
  EXPECT_THAT(world.broken, IsEmpty());
}

TEST(Lanes, SurviveRestartsAndFaultsOfEveryKind) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    World world({}, seed);
    world.add_tuner("t1");
    world.add_tuner("t2");
    world.add_runner("a");
    world.add_runner("b", "Another board");
    world.faults = {.kill_tuner = 0.002,
                    .kill_runner = 0.002,
                    .kill_scheduler = 0.002,
                    .disk_full = 0.002,
                    .lose_connection = 0.005};
    world.submit(test::make_request(2, 30));
    ASSERT_TRUE(world.run(Time(3600000))) << seed;
    EXPECT_EQ(world.last_event().state, "Completed") << world.last_event().reason;
    EXPECT_EQ(world.last_event().lanes.size(), 2u);
    EXPECT_THAT(world.broken, IsEmpty()) << seed;
  }
}

TEST(Lanes, AreOnePerTargetWithTheTasksOfThatTarget) {
  Hand hand;
  wire::JobRequest request = test::make_request(1, 10);
  request.parts.push_back({to_text(other_target()), {test::make_task(7)}, TimingMode::dram});
  hand.hello("client", wire::Role::client);
  hand.say("client", request);
  hand.durable();
  hand.hello("tuner", wire::Role::tuner, 2);
  hand.hello("here", wire::Role::runner);
  Board arm = test::make_board("arm", "Arm board");
  arm.target = other_target();
  wire::Hello hello;
  hello.role = wire::Role::runner;
  hello.name = "there";
  hello.capacity = 1;
  hello.board = to_text(arm);
  hand.say("there", hello);
  hand.tick(300);
  const auto event = hand.last<wire::JobEvent>("client");
  ASSERT_EQ(event->lanes.size(), 2u);
  EXPECT_EQ(event->boards, 2u);
  EXPECT_EQ(event->lanes[1].part, 1u);
  EXPECT_EQ(event->lanes[1].board_model, "Arm board");
  // A round of each target, and each is measured where it runs.
  std::vector<wire::Round> rounds;
  for (const Outgoing& outgoing : hand.sent)
    if (const auto* want = std::get_if<wire::Want>(&outgoing.message); want && outgoing.peer == "tuner")
      rounds.insert(rounds.end(), want->rounds.begin(), want->rounds.end());
  ASSERT_EQ(rounds.size(), 2u);
  EXPECT_EQ(rounds[0].target, request.parts[0].target);
  EXPECT_EQ(rounds[1].target, request.parts[1].target);
  EXPECT_EQ(rounds[1].task, request.parts[1].tasks[0].task);
  EXPECT_EQ(rounds[1].mode, TimingMode::dram);
  hand.build("tuner", rounds[1], "arm code", 0);
  EXPECT_EQ(hand.last<wire::Want>("there")->measurements.at(0).artifact, digest_of("arm code"));
  hand.build("tuner", rounds[0], "x86 code", 0);
  EXPECT_EQ(hand.last<wire::Want>("here")->measurements.at(0).artifact, digest_of("x86 code"));
  hand.say("there", hand.result(hand.last<wire::Want>("there")->measurements.at(0)));
  ASSERT_EQ(hand.records.size(), 1u);
  EXPECT_EQ(hand.records[0].board.model, "Arm board");
  EXPECT_EQ(hand.records[0].candidate.target, request.parts[1].target);
}

TEST(Lanes, OfATargetWithoutABoardAreWaitedForAndThenNamed) {
  Settings settings;
  settings.worker_wait = Time(20000);
  World world(settings, 5);
  world.add_tuner("t");
  world.add_runner("a");
  wire::JobRequest request = test::make_request(1, 10);
  request.parts.push_back({to_text(other_target()), {test::make_task(7)}, TimingMode::llc});
  world.submit(request);
  EXPECT_FALSE(world.run(Time(19000))) << "the board may still come";
  ASSERT_TRUE(world.run(Time(3000)));
  EXPECT_EQ(world.last_event().state, "Completed");
  EXPECT_THAT(world.last_event().reason, HasSubstr("no board for"));
  EXPECT_THAT(world.last_event().reason, HasSubstr("aarch64"));
}

TEST(Lanes, WhoseBoardsAreGoneAreLeftAndTheOthersGoOn) {
  Settings settings;
  settings.worker_wait = Time(2000);
  Hand hand(settings);
  hand.hello("client", wire::Role::client);
  hand.hello("tuner", wire::Role::tuner, 4);
  hand.hello("a", wire::Role::runner);
  hand.hello("b", wire::Role::runner, 1, "Another board");
  hand.say("client", test::make_request(1, 10));
  hand.durable();
  hand.take(hand.core.gone({hand.now, 1}, "b"));
  const auto stay = [&](int ms) {
    for (int i = 0; i < ms; i += 500) {
      hand.tick(500);
      for (const char* peer : {"a", "tuner"}) {
        wire::WorkerState state;
        state.leases = hand.core.peers().at(peer).role == wire::Role::tuner
                           ? hand.last<wire::Want>("tuner")->leases
                           : std::vector<wire::LeaseRef>();
        hand.say(peer, state);
      }
    }
  };
  stay(1000);
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->lanes.at(1).reason, "");
  stay(2000);
  const auto event = hand.last<wire::JobEvent>("client");
  EXPECT_EQ(event->state, "InProgress");
  EXPECT_THAT(event->lanes.at(1).reason, HasSubstr("none of its boards was Good for 2 s"));
  EXPECT_EQ(event->lanes.at(0).reason, "");
}

TEST(Lanes, AllLearnOfACandidateThatCannotBeBuilt) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("tuner", wire::Role::tuner, 2);
  hand.hello("a", wire::Role::runner);
  hand.hello("b", wire::Role::runner, 1, "Another board");
  hand.say("client", test::make_request(1, 10));
  hand.durable();
  wire::Built failed;
  failed.lease = hand.last<wire::Want>("tuner")->leases.at(0);
  const wire::Round round = hand.last<wire::Want>("tuner")->rounds.at(0);
  failed.candidate = {round.task, round.target, "direct", 1, round.ports, "p=bad", "split"};
  failed.status = MeasureStatus::build_error;
  failed.message = "no register is left";
  hand.say("tuner", failed);
  ASSERT_EQ(hand.records.size(), 1u);
  EXPECT_EQ(hand.records[0].board.model, "") << "it was on no board";
  const Job& job = hand.core.jobs().at(round.job);
  ASSERT_EQ(job.lanes.size(), 2u);
  for (const Lane& lane : job.lanes) EXPECT_TRUE(lane.tasks[0].knows("direct p=bad", 1)) << lane.board_model;
}

TEST(Lanes, AreThereAgainAfterARestart) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("tuner", wire::Role::tuner, 2);
  hand.hello("a", wire::Role::runner);
  hand.hello("b", wire::Role::runner, 1, "Another board");
  hand.say("client", test::make_request(1, 10));
  hand.durable();
  auto recovered = recover(hand.entries);
  ASSERT_TRUE(recovered) << recovered.error().text();
  ++recovered->boot;
  Hand next({}, {}, *recovered);
  ASSERT_EQ(next.core.jobs().size(), 1u);
  const Job& job = next.core.jobs().begin()->second;
  ASSERT_EQ(job.lanes.size(), 2u);
  EXPECT_EQ(job.board_models(), "Test board, Another board");
}

TEST(Lanes, RefuseATargetThatIsThereTwice) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  wire::JobRequest request = test::make_request(1, 10);
  request.parts.push_back({request.parts[0].target, request.parts[0].tasks, TimingMode::llc});
  hand.say("client", request);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("a target is there twice"));
}

}  // namespace
}  // namespace hone::scheduler
