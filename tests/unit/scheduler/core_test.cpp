// The state machine step by step: what it answers, when it acknowledges, how jobs end.
#include "scheduler/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using test::make_request;
using test::Measuring;
using testing::HasSubstr;

TEST(Hello, IsAnsweredWithWelcomeOrTheReasonOfRefusal) {
  Hand hand;
  hand.hello("runner", wire::Role::runner);
  ASSERT_TRUE(hand.last<wire::Welcome>("runner"));
  EXPECT_GT(hand.last<wire::Welcome>("runner")->lease_ms, 0u);
  wire::Hello old;
  old.protocol_min = 7;
  old.protocol_max = 9;
  hand.say("old", old);
  EXPECT_THAT(hand.last<wire::Refuse>("old")->reason,
              HasSubstr("speaks protocol 1 to 4, the peer (unknown build) 7 to 9: the scheduler is too old"));
  old.protocol_min = old.protocol_max = 0;
  old.build = "hone 0.0";
  hand.say("old", old);
  EXPECT_THAT(hand.last<wire::Refuse>("old")->reason,
              HasSubstr("the peer (hone 0.0) 0: the peer is too old"));
  old.protocol_min = old.protocol_max = 1;
  hand.say("of version 1", old);
  EXPECT_EQ(hand.last<wire::Welcome>("of version 1")->protocol, 1u);
  old.protocol_max = 12;
  hand.say("newer", old);
  EXPECT_EQ(hand.last<wire::Welcome>("newer")->protocol, wire::protocol_version);
  wire::Hello odd;
  odd.role = wire::Role::runner;
  odd.board = "what?";
  hand.say("odd", odd);
  EXPECT_THAT(hand.last<wire::Refuse>("odd")->reason, HasSubstr("its board is not understood"));
  hand.say("rude", wire::WorkerState{});
  EXPECT_THAT(hand.last<wire::NotUnderstood>("rude")->reason, HasSubstr("say hello first"));
}

TEST(Messages, OfAnotherRoleAreRefused) {
  Hand hand;
  hand.hello("runner", wire::Role::runner);
  hand.say("runner", make_request(1, 10));
  EXPECT_THAT(hand.last<wire::NotUnderstood>("runner")->reason, HasSubstr("not for a peer of this role"));
  hand.say("runner", wire::Want{});
  EXPECT_THAT(hand.last<wire::NotUnderstood>("runner")->reason, HasSubstr("only a scheduler sends"));
  EXPECT_EQ(hand.core.counters().malformed, 2u);
}

TEST(Submit, RefusesJobsThatMakeNoSenseAndSaysWhy) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.say("client", make_request(0, 10));
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("it has no tasks"));
  wire::JobRequest request = make_request(1, 10);
  request.parts[0].target = "potato";
  hand.say("client", request);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("the job was not accepted"));
  request = make_request(2, 10);
  request.parts[0].tasks[1] = request.parts[0].tasks[0];
  hand.say("client", request);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("twice"));
  hand.say("client", wire::Follow{99});
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("there is no job 99"));
  EXPECT_TRUE(hand.core.jobs().empty());
}

TEST(Submit, IsAcceptedOnlyOnceTheJobIsDurable) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.say("client", make_request(1, 10));
  EXPECT_FALSE(hand.last<wire::Accepted>("client"));
  hand.durable();
  EXPECT_TRUE(hand.last<wire::Accepted>("client"));
}

TEST(Rounds, AskForTrialZeroOfEveryTaskFirst) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("tuner", wire::Role::tuner, 8);
  hand.hello("runner", wire::Role::runner);
  hand.say("client", make_request(3, 100));
  const auto want = hand.last<wire::Want>("tuner");
  ASSERT_TRUE(want);
  ASSERT_EQ(want->rounds.size(), 3u);
  std::set<std::string> tasks;
  for (const wire::Round& round : want->rounds) {
    EXPECT_EQ(std::get<wire::Propose>(round.asks).first_trial, 0u);
    EXPECT_EQ(std::get<wire::Propose>(round.asks).count, 1u);
    tasks.insert(round.task);
  }
  EXPECT_EQ(tasks.size(), 3u);
}

