// Whose job it is: with keys, its user and operators may stop and resume it, and operators alone may change
// boards. Without keys everybody may.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using test::make_request;
using testing::HasSubstr;

/// A scheduler with keys: alice and bob are clients, carol an operator; alice has job `job`.
struct Users : Hand {
  Users() {
    for (const KeyHolder& key : {KeyHolder{"alice"}, KeyHolder{"bob"}, KeyHolder{"carol", true}})
      take(core.message({now, 1}, key.name, wire::Hello{}, {}, key));
    say("alice", make_request(1, 10));
    durable();
    job = last<wire::Accepted>("alice")->job;
  }
  JobState state() const { return core.jobs().at(job).state; }
  uint64_t job = 0;
};

TEST(Permissions, OnlyItsUserOrAnOperatorStopsAJob) {
  Users lab;
  lab.say("bob", wire::Stop{lab.job});
  EXPECT_EQ(lab.last<wire::NotUnderstood>("bob")->reason,
            "job " + std::to_string(lab.job) +
                " belongs to alice: only alice or an operator may stop or resume it, and this key is bob's");
  EXPECT_EQ(lab.state(), JobState::starting);
  lab.say("carol", wire::Stop{lab.job});
  EXPECT_EQ(lab.core.jobs().at(lab.job).reason, "stopped by carol");
  EXPECT_EQ(lab.state(), JobState::stopped);
}

TEST(Permissions, OnlyItsUserOrAnOperatorResumesAJob) {
  Users lab;
  lab.say("alice", wire::Stop{lab.job});
  lab.durable();
  EXPECT_EQ(lab.core.jobs().at(lab.job).reason, "stopped by a client");
  lab.say("bob", wire::Resume{lab.job});
  EXPECT_THAT(lab.last<wire::NotUnderstood>("bob")->reason, HasSubstr("belongs to alice"));
  EXPECT_EQ(lab.state(), JobState::stopped);
  lab.say("alice", wire::Resume{lab.job});
  EXPECT_EQ(lab.state(), JobState::starting);
}

TEST(Permissions, HoldAfterARestartToo) {
  Users lab;
  Hand next({}, {}, *recover(lab.entries));
  next.take(next.core.message({next.now, 1}, "b", wire::Hello{}, {}, {"bob"}));
  next.take(next.core.message({next.now, 1}, "a", wire::Hello{}, {}, {"alice"}));
  next.say("b", wire::Stop{lab.job});
  EXPECT_EQ(next.core.jobs().at(lab.job).state, JobState::starting);
  next.say("a", wire::Stop{lab.job});
  EXPECT_NE(next.core.jobs().at(lab.job).state, JobState::starting);
}

TEST(Permissions, AJobSubmittedBeforeThereWereKeysIsAnOperators) {
  Users lab;
  Hand open;
  open.hello("client", wire::Role::client);
  open.say("client", make_request(1, 10));
  open.durable();
  const uint64_t job = open.last<wire::Accepted>("client")->job;
  Hand next({}, {}, *recover(open.entries));
  next.take(next.core.message({next.now, 1}, "a", wire::Hello{}, {}, {"alice"}));
  next.take(next.core.message({next.now, 1}, "c", wire::Hello{}, {}, {"carol", true}));
  next.say("a", wire::Stop{job});
  EXPECT_THAT(next.last<wire::NotUnderstood>("a")->reason, HasSubstr("belongs to nobody: only an operator"));
  next.say("c", wire::Stop{job});
  EXPECT_NE(next.core.jobs().at(job).state, JobState::starting);
}

TEST(Permissions, EverybodyMayLookAtEveryJob) {
  Users lab;
  lab.say("bob", wire::ListJobs{});
  EXPECT_EQ(lab.last<wire::Jobs>("bob")->jobs.at(0).user, "alice");
  lab.say("bob", wire::Follow{lab.job});
  EXPECT_EQ(lab.last<wire::JobEvent>("bob")->job, lab.job);
}

TEST(Permissions, BoardsAreChangedByOperatorsAndShownToEverybody) {
  Users lab;
  wire::Hello hello;
  hello.role = wire::Role::runner;
  hello.name = "b1";
  hello.board = to_text(test::make_board("b1"));
  lab.take(lab.core.message({lab.now, 1}, "runner", hello, {}, {"b1"}));
  for (const auto action : {wire::BoardAction::drain, wire::BoardAction::resume, wire::BoardAction::retire}) {
    lab.say("alice", wire::BoardRequest{"b1", action, ""});
    EXPECT_THAT(lab.last<wire::NotUnderstood>("alice")->reason, HasSubstr("only an operator may drain"));
  }
  lab.say("alice", wire::BoardRequest{"b1", wire::BoardAction::show, ""});
  lab.durable();
  EXPECT_EQ(lab.last<wire::Boards>("alice")->boards.at(0).state, "Good");
  lab.say("carol", wire::BoardRequest{"b1", wire::BoardAction::retire, ""});
  lab.durable();
  EXPECT_EQ(lab.last<wire::Boards>("carol")->boards.at(0).state, "Retired");
}

TEST(Permissions, WithoutKeysEverybodyMayDoEverything) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  hand.hello("other", wire::Role::client);
  hand.hello("runner", wire::Role::runner);
  hand.say("client", make_request(1, 10));
  hand.durable();
  hand.say("other", wire::Stop{hand.last<wire::Accepted>("client")->job});
  hand.durable();
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->state, "Stopped");
  hand.say("other", wire::BoardRequest{"runner", wire::BoardAction::retire, ""});
  hand.durable();
  EXPECT_EQ(hand.last<wire::Boards>("other")->boards.at(0).state, "Retired");
}

TEST(Tokens, AreEachUsersOwn) {
  Users lab;
  wire::JobRequest request = make_request(2, 10);
  request.token = "nightly";
  lab.say("alice", request);
  lab.durable();
  const uint64_t first = lab.last<wire::Accepted>("alice")->job;
  lab.say("bob", request);
  lab.durable();
  EXPECT_NE(lab.last<wire::Accepted>("bob")->job, first) << "one user's token gave another's job";
  lab.say("alice", request);
  lab.durable();
  EXPECT_EQ(lab.last<wire::Accepted>("alice")->job, first);
}

}  // namespace
}  // namespace hone::scheduler
