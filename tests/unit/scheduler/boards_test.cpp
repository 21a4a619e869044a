// States of boards: checks, quarantine and the way back, drains, and what candidates that kill boards are.
#include "scheduler/boards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using testing::ElementsAre;
using testing::HasSubstr;

/// A lab of boards that check themselves, driven by hand.
struct Lab : Hand {
  explicit Lab(Settings settings = {}) : Hand(settings) { hello("client", wire::Role::client); }
  void come(const std::string& name, uint64_t instance = 1, std::vector<std::string> labels = {},
            const std::string& peer = "") {
    wire::Hello hello;
    hello.role = wire::Role::runner;
    hello.name = name;
    hello.capacity = 4;
    hello.board = to_text(test::make_board("board of " + name));
    hello.instance = instance;
    hello.can_check = true;
    hello.labels = std::move(labels);
    say(peer.empty() ? name : peer, hello);
  }
  uint64_t check(const std::string& name) { return last<wire::Want>(name)->check; }
  void answer(const std::string& name, bool ok = true, double ns = 1000,
              const std::string& why = "bits differ") {
    say(name, wire::HealthReport{check(name), ok, ok ? "" : why, ns});
  }
  wire::BoardSummary board(const std::string& name) {
    say("client", wire::BoardRequest{name, wire::BoardAction::show, ""});
    durable();
    return last<wire::Boards>("client")->boards.at(0);
  }
  void ask(const std::string& name, wire::BoardAction action, const std::string& why = "") {
    say("client", wire::BoardRequest{name, action, why});
    durable();
  }
  /// A job with trial 0 built.
  wire::Round work(std::vector<std::string> require = {}) {
    hello("tuner", wire::Role::tuner);
    wire::JobRequest request = test::make_request(1, 10);
    request.require = std::move(require);
    say("client", request);
    durable();
    const wire::Round round = last<wire::Want>("tuner")->rounds.at(0);
    build("tuner", round, "zero", 0);
    return round;
  }
  size_t given(const std::string& name) const {
    size_t count = 0;
    for (const Outgoing& outgoing : sent)
      if (const auto* want = std::get_if<wire::Want>(&outgoing.message); want && outgoing.peer == name)
        count += want->measurements.size();
    return count;
  }
};

TEST(BoardStates, AreKnownByNameAndChangeOnlyLegally) {
  EXPECT_EQ(to_text(BoardState::maintenance), "Maintenance");
  EXPECT_TRUE(is_legal(BoardState::unknown, BoardState::good));
  EXPECT_TRUE(is_legal(BoardState::retired, BoardState::unknown));
  EXPECT_FALSE(is_legal(BoardState::retired, BoardState::good));
  EXPECT_FALSE(is_legal(BoardState::maintenance, BoardState::good));
  EXPECT_FALSE(is_legal(BoardState::good, BoardState::good));
}

TEST(Boards, AreCheckedBeforeTheirFirstMeasurement) {
  Lab lab;
  lab.come("b");
  EXPECT_EQ(lab.board("b").state, "Unknown");
  EXPECT_NE(lab.check("b"), 0u);
  lab.answer("b");
  EXPECT_EQ(lab.board("b").state, "Good");
  lab.work();
  EXPECT_EQ(lab.given("b"), 1u);
}

TEST(Boards, ThatFailTheirCheckGetNoWorkUntilALaterOnePasses) {
  Lab lab;
  lab.come("b");
  lab.answer("b", false);
  wire::BoardSummary bad = lab.board("b");
  EXPECT_EQ(bad.state, "Bad");
  EXPECT_THAT(bad.reason, HasSubstr("the health check failed: bits differ"));
  EXPECT_EQ(bad.retry_ms, Settings().backoff.count());
  EXPECT_EQ(lab.check("b"), 0u);
  lab.tick(1999);
  EXPECT_EQ(lab.check("b"), 0u) << "its quarantine goes on";
  lab.tick(1);
  EXPECT_NE(lab.check("b"), 0u);
  lab.answer("b");
  EXPECT_EQ(lab.board("b").state, "Good");
  EXPECT_EQ(lab.given("b"), 0u);
}

