// Budget, training rows, artifact store, jobs journal and job states, each alone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "scheduler/artifact_store.h"
#include "scheduler/budget.h"
#include "scheduler/job_journal.h"
#include "scheduler/training.h"
#include "tests/unit/scheduler/world.h"

namespace hone::scheduler {
namespace {

using testing::HasSubstr;

Record make_record(const wire::JobTask& task, int number, double ns,
                   MeasureStatus status = MeasureStatus::ok) {
  Record record;
  record.candidate.task = task.task;
  record.task_key = digest_of(task.task);
  record.candidate.target = "target";
  record.candidate.formulation = "direct";
  record.candidate.parameters = "p=" + std::to_string(number);
  record.candidate.ports = task.ports;
  record.artifact = digest_of(task.task + std::to_string(number));
  record.from.trial = static_cast<uint64_t>(number);
  record.measurement.status = status;
  record.measurement.samples_ns = {ns, ns, ns, ns, ns};
  record.features = {static_cast<float>(number), 2};
  record.feature_version = 1;
  summarise(record.measurement);
  return record;
}

Lane make_lane(int tasks) {
  Lane lane;
  for (int i = 0; i < tasks; ++i) {
    TaskState state;
    state.task = test::make_task(i);
    state.key = digest_of(state.task.task);
    lane.tasks.push_back(state);
  }
  return lane;
}

void observe(Lane& lane, size_t task, int number, double ns) {
  lane.tasks[task].observe(make_record(lane.tasks[task].task, number, ns), true);
}

/// Finals of `task` with these times by the number of the candidate; gives the next repetition's finalists.
std::vector<std::string> after_finals(TaskState& task, const std::map<int, double>& ns,
                                      const Settings& settings) {
  for (const auto& [number, time] : ns) {
    Record record = make_record(task.task, number, time);
    record.from.final = true;
    record.from.repetition = task.candidates.at("direct p=" + std::to_string(number)).final_repetitions;
    task.observe(record, true);
  }
  return task.next_finals(settings) ? task.finalists : std::vector<std::string>();
}

TEST(Finals, EndOnceTheSameCandidateWasFastestTwiceAndLeaveOutWhatCannotWin) {
  using testing::ElementsAre;
  const auto searched = [] {
    TaskState task = make_lane(1).tasks[0];
    for (int i = 0; i < 6; ++i) task.observe(make_record(task.task, i, 2000 - 10 * i), true);
    return task;
  };
  TaskState task = searched();
  ASSERT_TRUE(task.next_finals({}));
  EXPECT_THAT(task.finalists, ElementsAre("direct p=5", "direct p=4", "direct p=3", "direct p=0"));
  EXPECT_THAT(after_finals(task, {{5, 1950}, {4, 1960}, {3, 1955}, {0, 2100}}, {}),
              ElementsAre("direct p=5", "direct p=4", "direct p=3"))
      << "trial 0 is 7 % slower";
  EXPECT_THAT(after_finals(task, {{5, 1951}, {4, 1961}, {3, 1954}}, {}), ElementsAre()) << "5 won twice";

  task = searched();
  ASSERT_TRUE(task.next_finals({}));
  after_finals(task, {{5, 1950}, {4, 1960}, {3, 1955}, {0, 2100}}, {});
  EXPECT_THAT(after_finals(task, {{5, 1960}, {4, 1965}, {3, 1950}}, {}),
              ElementsAre("direct p=5", "direct p=4", "direct p=3"))
      << "once 5, once 3";
  EXPECT_THAT(after_finals(task, {{5, 1970}, {4, 1940}, {3, 1950}}, {}), ElementsAre()) << "three at most";

  task = searched();
  ASSERT_TRUE(task.next_finals({}));
  EXPECT_THAT(after_finals(task, {{5, 1900}, {4, 2000}, {3, 2000}, {0, 2100}}, {}), ElementsAre())
      << "nobody left to lose to";
}

TEST(Finals, AreJudgedWithinARepetitionAndNotByAFasterMinuteOfAnEarlierRun) {
  TaskState task = make_lane(1).tasks[0];
  for (int i = 0; i < 6; ++i) task.observe(make_record(task.task, i, 2000 - 10 * i), true);
  Record earlier = make_record(task.task, 1, 1500);
  earlier.from.final = true;
  task.observe(earlier, false);
  ASSERT_TRUE(task.next_finals({}));
  EXPECT_THAT(after_finals(task, {{1, 1960}, {5, 1950}, {4, 1955}, {0, 2100}}, {}),
              testing::ElementsAre("direct p=1", "direct p=5", "direct p=4"));
}

TEST(Budget, GivesEveryTaskTrialZeroFirst) {
  Lane lane = make_lane(2);
  EXPECT_TRUE(std::isinf(expected_gain(lane, 0, {})));
  observe(lane, 0, 0, 1000);
  EXPECT_EQ(choose_task(lane, {}), 1u);
  lane.tasks[1].measuring = 1;
  EXPECT_EQ(choose_task(lane, {}), 0u) << "what is being measured is waited for";
}

TEST(Budget, PrefersWeightThenTimeThenImprovement) {
  Lane lane = make_lane(2);
  observe(lane, 0, 0, 1000);
  observe(lane, 1, 0, 1000);
  lane.tasks[1].task.weight = 5;
  EXPECT_EQ(choose_task(lane, {}), 1u);
  lane = make_lane(2);
  observe(lane, 0, 0, 9000);
  observe(lane, 1, 0, 1000);
  EXPECT_EQ(choose_task(lane, {}), 0u);
  lane = make_lane(2);
  for (int i = 0; i < 30; ++i) {
    observe(lane, 0, i, 1000);
    observe(lane, 1, i, 1000 - 10 * i + (i == 0 ? 290 : 0));
  }
  EXPECT_GT(expected_gain(lane, 1, {}), expected_gain(lane, 0, {}));
}

TEST(Budget, HopesForWhatLikeTasksReach) {
  Lane lane = make_lane(4);  // 0 and 2 are conv1x1, 1 and 3 conv3x3, all of the same FLOPs
  observe(lane, 0, 0, 4000);
  observe(lane, 1, 0, 4000);
  observe(lane, 2, 0, 1000);
  observe(lane, 3, 0, 4000);
  EXPECT_GT(expected_gain(lane, 0, {}), expected_gain(lane, 1, {}));
}

TEST(Budget, SpreadsRoundsOverTasksInFlight) {
  Lane lane = make_lane(2);
  observe(lane, 0, 0, 1100);
  observe(lane, 1, 0, 1000);
  EXPECT_EQ(choose_task(lane, {}), 0u);
  lane.tasks[0].asked = 8;
  EXPECT_EQ(choose_task(lane, {}), 1u);
}

TEST(Budget, FinishesATaskWithoutImprovementAboveTheNoise) {
  Settings settings;
  settings.settle_trials = 10;
  Lane lane = make_lane(1);
  for (int i = 0; i <= 10; ++i) {
    EXPECT_FALSE(is_settled(lane.tasks[0], settings)) << i;
    observe(lane, 0, i, 1000 - 0.4 * i);
  }
  EXPECT_TRUE(is_settled(lane.tasks[0], settings)) << "0.4 % in ten trials";
  observe(lane, 0, 11, 900);
  EXPECT_FALSE(is_settled(lane.tasks[0], settings));
}

TEST(Budget, GivesASmallPartOfTheModelFewerTrials) {
  Settings settings;
  settings.settle_trials = 40;
  Lane lane = make_lane(2);
  observe(lane, 0, 0, 1e6);
  for (int i = 0; i <= 20; ++i) observe(lane, 1, i, 1000);
  EXPECT_NEAR(share_of_model(lane, 1), 0.001, 1e-5);
  EXPECT_TRUE(is_settled(lane.tasks[1], settings, share_of_model(lane, 1)));
  EXPECT_FALSE(is_settled(lane.tasks[1], settings, 1));
}

TEST(Budget, SpendsTimeWhereASecondGainsMost) {
  Lane lane = make_lane(2);
  observe(lane, 0, 0, 1000);
  observe(lane, 1, 0, 900);
  EXPECT_EQ(choose_task(lane, {}), 0u);
  lane.tasks[0].boards_ms = 300;
  lane.tasks[0].built = 10;
  lane.tasks[1].boards_ms = 100;
  lane.tasks[1].built = 10;
  EXPECT_EQ(choose_task(lane, {}), 1u) << "nearly as much for a third of the time";
}

TEST(Budget, SpreadsWhatManyBoardsWorkOnOverTheTasks) {
  Settings settings;
  Lane lane = make_lane(4);
  for (size_t i = 0; i < 4; ++i) {
    observe(lane, i, 0, 1000);
    lane.tasks[i].built = 1;
    lane.tasks[i].building_ms = 1;
    lane.tasks[i].boards_ms = 100;
  }
  lane.tasks[2].boards_ms = 99;  // the cheapest comes first, but not for ever
  std::map<size_t, uint32_t> given;
  for (int round = 0; round < 40; ++round) {
    const auto chosen = choose_task(lane, settings);
    ASSERT_TRUE(chosen);
    TaskState& task = lane.tasks[*chosen];
    given[*chosen] += settings.round_size;
    task.built += settings.round_size;  // built, and not one of them measured yet
    task.building_ms += settings.round_size;
    task.measuring += settings.round_size;
  }
  for (size_t i = 0; i < 4; ++i) EXPECT_NEAR(given[i], 10 * settings.round_size, settings.round_size) << i;
}

TEST(Budget, FinishesATaskThatOnlyFails) {
  Settings settings;
  Lane lane = make_lane(1);
  for (uint32_t i = 0; i < settings.hopeless; ++i) {
    EXPECT_FALSE(is_settled(lane.tasks[0], settings));
    lane.tasks[0].observe(make_record(lane.tasks[0].task, static_cast<int>(i), 0, MeasureStatus::crashed),
                          true);
  }
  EXPECT_TRUE(is_settled(lane.tasks[0], settings));
}

TEST(TaskState, CountsATrialOncePerArtifactAndFinalsNot) {
  Lane lane = make_lane(1);
  observe(lane, 0, 0, 1000);
  observe(lane, 0, 0, 1000);
  Record final = make_record(lane.tasks[0].task, 0, 1100);
  final.from.final = true;
  lane.tasks[0].observe(final, true);
  lane.tasks[0].observe(make_record(lane.tasks[0].task, 1, 5000, MeasureStatus::raced_out), true);
  lane.tasks[0].observe(make_record(lane.tasks[0].task, 2, 0, MeasureStatus::run_timeout), true);
  EXPECT_EQ(lane.tasks[0].trials(), 2u);
  EXPECT_EQ(lane.tasks[0].failures, 1u);
  EXPECT_EQ(lane.tasks[0].best_ns, 1100) << "finals count before the search";
  EXPECT_EQ(lane.tasks[0].first_ns, 1100);
}

TEST(TaskState, ForgetsACandidateThatFailsAsAFinalist) {
  Lane lane = make_lane(1);
  observe(lane, 0, 0, 1000);
  observe(lane, 0, 1, 500);
  Record wrong = make_record(lane.tasks[0].task, 1, 0, MeasureStatus::wrong_answer);
  wrong.from.final = true;
  lane.tasks[0].observe(wrong, true);
  EXPECT_EQ(lane.tasks[0].best_ns, 1000);
}

TEST(JobStates, OnlyKnowTheLegalChanges) {
  EXPECT_TRUE(is_legal(JobState::starting, JobState::in_progress));
  EXPECT_TRUE(is_legal(JobState::stopping, JobState::stopped));
  EXPECT_FALSE(is_legal(JobState::in_progress, JobState::stopped));
  EXPECT_FALSE(is_legal(JobState::completed, JobState::in_progress));
  EXPECT_FALSE(is_legal(JobState::stopping, JobState::completed));
}

TEST(Training, TakesOneTargetAndFeatureVersionWithFailuresAsZero) {
  LogDatabase log;
  const wire::JobTask task = test::make_task(0), other = test::make_task(1);
  log.add(make_record(task, 0, 1000));
  log.add(make_record(task, 1, 500));
  log.add(make_record(other, 0, 100));
  log.add(make_record(task, 2, 0, MeasureStatus::crashed));
  Record old = make_record(task, 3, 10), strange = make_record(task, 4, 10),
         unwell = make_record(task, 5, 10, MeasureStatus::board_unhealthy);
  old.feature_version = 0;
  strange.candidate.target = "another";
  for (const Record& record : {old, strange, unwell}) log.add(record);
  const auto request = training_rows({&log.records()}, "target", 1, {});
  ASSERT_TRUE(request);
  EXPECT_EQ(request->rows.rows(), 4);
  EXPECT_THAT(request->scores, testing::ElementsAre(0, 10000, 2000, 1000));
  EXPECT_THAT(request->groups, testing::ElementsAre(0, 1, 0, 0));
  EXPECT_FALSE(training_rows({&log.records()}, "target", 9, {}));
}

TEST(ArtifactStore, ForgetsWhatWasNotUsedForLongestButNothingNeeded) {
  ArtifactStore store(10, 1000);
  std::vector<Digest> digests;
  for (int i = 0; i < 12; ++i) digests.push_back(store.put(wire::Bytes(1, static_cast<std::byte>(i))));
  EXPECT_TRUE(store.get(digests[1]));
  store.trim({digests[0]});
  EXPECT_TRUE(store.has(digests[0]));
  EXPECT_TRUE(store.has(digests[1]));
  EXPECT_FALSE(store.has(digests[2]));
  EXPECT_LE(store.count(), 10u);
  store.put(wire::Bytes(2000));
  EXPECT_TRUE(store.over());
  store.trim({});
  EXPECT_FALSE(store.over());
  EXPECT_EQ(store.put(wire::Bytes(1, std::byte{0})), digests[0]) << "addresses are contents";
}

TEST(JobsJournal, GivesBackJobsStatesAndWhatWasIssued) {
  wire::JobRequest request;
  request.name = "net";
  request.parts[0].target = "t";
  request.parts[0].tasks = {test::make_task(1, 4)};
  request.max_trials = 17;
  RecoveredJob state;
  state.state = JobState::in_progress;
  state.lanes = {{0, "Test board", 9}, {1, "Another board", 4}};
  state.elapsed_ms = 1234;
  state.measured_before = 3;
  state.loaded = true;
  const Record record = make_record(test::make_task(1), 5, 0);
  std::vector<JournalEntry> entries = {boot_entry(1),
                                       *submit_entry(7, request),
                                       state_entry(7, state),
                                       *submit_entry(8, request),
                                       *issued_entry({digest_of("id"), record}),
                                       boot_entry(2)};
  RecoveredJob ended;
  ended.state = JobState::completed;
  entries.push_back(state_entry(8, ended));
  auto recovered = recover(entries);
  ASSERT_TRUE(recovered) << recovered.error().text();
  EXPECT_EQ(recover(snapshot(*recovered))->jobs.size(), 2u);
  auto again = recover(snapshot(*recovered, 0));
  ASSERT_TRUE(again);
  EXPECT_EQ(again->boot, 2u);
  ASSERT_EQ(again->jobs.size(), 1u) << "the oldest jobs that have ended are not kept";
  const RecoveredJob& job = again->jobs.at(7);
  EXPECT_EQ(job.request.parts[0].tasks[0].weight, 4u);
  EXPECT_EQ(job.request.max_trials, 17u);
  EXPECT_EQ(job.state, JobState::in_progress);
  EXPECT_EQ(job.elapsed_ms, 1234u);
  EXPECT_EQ(job.lanes, state.lanes);
  EXPECT_EQ(job.measured_before, 3u);
  EXPECT_TRUE(job.loaded);
  EXPECT_EQ(again->issued.at(digest_of("id")).candidate.parameters, "p=5");
}

TEST(JobsJournal, RefusesTornAndUnknownEntries) {
  JournalEntry torn = state_entry(7, {});
  torn.payload.resize(torn.payload.size() - 3);
  EXPECT_THAT(recover({torn}).error().text(),
              HasSubstr("entry 0 of the jobs journal: is shorter than it says"));
  EXPECT_THAT(recover({{99, ""}}).error().what, HasSubstr("unknown type 99"));
  EXPECT_THAT(recover({{kSubmitEntry, std::string(24, '\0')}}).error().what, HasSubstr("no job request"));
  JournalEntry odd = state_entry(7, {});
  odd.payload[8] = 77;
  EXPECT_THAT(recover({odd}).error().what, HasSubstr("no job state"));
}

}  // namespace
}  // namespace hone::scheduler