TEST(Commits, AreAcknowledgedOnlyAfterTheJournalIsDurable) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  ASSERT_EQ(hand.records.size(), 1u);
  EXPECT_EQ(record_identity(hand.records[0]), hand.request.id);
  EXPECT_FALSE(hand.last<wire::Committed>("runner"));
  hand.say("runner", hand.result(hand.request));
  EXPECT_EQ(hand.records.size(), 1u) << "one commit per id";
  EXPECT_FALSE(hand.last<wire::Committed>("runner")) << "not even the second time";
  hand.durable();
  EXPECT_THAT(hand.last<wire::Committed>("runner")->ids, testing::ElementsAre(hand.request.id));
}

TEST(Commits, HappenOnceHoweverOftenTheResultComes) {
  Measuring hand;
  for (int i = 0; i < 5; ++i) {
    hand.say("runner", hand.result(hand.request, 1000 + i));
    hand.durable();
  }
  EXPECT_EQ(hand.records.size(), 1u);
  EXPECT_EQ(hand.core.counters().duplicates, 4u);
}

TEST(Commits, ResultsNobodyKnowsAreAcknowledgedSoThatTheRunnerForgetsThem) {
  Measuring hand;
  wire::Measured strange = hand.result(hand.request);
  strange.id = digest_of("strange");
  hand.say("runner", strange);
  EXPECT_TRUE(hand.records.empty());
  EXPECT_THAT(hand.last<wire::Committed>("runner")->ids, testing::ElementsAre(strange.id));
}

TEST(Commits, AResultOfAnotherBoardIsDropped) {
  Measuring hand;
  hand.hello("other", wire::Role::runner);
  hand.say("other", hand.result(hand.request));
  EXPECT_TRUE(hand.records.empty());
  EXPECT_EQ(hand.core.counters().stale, 1u);
}

TEST(Leases, OfALostRunnerAreGivenAgainWithAHigherEpoch) {
  Measuring hand;
  hand.tick(100);
  hand.take(hand.core.gone({hand.now, 1}, "runner"));
  hand.hello("runner2", wire::Role::runner);
  const auto again = hand.last<wire::Want>("runner2");
  ASSERT_TRUE(again && again->measurements.size() == 1);
  EXPECT_EQ(again->measurements[0].lease.id, hand.request.lease.id);
  EXPECT_GT(again->measurements[0].lease.epoch, hand.request.lease.epoch);
}

TEST(Leases, OfASilentWorkerAreLostAfterTheLossTime) {
  Measuring hand;
  hand.tick(2000);
  EXPECT_TRUE(hand.core.peers().contains("runner"));
  hand.tick(1500);
  EXPECT_FALSE(hand.core.peers().contains("runner"));
  EXPECT_EQ(hand.core.counters().lost_workers, 2u);
}

TEST(Leases, AreKeptByAWorkerThatNamesThemInItsState) {
  Measuring hand;
  for (int i = 0; i < 12; ++i) {
    hand.tick(1000);
    hand.say("runner", wire::WorkerState{{hand.request.lease}, -1, -1});
    hand.say("tuner", wire::WorkerState{{hand.round.lease}, -1, -1});
  }
  EXPECT_EQ(hand.core.works().at(hand.request.lease.id).holder, "runner");
  EXPECT_THAT(hand.last<wire::Want>("runner")->leases, testing::ElementsAre(hand.request.lease));
}

TEST(Leases, OfAMeasurementThatNeverEndsAreTakenAway) {
  Measuring hand;
  for (int i = 0; i < 40; ++i) {
    hand.tick(1000);
    hand.say("runner", wire::WorkerState{{hand.request.lease}, -1, -1});
    hand.say("tuner", wire::WorkerState{{hand.round.lease}, -1, -1});
  }
  EXPECT_GE(hand.core.counters().expired_leases, 1u);
}