TEST(Boards, AreQuarantinedForTwiceAsLongEachTimeUpToALimit) {
  Settings settings;
  settings.loss = Time(100000000);
  settings.backoff_most = Time(10000);
  Lab lab(settings);
  lab.come("b");
  std::vector<int64_t> waits;
  for (int i = 0; i < 8; ++i) {
    lab.answer("b", false);
    waits.push_back(lab.board("b").retry_ms);
    lab.tick(waits.back());
  }
  EXPECT_THAT(waits, ElementsAre(2000, 2000, 2000, 4000, 8000, 10000, 10000, 10000));
  lab.answer("b");
  EXPECT_EQ(lab.board("b").state, "Good") << "the way back";
}

TEST(Boards, ThatDoNotAnswerACheckAreBad) {
  Settings settings;
  settings.loss = Time(100000000);
  Lab lab(settings);
  lab.come("b");
  lab.tick(60000);
  EXPECT_THAT(lab.board("b").reason, HasSubstr("did not answer a health check"));
  EXPECT_EQ(lab.board("b").state, "Bad");
}

TEST(Boards, ThatBecameSlowAreFoundAndAPersonMayAcceptIt) {
  Lab lab;
  lab.come("b");
  lab.answer("b", true, 1e6);
  lab.say("b", wire::HealthReport{0, false, "throttled at 99 degrees"});
  EXPECT_EQ(lab.board("b").state, "Unknown");
  EXPECT_EQ(lab.board("b").reason, "throttled at 99 degrees");
  lab.answer("b", true, 1.6e6);
  EXPECT_EQ(lab.board("b").state, "Bad");
  EXPECT_THAT(lab.board("b").reason, HasSubstr("its reference kernel took 1.600 ms, usual is 1.000 ms"));
  lab.ask("b", wire::BoardAction::resume);
  lab.answer("b", true, 1.6e6);
  EXPECT_EQ(lab.board("b").state, "Good");
}

TEST(Boards, ThatAreThrottledAtWorkHaveNoTimeKeptAndAreChecked) {
  Lab lab;
  lab.come("b");
  lab.answer("b", true, 1e6);
  lab.work();
  wire::Measured slow = lab.result(lab.last<wire::Want>("b")->measurements.at(0));
  slow.measurement.health = {1.1e6, 1.9e6, 90, 800};  // a moment's disturbance at the end
  lab.say("b", slow);
  EXPECT_EQ(lab.board("b").state, "Good");
  ASSERT_EQ(lab.records.size(), 1u);
  EXPECT_EQ(lab.records[0].measurement.status, MeasureStatus::ok);

  lab.build("tuner", lab.last<wire::Want>("tuner")->rounds.at(0), "one", 1);
  slow = lab.result(lab.last<wire::Want>("b")->measurements.at(0));
  slow.measurement.health = {1.8e6, 1.9e6, 99, 600};
  lab.say("b", slow);
  EXPECT_EQ(lab.records.size(), 1u) << "a throttled board's time was kept";
  EXPECT_EQ(lab.board("b").state, "Unknown");
  EXPECT_THAT(lab.board("b").reason, HasSubstr("its reference kernel took 1.800 ms, usual is 1.000 ms"));
  lab.answer("b", true, 1.8e6);
  EXPECT_EQ(lab.board("b").state, "Bad");
  EXPECT_EQ(lab.core.works().size(), 2u) << "its work waits for another board, and a round is out";
}

TEST(Boards, AreCheckedAfterAFaultAndWorkThatWaitedThereGoesElsewhere) {
  Lab lab;
  lab.come("a");
  lab.answer("a");
  const wire::Round round = lab.work();
  lab.build("tuner", round, "one", 1);
  EXPECT_EQ(lab.given("a"), 2u);
  lab.come("b");
  lab.answer("b");
  EXPECT_EQ(lab.given("b"), 0u);
  lab.say("a", wire::HealthReport{0, false, "out of memory"});
  EXPECT_EQ(lab.board("a").state, "Unknown");
  EXPECT_NE(lab.check("a"), 0u);
  EXPECT_EQ(lab.given("b"), 1u);
  EXPECT_EQ(lab.board("a").leases, 1u) << "what runs is finished";
}

