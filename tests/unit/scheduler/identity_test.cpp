// Which board is which: with keys a name is its key's and the first machine's that came under it. And what
// peers may take of the scheduler itself: who left is forgotten, texts, jobs and lines have their limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/door.h"
#include "scheduler/note_limit.h"
#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using testing::AllOf;
using testing::HasSubstr;

/// A scheduler with keys, and an operator that looks at its boards.
struct Keyed : Hand {
  explicit Keyed(Settings settings = {}, Recovered recovered = {})
      : Hand(settings, {}, std::move(recovered)) {
    take(core.message({now, 1}, "boss", wire::Hello{}, {}, {"boss", true}));
  }
  /// A runner's hello; gives why it was refused, or nothing.
  std::string come(const PeerId& peer, const std::string& name, const KeyHolder& key,
                   const std::string& machine = "machine", uint64_t instance = 1) {
    wire::Hello hello;
    hello.role = wire::Role::runner;
    hello.name = name;
    hello.capacity = 1;
    hello.board = to_text(test::make_board(machine));
    hello.instance = instance;
    const size_t before = sent.size();
    take(core.message({now, 1}, peer, hello, {}, key));
    for (size_t i = before; i < sent.size(); ++i)
      if (sent[i].peer == peer)
        if (const auto* refuse = std::get_if<wire::Refuse>(&sent[i].message)) return refuse->reason;
    return "";
  }
  void ask(const std::string& name, wire::BoardAction action) {
    say("boss", wire::BoardRequest{name, action, "moved"});
    durable();
  }
  bool knows(const std::string& name) const { return core.boards().all().contains(name); }
};

const KeyHolder b7{"b7", false, {}, "key of b7"}, b8{"b8", false, {}, "key of b8"};
const KeyHolder rack{"r2", false, {}, "key of r2"}, granted{"r3", false, {"spare", "b*"}, "key of r3"};

TEST(Identity, AKeyOwnsItsNameAndWhatLiesUnderIt) {
  Keyed lab;
  EXPECT_EQ(lab.come("p1", "b7", b7, "m1"), "");
  EXPECT_EQ(lab.come("p2", "r2/1", rack, "m2"), "");
  EXPECT_EQ(lab.come("p3", "r2/2", rack, "m3"), "");
  EXPECT_EQ(lab.come("p4", "spare", granted, "m4"), "");
  EXPECT_THAT(lab.come("p5", "b7", b8, "m5"),
              AllOf(HasSubstr("the key of b8 owns the boards b8 and b8/*, not b7"),
                    HasSubstr("hone keys add runner b8.pub --board b7")));
  EXPECT_THAT(lab.come("p6", "r3", granted, "m6"), HasSubstr("owns the boards spare, b*, not r3"));
  EXPECT_TRUE(lab.core.peers().contains("p1")) << "it was pushed out";
  EXPECT_EQ(lab.core.counters().refused_boards, 2u);
}

TEST(Identity, WithoutANameABoardIsItsKeysAndWithASlashOneUnderIt) {
  Keyed lab;
  EXPECT_EQ(lab.come("p1", "", b7, "m1"), "");
  EXPECT_EQ(lab.come("p2", "/17", rack, "m2"), "");
  EXPECT_TRUE(lab.knows("b7"));
  EXPECT_TRUE(lab.knows("r2/17"));
}

TEST(Identity, WhatIsNoNameIsRefusedWithKeysAndWithout) {
  Keyed lab;
  const std::string longest = "b7/" + std::string(200, 'x');
  for (const std::string& name :
       std::vector<std::string>{"b7/", "b7//1", "b7/\x1b[2J", "b7/a b", "b7/..", longest})
    EXPECT_THAT(lab.come("p", name, b7), HasSubstr("no name for a board")) << name;
  EXPECT_THAT(lab.come("p", "a b", {}), HasSubstr("no name for a board"));
  EXPECT_EQ(lab.come("p", "any", {}), "");
}

TEST(Identity, TheFirstMachineUnderANameKeepsItUntilAnOperatorReleasesIt) {
  Keyed lab;
  ASSERT_EQ(lab.come("p1", "b7", b7, "machine one"), "");
  lab.take(lab.core.gone({lab.now, 1}, "p1"));
  EXPECT_THAT(
      lab.come("p2", "b7", b7, "machine two", 2),
      AllOf(HasSubstr("the name b7 belongs to another machine"), HasSubstr("hone boards release b7")));
  EXPECT_EQ(lab.come("p3", "b7", b7, "machine one", 3), "") << "its own may come back";
  lab.take(lab.core.gone({lab.now, 1}, "p3"));
  lab.ask("b7", wire::BoardAction::release);
  const auto shown = lab.last<wire::Boards>("boss")->boards.at(0);
  EXPECT_EQ(shown.bound_id, "");
  EXPECT_EQ(shown.history.back().reason, "released: moved");
  EXPECT_EQ(lab.come("p4", "b7", b7, "machine two", 4), "");
  EXPECT_NE(lab.come("p5", "b7", b7, "machine one", 5), "") << "it is the other's now";
}