TEST(Leases, AWorkerThatDroppedItsWorkIsGivenItAgain) {
  Measuring hand;
  hand.say("runner", wire::WorkerState{{hand.request.lease}, -1, -1});
  hand.say("runner", wire::WorkerState{});
  const auto again = hand.last<wire::Want>("runner");
  ASSERT_EQ(again->measurements.size(), 1u);
  EXPECT_GT(again->measurements[0].lease.epoch, hand.request.lease.epoch);
}

TEST(Leases, ResultsOfAnOlderEpochAreDroppedIfBuiltAndCommittedIfMeasured) {
  Measuring hand;
  hand.say("runner", wire::WorkerState{{hand.request.lease}, -1, -1});
  hand.say("runner", wire::WorkerState{});  // leased again with a new epoch
  hand.say("runner", hand.result(hand.request));
  EXPECT_EQ(hand.records.size(), 1u);
  EXPECT_EQ(hand.core.counters().late_commits, 1u);
  EXPECT_FALSE(hand.core.works().contains(hand.request.lease.id));
  wire::Round old = hand.round;
  ++old.lease.epoch;
  hand.build("tuner", old, "late", 1);
  EXPECT_EQ(hand.core.counters().stale, 1u);
}

TEST(Candidates, ThatLoseThreeBoardsAreSetAsideWithAReason) {
  Measuring hand;
  hand.take(hand.core.gone({hand.now, 1}, "runner"));
  for (const char* next : {"runner2", "runner3"}) {
    hand.hello(next, wire::Role::runner);
    EXPECT_TRUE(hand.records.empty());
    hand.take(hand.core.gone({hand.now, 1}, next));
  }
  ASSERT_EQ(hand.records.size(), 1u);
  EXPECT_EQ(hand.records[0].measurement.status, MeasureStatus::board_lost);
  EXPECT_THAT(hand.records[0].measurement.message, HasSubstr("set aside after 3 attempts"));
}

/// The number of tuners that are lost with the round before it is dropped, after they said that they hold it
/// or before.
int losses_of_a_round(bool says_that_it_holds_it) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("runner", wire::Role::runner);
  hand.say("client", make_request(1, 10));
  hand.durable();
  const auto offered = [&](const std::string& tuner) {
    hand.hello(tuner, wire::Role::tuner);
    return hand.last<wire::Want>(tuner)->rounds.at(0);
  };
  const wire::Round first = offered("tuner 0");
  for (int lost = 0;; ++lost) {
    const std::string tuner = "tuner " + std::to_string(lost);
    const wire::Round round = lost == 0 ? first : offered(tuner);
    if (round.lease.id != first.lease.id || lost == 1000) return lost;
    if (says_that_it_holds_it) hand.say(tuner, wire::WorkerState{{round.lease}, -1, -1});
    hand.take(hand.core.gone({hand.now, 1}, tuner));
  }
}

TEST(Rounds, ThatLoseTwoTunersAreDropped) { EXPECT_EQ(losses_of_a_round(true), 2); }

TEST(Rounds, ThatTunersLeaveWithBeforeTheyHoldThemGoToOthersManyTimesButNotForEver) {
  EXPECT_EQ(losses_of_a_round(false), 50);
}

TEST(Candidates, OfWhichAnUnhealthyBoardSaysNothingAreMeasuredAgain) {
  Measuring hand;
  for (int i = 0; i < 3; ++i) {
    const auto request = hand.last<wire::Want>("runner")->measurements.at(0);
    wire::Measured measured = hand.result(request);
    measured.measurement.status = MeasureStatus::board_unhealthy;
    measured.measurement.message = "throttled";
    EXPECT_TRUE(hand.records.empty());
    hand.say("runner", measured);
  }
  ASSERT_EQ(hand.records.size(), 1u);
  EXPECT_EQ(hand.records[0].measurement.status, MeasureStatus::board_unhealthy);
}

