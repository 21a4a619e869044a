// What clients may look at: jobs and boards, as the state machine answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using test::Measuring;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Jobs, AreListedWithTheirStateAndTasksOnlyOfTheOneAskedFor) {
  Measuring hand;
  hand.say("client", wire::ListJobs{});
  const auto all = hand.last<wire::Jobs>("client");
  ASSERT_TRUE(all);
  ASSERT_EQ(all->jobs.size(), 1u);
  EXPECT_EQ(all->jobs[0].job, hand.round.job);
  EXPECT_EQ(all->jobs[0].state, "InProgress");
  EXPECT_EQ(all->jobs[0].boards, 1u);
  EXPECT_EQ(all->jobs[0].tuners, 1u);
  EXPECT_EQ(all->jobs[0].max_trials, 10u);
  EXPECT_THAT(all->jobs[0].parts.front().tasks, IsEmpty());
  hand.say("client", wire::ListJobs{hand.round.job});
  EXPECT_EQ(hand.last<wire::Jobs>("client")->jobs.at(0).parts.front().tasks.at(0).task, hand.round.task);
}

TEST(Jobs, ThatAreNotThereAreNamed) {
  Measuring hand;
  hand.say("client", wire::ListJobs{77});
  EXPECT_FALSE(hand.last<wire::Jobs>("client"));
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("there is no job 77"));
}

TEST(Jobs, AreStillListedAfterTheirEndWithItsReason) {
  Measuring hand;
  hand.say("client", wire::Stop{hand.round.job});
  hand.say("client", wire::ListJobs{});
  EXPECT_EQ(hand.last<wire::Jobs>("client")->jobs.at(0).state, "Stopped");
  EXPECT_THAT(hand.last<wire::Jobs>("client")->jobs.at(0).reason, HasSubstr("by a client"));
}

TEST(Boards, ShowWhatTheyAreAndWhatTheyDo) {
  Measuring hand;
  wire::WorkerState state;
  state.leases = {hand.request.lease};
  state.temperature_celsius = 71;
  state.frequency_mhz = 3100;
  hand.say("runner", state);
  hand.now += Time(250);
  hand.say("client", wire::ListBoards{});
  auto boards = hand.last<wire::Boards>("client");
  ASSERT_TRUE(boards);
  ASSERT_EQ(boards->boards.size(), 1u) << "tuners and clients are no boards";
  EXPECT_EQ(boards->boards[0].name, "runner");
  EXPECT_EQ(boards->boards[0].board, to_text(test::make_board("board of runner")));
  EXPECT_THAT(boards->boards[0].jobs, ElementsAre(hand.round.job));
  EXPECT_EQ(boards->boards[0].leases, 1u);
  EXPECT_EQ(boards->boards[0].idle_ms, -1);
  EXPECT_EQ(boards->boards[0].silent_ms, 250);
  EXPECT_EQ(boards->boards[0].temperature_celsius, 71);
  EXPECT_EQ(boards->boards[0].frequency_mhz, 3100);
}

TEST(Boards, CountWhatTheyMeasuredAndWhatFailed) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  hand.build("tuner", hand.round, "one", 1);
  const auto second = hand.last<wire::Want>("runner")->measurements.at(0);
  wire::Measured crashed = hand.result(second);
  crashed.measurement.status = MeasureStatus::crashed;
  hand.say("runner", crashed);
  hand.say("client", wire::ListBoards{});
  const wire::BoardSummary board = hand.last<wire::Boards>("client")->boards.at(0);
  EXPECT_EQ(board.measured, 2u);
  EXPECT_EQ(board.failed, 1u);
  EXPECT_EQ(board.leases, 0u);
  EXPECT_EQ(board.idle_ms, 0);
}

TEST(Lists, AreForClientsOnly) {
  Measuring hand;
  hand.say("runner", wire::ListJobs{});
  hand.say("tuner", wire::ListBoards{});
  EXPECT_FALSE(hand.last<wire::Jobs>("runner"));
  EXPECT_FALSE(hand.last<wire::Boards>("tuner"));
  EXPECT_THAT(hand.last<wire::NotUnderstood>("runner")->reason, HasSubstr("not for a peer of this role"));
  EXPECT_EQ(hand.core.counters().malformed, 2u);
}

TEST(Stages, HoldTheIdleTimeOfABoardUntilTheEndOfItsJobOnce) {
  Measuring hand;
  const auto idle = [&] {
    hand.durable();
    return hand.last<wire::JobEvent>("client")->stages.idle_ms;
  };
  hand.tick(1);
  const double before = idle();
  hand.tick(20);  // the board measures
  hand.say("runner", hand.result(hand.request));
  hand.durable();
  hand.tick(300);  // nothing is built
  hand.say("client", wire::Stop{hand.round.job});
  EXPECT_EQ(idle() - before, 300);
  ASSERT_EQ(hand.last<wire::JobEvent>("client")->state, "Stopped");
  hand.tick(500);
  EXPECT_EQ(idle() - before, 300) << "it is nobody's after that";
}

}  // namespace
}  // namespace hone::scheduler
