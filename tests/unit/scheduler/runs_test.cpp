// Whole jobs in the simulated world: how they end, what a second run does, finals, the cost model.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/scheduler/world.h"

namespace hone::scheduler {
namespace {

using test::make_request;
using test::World;
using testing::HasSubstr;

TEST(Runs, EndWhenTheLogHoldsTheTrialsAndASecondRunMeasuresNothing) {
  World world({}, 3);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(3, 60));
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_THAT(world.broken, testing::IsEmpty());
  EXPECT_EQ(world.last_event().state, "Completed");
  EXPECT_EQ(world.last_event().trials, 60u);
  EXPECT_EQ(world.last_event().measured_before, 0u);
  EXPECT_THAT(world.last_event().reason, HasSubstr("60 trials"));
  const size_t records = world.disk().size(), measured = world.measurements_seen.size();

  world.restart_scheduler();
  world.step(Time(1000));
  world.submit(make_request(3, 60));
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.last_event().state, "Completed");
  EXPECT_EQ(world.last_event().measured_before, 60u);
  EXPECT_EQ(world.last_event().trials, 60u);
  EXPECT_EQ(world.disk().size(), records);
  EXPECT_EQ(world.measurements_seen.size(), measured);

  world.submit(make_request(3, 90));
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.last_event().measured_before, 60u);
  EXPECT_EQ(world.last_event().trials, 90u);
  EXPECT_THAT(world.broken, testing::IsEmpty());
}

TEST(Runs, EndAfterTwiceAsManyCandidatesWhenMostFail) {
  test::Nature nature;
  nature.build_error = 0.9;
  World world({}, 4, nature);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(2, 40));
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.last_event().candidates, 80u);
  EXPECT_LT(world.last_event().trials, 40u);
  EXPECT_THAT(world.last_event().reason, HasSubstr("80 candidates"));
  ASSERT_FALSE(world.last_event().failed.empty());
  EXPECT_EQ(world.last_event().failed[0].status, MeasureStatus::build_error);
  EXPECT_EQ(world.last_event().failed[0].example, "no registers left");
}

TEST(Runs, FailWithTheReasonWhenNothingCanBeMeasured) {
  test::Nature nature;
  nature.crash = 1;
  World world({}, 5, nature);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(2, 0));
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.last_event().state, "Failed");
  EXPECT_THAT(world.last_event().reason, HasSubstr("crashed: signal 11"));
}

TEST(Runs, EndInTimeWithFinalsMeasured) {
  Settings settings;
  settings.settle_trials = 10000;
  World world(settings, 6);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(3, 0, 10));
  const Time before = world.now;
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_LE((world.now - before).count(), 11000);
  EXPECT_GE((world.now - before).count(), 8000);
  EXPECT_EQ(world.last_event().reason, "the time is up");
  EXPECT_TRUE(std::any_of(world.disk().begin(), world.disk().end(),
                          [](const Record& record) { return record.from.final; }));
}

TEST(Runs, MeasureTheThreeBestAndTrialZeroAgainInterleaved) {
  World world({}, 7);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(1, 30));
  ASSERT_TRUE(world.run(Time(60000)));
  std::vector<const Record*> finals;
  for (const Record& record : world.disk())
    if (record.from.final) finals.push_back(&record);
  ASSERT_GT(finals.size(), 4u);
  std::set<std::string> distinct;
  for (size_t i = 0; i < finals.size(); ++i) {
    EXPECT_EQ(finals[i]->from.repetition > 0, i >= 4) << "the repetitions take turns";
    if (i > 0) {
      EXPECT_GE(finals[i]->from.repetition, finals[i - 1]->from.repetition);
    }
    distinct.insert(finals[i]->candidate.parameters);
  }
  EXPECT_EQ(distinct.size(), 4u);
  EXPECT_TRUE(distinct.contains("p=0")) << "trial 0 is among them";
  int finals_started = 0;
  for (const wire::MeasureRequest& request : world.measurements_seen) {
    EXPECT_EQ(request.seed, request.final ? "finals" : "search");
    if (request.final) {
      EXPECT_GE(request.sampling.race_factor, 1e6) << "no race among finalists";
      if (finals_started++ == 0) {
        EXPECT_EQ(request.best_ns, 0) << "nothing to be slower than yet";
      }
      EXPECT_GT(request.sampling.out_factor, 1) << "but no more samples than it takes to see one is slower";
    }
  }
}