TEST(Identity, HoldsOverARestart) {
  Keyed lab;
  ASSERT_EQ(lab.come("p1", "b7", b7, "machine one"), "");
  Keyed next({}, *recover(lab.entries));
  EXPECT_THAT(next.come("p", "b7", b7, "machine two"), HasSubstr("belongs to another machine"));
  const auto entries = next.core.snapshot_entries({next.now, 1});
  Keyed third({}, *recover(entries));
  EXPECT_THAT(third.come("p", "b7", b7, "machine two"), HasSubstr("belongs to another machine"));
  third.ask("b7", wire::BoardAction::release);
  Keyed fourth({}, *recover(third.entries));
  EXPECT_EQ(fourth.come("p", "b7", b7, "machine two"), "");
}

TEST(Identity, ABoardOfAnOldJournalIsBoundWhenItFirstComes) {
  Hand open;  // as before there were bound names
  open.hello("b7", wire::Role::runner);
  Keyed next({}, *recover(open.entries));
  EXPECT_EQ(next.come("p1", "b7", b7, "machine two"), "");
  next.take(next.core.gone({next.now, 1}, "p1"));
  EXPECT_NE(next.come("p2", "b7", b7, "machine three"), "");
}

TEST(Identity, AnotherKeyPushesNobodyOutThoughItMayHaveTheName) {
  Keyed lab;
  ASSERT_EQ(lab.come("p1", "b7", b7, "m1", 1), "");
  EXPECT_THAT(lab.come("p2", "b7", granted, "m1", 2), HasSubstr("is connected with another key, of b7"));
  EXPECT_EQ(lab.come("p3", "b7", b7, "m1", 3), "") << "whoever has the key may start the runner anew";
  EXPECT_FALSE(lab.core.peers().contains("p1"));
}

TEST(Identity, OnlyAnOperatorReleases) {
  Keyed lab;
  ASSERT_EQ(lab.come("p1", "b7", b7), "");
  lab.take(lab.core.message({lab.now, 1}, "me", wire::Hello{}, {}, {"me"}));
  lab.say("me", wire::BoardRequest{"b7", wire::BoardAction::release, ""});
  EXPECT_THAT(lab.last<wire::NotUnderstood>("me")->reason, HasSubstr("only an operator may"));
  EXPECT_EQ(lab.core.boards().all().at("b7").bound_id, "machine");
}

TEST(Identity, AKeyHasSoManyBoardsAndTheSchedulerTooAndNoNameIsForgotten) {
  Settings settings;
  settings.boards = 4;
  settings.boards_of_key = 3;
  Keyed lab(settings);
  for (const char* name : {"r2/1", "r2/2", "r2/3"}) ASSERT_EQ(lab.come(name, name, rack, name), "");
  EXPECT_THAT(lab.come("p", "r2/4", rack), HasSubstr("the key of r2 has 3 boards"));
  EXPECT_EQ(lab.come("b7", "b7", b7, "b7"), "");
  for (const char* name : {"r2/1", "b7"}) lab.take(lab.core.gone({lab.now, 1}, name));
  EXPECT_THAT(lab.come("b8", "b8", b8, "b8"), HasSubstr("this scheduler knows 4 boards"));
  EXPECT_TRUE(lab.knows("b7"));
}

TEST(Identity, ATunersNameIsShownWithItsKeys) {
  Keyed lab;
  const auto name_of = [&](const std::string& said) {
    wire::Hello hello;
    hello.role = wire::Role::tuner;
    hello.name = said;
    lab.take(lab.core.message({lab.now, 1}, "t", hello, {}, {"t1"}));
    return lab.core.peers().at("t").name;
  };
  EXPECT_EQ(name_of(""), "t1");
  EXPECT_EQ(name_of("t1/big"), "t1/big");
  EXPECT_EQ(name_of("b7"), "t1/b7") << "it may not look like somebody else";
}

TEST(Departed, ClientsAreForgottenAndWorkersAwaitedUnlessTheyWereCutOff) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("tuner", wire::Role::tuner);
  hand.hello("runner", wire::Role::runner);
  hand.take(hand.core.left({hand.now, 1}, {{"client", ""}, {"tuner", ""}, {"runner", ""}, {"stranger", ""}}));
  EXPECT_FALSE(hand.core.peers().contains("client"));
  EXPECT_TRUE(hand.core.peers().contains("tuner")) << "it may come back with what it holds";
  EXPECT_TRUE(hand.core.peers().contains("runner"));
  hand.take(hand.core.left({hand.now, 1}, {{"runner", "its key was removed"}}));
  EXPECT_FALSE(hand.core.peers().contains("runner"));
}

TEST(Departed, WhatABoardHeldGoesToAnotherAtOnceWhenItsKeyIsRemoved) {
  test::Measuring lab;
  lab.hello("other", wire::Role::runner);
  lab.take(lab.core.left({lab.now, 1}, {{"runner", "its key was removed"}}));
  ASSERT_TRUE(lab.last<wire::Want>("other"));
  ASSERT_EQ(lab.last<wire::Want>("other")->measurements.size(), 1u);
  EXPECT_EQ(lab.last<wire::Want>("other")->measurements[0].artifact, lab.request.artifact);
}