TEST(Boards, OnWhichEverythingFailsAreChecked) {
  Settings settings;
  settings.suspect_after = 3;
  Lab lab(settings);
  lab.come("b");
  lab.answer("b");
  const wire::Round round = lab.work();
  for (uint64_t i = 1; i <= 3; ++i) {
    EXPECT_EQ(lab.board("b").state, "Good");
    wire::Measured crashed = lab.result(lab.last<wire::Want>("b")->measurements.at(0));
    crashed.measurement.status = MeasureStatus::crashed;
    lab.say("b", crashed);
    lab.build("tuner", round, "number " + std::to_string(i), i);
  }
  EXPECT_EQ(lab.board("b").state, "Unknown");
  EXPECT_THAT(lab.board("b").reason, HasSubstr("3 measurements in a row failed"));
}

TEST(Boards, ThatCannotCheckThemselvesAreTakenAsTheyAre) {
  Lab lab;
  lab.hello("old", wire::Role::runner);
  EXPECT_EQ(lab.board("old").state, "Good");
  EXPECT_THAT(lab.board("old").reason, HasSubstr("it cannot check itself"));
}

TEST(Boards, AreDrainedResumedAndRetiredByPeople) {
  Lab lab;
  lab.come("b");
  lab.answer("b");
  const wire::Round round = lab.work();
  lab.build("tuner", round, "one", 1);
  lab.ask("b", wire::BoardAction::drain, "new fan");
  wire::BoardSummary board = lab.board("b");
  EXPECT_TRUE(board.draining);
  EXPECT_EQ(board.leases, 1u) << "what waited goes back, what runs is finished";
  const wire::MeasureRequest running = [&] {
    for (const Outgoing& outgoing : lab.sent)
      if (const auto* want = std::get_if<wire::Want>(&outgoing.message); want && !want->measurements.empty())
        return want->measurements[0];
    return wire::MeasureRequest();
  }();
  lab.say("b", lab.result(running));
  lab.tick(10);
  board = lab.board("b");
  EXPECT_EQ(board.state, "Maintenance");
  EXPECT_THAT(board.reason, HasSubstr("new fan"));
  EXPECT_EQ(lab.given("b"), 2u);
  lab.say("b", wire::HealthReport{0, false, "fan out"});
  EXPECT_EQ(lab.board("b").state, "Maintenance") << "only a person ends it";
  lab.ask("b", wire::BoardAction::resume);
  EXPECT_EQ(lab.board("b").state, "Unknown");
  lab.answer("b");
  EXPECT_EQ(lab.board("b").state, "Good");
  EXPECT_EQ(lab.given("b"), 3u);
  lab.ask("b", wire::BoardAction::retire, "burnt");
  EXPECT_EQ(lab.board("b").state, "Retired");
  EXPECT_EQ(lab.board("b").leases, 0u);
  lab.ask("b", wire::BoardAction::drain);
  EXPECT_THAT(lab.last<wire::NotUnderstood>("client")->reason,
              HasSubstr("board b is Retired: resume it first"));
  lab.ask("nobody", wire::BoardAction::drain);
  EXPECT_THAT(lab.last<wire::NotUnderstood>("client")->reason, HasSubstr("there is no board nobody"));
}

TEST(Boards, KeepTheirStateOverARestartOfTheScheduler) {
  Lab lab;
  for (const char* name : {"good", "drained", "retired", "bad"}) {
    lab.come(name);
    lab.answer(name, name != std::string("bad"));
  }
  lab.ask("drained", wire::BoardAction::drain, "new fan");
  lab.ask("retired", wire::BoardAction::retire);
  auto recovered = recover(lab.entries);
  ASSERT_TRUE(recovered) << recovered.error().text();
  auto again = recover(snapshot(*recovered));
  ASSERT_TRUE(again);
  Hand next({}, {}, *again);
  const auto& boards = next.core.boards().all();
  ASSERT_EQ(boards.size(), 4u);
  EXPECT_EQ(boards.at("good").state, BoardState::unknown);
  EXPECT_EQ(boards.at("drained").state, BoardState::maintenance);
  EXPECT_THAT(boards.at("drained").reason, HasSubstr("new fan"));
  EXPECT_EQ(boards.at("retired").state, BoardState::retired);
  EXPECT_EQ(boards.at("bad").state, BoardState::bad);
  EXPECT_FALSE(boards.at("bad").history.empty());
}