TEST(Runs, LetNoSlowerFinalistWinWhenTheFastestArtifactWasLostInARestart) {
  // Few slow candidates after the restart: the fastest of before must stay the best.
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    World world({}, seed);
    world.add_tuner("tuner");
    world.add_runner("board");
    world.submit(make_request(1, 60));
    while (world.disk().size() < 50 && world.now < Time(60000)) world.step();
    world.restart_scheduler();
    ASSERT_TRUE(world.run(Time(60000)));
    LogDatabase log;
    for (const Record& record : world.disk()) log.add(record);
    double fastest = 1e18;
    for (const Record& record : world.disk())
      if (record.measurement.status == MeasureStatus::ok)
        fastest = std::min(fastest, record.measurement.median_ns);
    const Record* best =
        log.best({.task_key = world.disk()[0].task_key, .target = world.disk()[0].candidate.target});
    ASSERT_NE(best, nullptr);
    EXPECT_LE(best->measurement.median_ns, fastest * 1.05) << seed;
    EXPECT_THAT(world.broken, testing::IsEmpty());
  }
}

TEST(Runs, GiveAFinishedTaskNoMoreUnlessMoreIsAskedFor) {
  Settings settings;
  settings.settle_trials = 12;
  World world(settings, 8);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(2, 0));
  ASSERT_TRUE(world.run(Time(120000)));
  EXPECT_EQ(world.last_event().reason, "every task is finished");
  const uint64_t trials = world.last_event().trials;
  world.submit(make_request(2, 0));
  ASSERT_TRUE(world.run(Time(10000)));
  EXPECT_EQ(world.last_event().trials, trials) << "it was finished before";
  wire::JobRequest more = make_request(2, 0);
  more.more = true;
  world.submit(more);
  ASSERT_TRUE(world.run(Time(120000)));
  EXPECT_GT(world.last_event().trials, trials);
  EXPECT_THAT(world.broken, testing::IsEmpty());
}

TEST(Runs, EndWhenTheSpaceHoldsNothingNew) {
  test::Nature nature;
  nature.space = 20;
  nature.build_error = nature.crash = nature.wrong = 0;
  World world({}, 9, nature);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(1, 1000));
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.last_event().reason, "every task is finished");
  EXPECT_LE(world.last_event().trials, 20u);
  EXPECT_GE(world.last_event().trials, 15u);
}

TEST(Runs, NeverAskTwiceForWhatWasSeen) {
  World world({}, 10);
  world.add_tuner("a");
  world.add_tuner("b");
  world.add_runner("board");
  world.submit(make_request(2, 100));
  ASSERT_TRUE(world.run(Time(60000)));
  std::set<Digest> ids;
  for (const wire::MeasureRequest& request : world.measurements_seen)
    EXPECT_TRUE(ids.insert(request.id).second);
  std::set<std::pair<std::string, uint64_t>> seeds;
  for (const wire::Round& round : world.rounds_seen)
    EXPECT_TRUE(seeds.emplace(round.task, std::get<wire::Propose>(round.asks).seed).second);
}

TEST(Runs, KeepTheBoardBusy) {
  World world({}, 11);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(4, 200));
  const Time before = world.now;
  ASSERT_TRUE(world.run(Time(60000)));
  // 200 trials and up to 48 finals of 20 ms each: the board may be idle for a tenth of that.
  EXPECT_LE((world.now - before).count(), (200 + 48 + 15) * 20 * 1.15);
}

TEST(CostModel, IsTrainedAfterEnoughRecordsAndHandedOutByDigest) {
  World world({}, 12);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(2, 150));
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(std::get<wire::Propose>(world.rounds_seen.front().asks).cost_model, Digest());
  std::set<Digest> models;
  for (const wire::Round& round : world.rounds_seen)
    if (const auto& model = std::get<wire::Propose>(round.asks).cost_model; !model.empty())
      models.insert(model);
  EXPECT_GE(models.size(), 2u);
}

TEST(CostModel, WarmsUpFromTheLogBeforeTheFirstRound) {
  World world({}, 13);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(2, 60));
  ASSERT_TRUE(world.run(Time(60000)));
  world.restart_scheduler();
  world.step(Time(1000));
  world.rounds_seen.clear();
  world.submit(make_request(2, 80));
  ASSERT_TRUE(world.run(Time(60000)));
  ASSERT_FALSE(world.rounds_seen.empty());
  EXPECT_NE(std::get<wire::Propose>(world.rounds_seen.front().asks).cost_model, Digest());
  EXPECT_FALSE(std::get<wire::Propose>(world.rounds_seen.front().asks).top.empty());
}

}  // namespace
}  // namespace hone::scheduler