TEST(Candidates, WithOtherBytesThanTheyNameAreBuildErrors) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("tuner", wire::Role::tuner);
  hand.hello("runner", wire::Role::runner);
  hand.say("client", make_request(1, 10));
  const wire::Round round = hand.last<wire::Want>("tuner")->rounds.at(0);
  wire::Built built;
  built.lease = round.lease;
  built.candidate = {round.task, round.target, "direct", 1, round.ports, "p=1", "split"};
  built.artifact = digest_of("what it names");
  hand.say("tuner", built, {wire::Bytes(3)});
  ASSERT_EQ(hand.records.size(), 1u);
  EXPECT_THAT(hand.records[0].measurement.message, HasSubstr("other bytes than the artifact it named"));
}

TEST(Candidates, OfAnotherTaskThanTheRoundsAreRefused) {
  Measuring hand;
  wire::Round other = hand.round;
  other.task = "task v1 something else";
  hand.build("tuner", other, "x", 1);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("tuner")->reason, HasSubstr("not of the round's task"));
}

TEST(Candidates, ThatCompileToTheSameCodeAreMeasuredOnce) {
  Measuring hand;
  wire::Built twin;
  twin.lease = hand.round.lease;
  twin.candidate = {hand.round.task, hand.round.target, "direct", 1, hand.round.ports, "p=twin", "split"};
  twin.artifact = digest_of("zero");
  hand.say("tuner", twin);
  EXPECT_EQ(hand.core.works().size(), 2u) << "the round and one measurement";
  EXPECT_EQ(hand.core.counters().duplicates, 1u);
}

TEST(Boards, ThatDoNotFitTheTargetGetNoWork) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("tuner", wire::Role::tuner);
  wire::Hello weak;
  weak.role = wire::Role::runner;
  Board board = test::make_board("weak");
  board.target.features = "+avx";
  weak.board = to_text(board);
  hand.say("weak", weak);
  hand.say("client", make_request(1, 10));
  hand.tick(300);
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->boards, 0u);
  hand.hello("runner", wire::Role::runner);
  hand.tick(300);
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->boards, 1u);
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->state, "InProgress");
}

TEST(Jobs, FailWithAReasonWhenNoBoardOrNoTunerComes) {
  Settings settings;
  settings.worker_wait = Time(2000);
  Hand hand(settings);
  hand.hello("client", wire::Role::client);
  hand.say("client", make_request(1, 10));
  for (int i = 0; i < 25; ++i) hand.tick(100);
  hand.durable();
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->state, "Failed");
  EXPECT_THAT(hand.last<wire::JobEvent>("client")->reason,
              HasSubstr("no board that fits the target was Good within 2 s"));
  hand.say("client", make_request(1, 10));
  for (int i = 0; i < 25; ++i) {
    hand.tick(100);
    if (i % 10 == 0) hand.hello("runner", wire::Role::runner);
  }
  hand.durable();
  EXPECT_THAT(hand.last<wire::JobEvent>("client")->reason, HasSubstr("no tuner came within 2 s"));
}

TEST(Jobs, StopThroughStoppingAndOnlyOnceEverythingIsDurable) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  const uint64_t job = hand.core.jobs().begin()->first;
  hand.say("client", wire::Stop{job});
  EXPECT_EQ(hand.core.jobs().at(job).state, JobState::stopping);
  EXPECT_TRUE(hand.core.works().empty());
  hand.durable();
  EXPECT_EQ(hand.core.jobs().at(job).state, JobState::stopped);
  hand.durable();
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->state, "Stopped");
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->reason, "stopped by a client");
}

TEST(Jobs, OfALabGoOnWhenTheSchedulerIsStartedAnew) {
  Measuring hand;
  hand.take(hand.core.stop({hand.now, 1}));
  EXPECT_FALSE(hand.last<wire::Want>("runner")->stopping);
  EXPECT_EQ(hand.core.jobs().begin()->second.state, JobState::in_progress);
}

TEST(Jobs, OfAPrivateSchedulerThatIsStoppedStopAndWorkersAreToldToLeave) {
  Settings settings;
  settings.abandon = Time(10000);
  Measuring hand(settings);
  hand.take(hand.core.stop({hand.now, 1}));
  EXPECT_TRUE(hand.last<wire::Want>("tuner")->stopping);
  EXPECT_TRUE(hand.last<wire::Want>("runner")->stopping);
  hand.durable();
  hand.durable();
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->state, "Stopped");
  hand.say("client", make_request(1, 1));
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("stopping"));
}