TEST(Door, NamesThatAreTooLongAreRefusedAndWhatIsSaidIsCutOff) {
  Hand hand;
  wire::Hello hello;
  hello.name = std::string(300, 'x');
  hand.say("client", hello);
  EXPECT_EQ(hand.last<wire::Refuse>("client")->reason,
            "the peer's name has 300 bytes, at most 256 are taken");
  hand.hello("client", wire::Role::client);
  wire::JobRequest job = test::make_request(1, 10);
  job.name = std::string(257, 'x');
  hand.say("client", job);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason,
              HasSubstr("the name of the job has 257 bytes"));
  job = test::make_request(1, 10);
  job.require = {"a=" + std::string(300, 'x')};
  hand.say("client", job);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("a label has 302 bytes"));
  EXPECT_TRUE(hand.core.jobs().empty());
  EXPECT_EQ(hand.core.counters().malformed, 3u);
  EXPECT_TRUE(too_long(wire::BoardRequest{std::string(300, 'x'), wire::BoardAction::show, ""}));
  hello.name = "b";
  hello.board = std::string(20000, 'x');
  EXPECT_TRUE(too_long(hello));
  wire::HealthReport report;
  report.message = std::string(10000, 'x');
  const auto shorter = clipped(report);
  ASSERT_TRUE(shorter);
  EXPECT_EQ(std::get<wire::HealthReport>(*shorter).message, std::string(4092, 'x') + " ...");
  EXPECT_FALSE(clipped(*shorter)) << "cut off again";
  wire::Measured measured;
  measured.measurement.message = std::string(10000, 'x');
  EXPECT_TRUE(clipped(measured));
  EXPECT_TRUE(clipped(wire::BoardRequest{"b", wire::BoardAction::drain, std::string(5000, 'x')}));
}

TEST(Queue, OfAUsersJobsHasItsLength) {
  Settings settings;
  settings.open_jobs = 3;
  settings.open_jobs_of_user = 2;
  settings.job_bytes = 20000;
  Hand hand(settings);
  const auto submit = [&](const std::string& user, size_t bytes = 10) {
    wire::JobRequest job = test::make_request(1, 10);
    job.parts[0].tasks[0].summary = std::string(bytes, 's');
    hand.take(hand.core.message({hand.now, 1}, user, wire::Hello{}, {}, {user}));
    const size_t before = hand.sent.size();
    hand.say(user, job);
    hand.durable();
    for (size_t i = before; i < hand.sent.size(); ++i)
      if (const auto* no = std::get_if<wire::NotUnderstood>(&hand.sent[i].message)) return no->reason;
    return std::string();
  };
  EXPECT_THAT(submit("alice", 30000), HasSubstr("at most 20000 are taken"));
  EXPECT_EQ(submit("alice"), "");
  EXPECT_EQ(submit("alice"), "");
  EXPECT_THAT(submit("alice"), HasSubstr("2 jobs of the same user have not ended, of at most 2"));
  EXPECT_EQ(submit("bob"), "");
  EXPECT_THAT(submit("carol"), HasSubstr("3 jobs have not ended, the most that this scheduler takes"));
}

TEST(Queue, JobsThatEndedLongAgoAreForgotten) {
  Settings settings;
  settings.kept_jobs = 5;
  Hand hand(settings);
  hand.hello("client", wire::Role::client);
  wire::JobRequest first = test::make_request(1, 10);
  first.token = "token";
  hand.say("client", first);
  hand.durable();
  const uint64_t oldest = hand.last<wire::Accepted>("client")->job;
  hand.say("client", wire::Stop{oldest});
  for (int i = 0; i < 20; ++i) {
    hand.say("client", test::make_request(1, 10));
    hand.durable();
    hand.say("client", wire::Stop{hand.last<wire::Accepted>("client")->job});
    hand.durable();
  }
  EXPECT_LE(hand.core.jobs().size(), 6u);
  hand.say("client", wire::Follow{oldest});
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("there is no job"));
  hand.say("client", first);
  hand.durable();
  EXPECT_NE(hand.last<wire::Accepted>("client")->job, oldest) << "its token went with it";
}

TEST(Notes, AreSoManyAtOnceAndThenSoManyASecond) {
  NoteLimit limit(3, 2, 10);
  Time now{1000};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.admit(now, "line"), "line");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.admit(now, "line"), std::nullopt);
  now += Time(500);
  EXPECT_EQ(limit.admit(now, "line"), "(5 lines left out) line");
  EXPECT_EQ(limit.admit(now, "line"), std::nullopt);
  now += Time(60000);
  EXPECT_EQ(limit.admit(now, std::string(20, 'x')), "(1 lines left out) xxxxxxxxxx ...");
  EXPECT_EQ(limit.admit(now, "line"), "line");
}

}  // namespace
}  // namespace hone::scheduler