TEST(Boards, ThatWereOnlyOutOfReachAreNotToBlameAndKeepTheirWork) {
  Lab lab;
  lab.come("b", 7);
  lab.answer("b");
  lab.work();
  const wire::MeasureRequest request = lab.last<wire::Want>("b")->measurements.at(0);
  lab.come("b", 7, {}, "b again");  // the same process on another connection
  EXPECT_EQ(lab.board("b").leases, 1u);
  EXPECT_EQ(lab.board("b").faults, 0u);
  lab.say("b again", lab.result(request));
  EXPECT_EQ(lab.records.size(), 1u);
  EXPECT_EQ(lab.core.counters().late_commits, 0u);

  Lab slow;
  slow.come("b", 7);
  slow.answer("b");
  slow.work();
  slow.take(slow.core.gone({slow.now, 1}, "b"));
  EXPECT_EQ(slow.board("b").faults, 1u);
  slow.come("b", 7);
  EXPECT_EQ(slow.board("b").faults, 0u);
  slow.come("b", 8, {}, "b of another process");
  EXPECT_THAT(slow.last<wire::Refuse>("b")->reason, HasSubstr("has taken its place"));
}

TEST(Boards, AreForgivenWhenACandidateTurnsOutToKillThem) {
  Lab lab;
  for (const char* name : {"a", "b", "c"}) {
    lab.come(name);
    lab.answer(name);
  }
  lab.work();
  std::set<std::string> killed;
  for (int i = 0; i < 3; ++i)
    for (const char* name : {"a", "b", "c"})
      if (lab.board(name).leases > 0) {
        EXPECT_TRUE(killed.insert(name).second) << "another board is tried first";
        lab.take(lab.core.gone({lab.now, 1}, name));
      }
  EXPECT_EQ(killed.size(), 3u);
  ASSERT_EQ(lab.records.size(), 1u);
  EXPECT_THAT(lab.records[0].measurement.message, HasSubstr("set aside after 3 attempts"));
  for (const char* name : {"a", "b", "c"}) EXPECT_EQ(lab.board(name).faults, 0u);
}

TEST(Boards, GetWhatEachOfThemWasLostWithOnceMoreWhenThereIsNoOther) {
  Settings settings;
  settings.prefetch = 1;
  Lab lab(settings);
  for (const char* name : {"a", "b"}) {
    lab.come(name);
    lab.answer(name);
  }
  const wire::Round round = lab.work();
  ASSERT_EQ(lab.board("a").leases, 1u);
  lab.take(lab.core.gone({lab.now, 1}, "a"));
  ASSERT_EQ(lab.board("b").leases, 1u);
  lab.come("a", 2);
  lab.answer("a");
  lab.build("tuner", round, "one", 1);  // keeps a busy while b is lost too
  ASSERT_EQ(lab.board("a").leases, 1u);
  lab.take(lab.core.gone({lab.now, 1}, "b"));
  lab.come("b", 2);
  lab.answer("b");
  ASSERT_EQ(lab.board("b").state, "Good");
  ASSERT_EQ(lab.board("b").leases, 1u) << "both were lost with it, so that neither would ever have it";
  lab.take(lab.core.gone({lab.now, 1}, "b"));
  ASSERT_EQ(lab.records.size(), 1u);
  EXPECT_THAT(lab.records[0].measurement.message, HasSubstr("set aside after 3 attempts"));
}

TEST(Boards, OfTheSameNameOnOtherMachinesAreToldApart) {
  Lab lab;
  lab.come("b", 1);
  wire::Hello hello;
  hello.role = wire::Role::runner;
  hello.name = "b";
  hello.board = to_text(test::make_board("01234567 other"));
  lab.say("second", hello);
  EXPECT_EQ(lab.board("b-01234567").state, "Good");
  EXPECT_TRUE(lab.board("b").connected);
}

TEST(Jobs, AreMeasuredOnlyWhereTheirLabelsAre) {
  Lab lab;
  lab.come("hot", 1, {"rack=1"});
  lab.answer("hot");
  lab.come("cool", 1, {"rack=2", "cooled=yes"});
  lab.answer("cool");
  lab.work({"rack=2", "cooled=yes"});
  EXPECT_EQ(lab.given("hot"), 0u);
  EXPECT_EQ(lab.given("cool"), 1u);
}

}  // namespace
}  // namespace hone::scheduler