TEST(Jobs, OfAnEarlierStartThatNobodyFollowsAreGivenUpWhereThatIsAskedFor) {
  Measuring before;
  auto recovered = recover(before.entries);
  ASSERT_TRUE(recovered);
  Settings settings;
  settings.abandon = Time(2000);
  Hand after(settings, {}, *recovered);
  after.hello("tuner", wire::Role::tuner);
  after.hello("runner", wire::Role::runner);
  after.tick(500);
  EXPECT_TRUE(after.core.works().empty()) << "no rounds for a job that nobody waits for";
  after.hello("client", wire::Role::client);
  const uint64_t job = after.core.jobs().begin()->first;
  after.say("client", wire::Follow{job});
  after.tick(1900);
  EXPECT_FALSE(after.core.works().empty());
  after.take(after.core.gone({after.now, 1}, "client"));
  after.tick(1900);
  EXPECT_EQ(after.core.jobs().at(job).state, JobState::in_progress);
  after.tick(200);
  after.durable();
  EXPECT_EQ(after.core.jobs().at(job).state, JobState::stopped);
  EXPECT_EQ(after.core.jobs().at(job).reason, "no client followed it for 2 s");
}

TEST(Jobs, AreTheSameAfterARestartFromTheirJournal) {
  Measuring before;
  auto recovered = recover(before.entries);
  ASSERT_TRUE(recovered) << recovered.error().text();
  ++recovered->boot;
  Hand after({}, {}, *recovered);
  ASSERT_EQ(after.core.jobs().size(), 1u);
  const Job& job = after.core.jobs().begin()->second;
  EXPECT_EQ(job.id, before.core.jobs().begin()->first);
  EXPECT_EQ(job.request.parts[0].tasks[0].task, before.round.task);
  EXPECT_EQ(job.state, JobState::in_progress);
  // A result that was on its way when the scheduler died is still committed.
  wire::Hello hello;
  hello.role = wire::Role::runner;
  hello.board = to_text(test::make_board("board of runner"));
  after.say("runner again", hello);
  after.say("runner again", before.result(before.request));
  ASSERT_EQ(after.records.size(), 1u);
  EXPECT_EQ(after.records[0].candidate.parameters, "p=zero");
  // Epochs go on above those of the first life.
  after.hello("tuner", wire::Role::tuner);
  EXPECT_GT(after.last<wire::Want>("tuner")->rounds.at(0).lease.epoch, before.request.lease.epoch);
}

TEST(Restart, GivesNoLeaseBeforeItIsDurableThatItStarted) {
  Hand hand({}, {}, {}, false);
  hand.hello("tuner", wire::Role::tuner);
  hand.hello("runner", wire::Role::runner);
  hand.hello("client", wire::Role::client);
  hand.say("client", make_request(1, 1));
  EXPECT_TRUE(hand.core.works().empty()) << "killed now, the next start would use the same ids again";
  hand.durable();
  EXPECT_FALSE(hand.core.works().empty());
}

TEST(Query, GivesTheBestOrAllRecords) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  hand.say("client", wire::Query{hand.round.target, {}, true});
  ASSERT_EQ(hand.last<wire::Records>("client")->records.size(), 1u);
  hand.say("client", wire::Query{"triple=other", {}, false});
  EXPECT_TRUE(hand.last<wire::Records>("client")->records.empty());
}

TEST(Fetch, SaysWhenBytesAreNotThereAnyMore) {
  Measuring hand;
  hand.say("runner", wire::Fetch{hand.request.artifact});
  EXPECT_TRUE(hand.last<wire::Blob>("runner")->found);
  hand.say("runner", wire::Fetch{digest_of("nothing")});
  EXPECT_FALSE(hand.last<wire::Blob>("runner")->found);
}

}  // namespace
}  // namespace hone::scheduler
