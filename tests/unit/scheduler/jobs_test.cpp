// Jobs of many users: submitted once, shared fairly, limited, resumed; the log as clients pull it; artifacts
// that were lost.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/share.h"
#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using test::make_request;
using test::Measuring;
using test::World;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Tokens, MakeARepeatedSubmissionTheSameJobAlsoAfterARestart) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  wire::JobRequest request = make_request(1, 10);
  request.token = "once";
  hand.say("client", request);
  EXPECT_FALSE(hand.last<wire::Accepted>("client")) << "not before it is durable";
  hand.durable();
  const uint64_t job = hand.last<wire::Accepted>("client")->job;
  hand.hello("again", wire::Role::client);
  hand.say("again", request);
  hand.durable();
  EXPECT_EQ(hand.last<wire::Accepted>("again")->job, job);
  request.token = "twice";
  hand.say("again", request);
  hand.durable();
  EXPECT_NE(hand.last<wire::Accepted>("again")->job, job);
  auto recovered = recover(hand.entries);
  ASSERT_TRUE(recovered);
  Hand next({}, {}, *recovered);
  next.hello("client", wire::Role::client);
  request.token = "once";
  next.say("client", request);
  next.durable();
  EXPECT_EQ(next.last<wire::Accepted>("client")->job, job);
}

TEST(Tokens, LetAClientSubmitAgainWhatAKilledSchedulerHadNotWritten) {
  World world({}, 5);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.step();
  world.submit(make_request(1, 20));
  world.restart_scheduler();  // before the job was durable
  EXPECT_TRUE(world.core().jobs().empty());
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_THAT(world.broken, IsEmpty());
  EXPECT_EQ(world.last_event().state, "Completed") << world.last_event().reason;
  EXPECT_EQ(world.core().jobs().size(), 1u);
}

TEST(JobsJournal, SaysWhichEntryNamesAMeasurementByNoDigest) {
  auto entry = issued_entry({digest_of("id"), {}});
  ASSERT_TRUE(entry);
  EXPECT_TRUE(recover({*entry})->issued.contains(digest_of("id")));
  entry->payload.replace(entry->payload.find(digest_of("id").hex()), 1, "x");
  EXPECT_THAT(recover({boot_entry(1), *entry}).error().text(),
              testing::AllOf(HasSubstr("entry 1 of the jobs journal: names no measurement: 'x"),
                             HasSubstr("' is no digest")));
}

TEST(Users, AreWhoTheirKeysSayTheyAre) {
  Hand hand;
  wire::Hello hello;
  hand.take(hand.core.message({hand.now, 1}, "client", hello, {}, {"alice"}));
  wire::JobRequest request = make_request(1, 10);
  request.user = "bob";
  request.priority = 30;
  hand.say("client", request);
  hand.say("client", wire::ListJobs{});
  const auto jobs = hand.last<wire::Jobs>("client")->jobs;
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].user, "alice");
  EXPECT_EQ(jobs[0].priority, 30u);
}

TEST(Submissions, ThatMakeNoSenseAreRefused) {
  Hand hand;
  hand.hello("client", wire::Role::client);
  wire::JobRequest request = make_request(1, 10);
  request.priority = 101;
  hand.say("client", request);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("its priority is not 1 to 100"));
  request = make_request(1, 10);
  request.require = {"cooled"};
  hand.say("client", request);
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("'cooled' is not KEY=VALUE"));
  EXPECT_THAT(hand.core.jobs(), IsEmpty());
}

std::map<uint64_t, double> shares(const std::vector<Claim>& claims, int turns) {
  FairShare share(5);
  std::map<uint64_t, double> used;
  for (int i = 0; i < turns; ++i) {
    const Claim& claim = claims[share.pick(claims)];
    share.charge(claim, 1);
    used[claim.job] += 1.0 / turns;
  }
  return used;
}

TEST(FairShare, IsTheSameForEachUserAndByPriorityAmongTheJobsOfOne) {
  const auto used = shares({{"alice", 1, 10}, {"alice", 2, 30}, {"bob", 3, 1}}, 800);
  EXPECT_NEAR(used.at(1), 0.125, 0.01);
  EXPECT_NEAR(used.at(2), 0.375, 0.01);
  EXPECT_NEAR(used.at(3), 0.5, 0.01);
}

TEST(FairShare, GivesNoClaimOnWhatOthersUsedWhileOneWasIdle) {
  FairShare share(5);
  const std::vector<Claim> one = {{"alice", 1, 1}}, both = {{"alice", 1, 1}, {"bob", 2, 1}};
  for (int i = 0; i < 1000; ++i) share.charge(one[share.pick(one)], 1);
  int bob = 0;
  for (int i = 0; i < 100; ++i) {
    const Claim& claim = both[share.pick(both)];
    share.charge(claim, 1);
    bob += claim.user == "bob";
  }
  EXPECT_LE(bob, 56);
  EXPECT_GE(bob, 50);
}

TEST(Jobs, ThatShareABoardGetItByTheirPriorities) {
  Settings settings;
  settings.settle_trials = 100000;
  World world(settings, 11);
  world.add_tuner("tuner-a");
  world.add_tuner("tuner-b");
  world.add_runner("board");
  for (int i = 0; i < 3; ++i) world.step();
  wire::JobRequest request = make_request(6, 0, 1000);
  request.user = "me";
  request.priority = 30;
  world.submit(request);
  world.step();
  const uint64_t first = world.job();
  request.priority = 10;
  request.parts[0].mode = TimingMode::dram;
  world.submit(request);
  for (int i = 0; i < 3000; ++i) world.step();
  ASSERT_NE(world.job(), first);
  const double long_share = world.core().jobs().at(first).board_ms,
               short_share = world.core().jobs().at(world.job()).board_ms;
  EXPECT_NEAR(long_share / short_share, 3, 0.6);
  EXPECT_THAT(world.broken, IsEmpty());
}

TEST(Jobs, AreStoppedAndResumedWithWhatTheyHad) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  hand.durable();
  hand.say("client", wire::Stop{hand.round.job});
  hand.durable();
  hand.durable();
  EXPECT_EQ(hand.last<wire::JobEvent>("client")->state, "Stopped");
  hand.say("client", wire::Resume{hand.round.job});
  hand.durable();
  EXPECT_EQ(hand.last<wire::Accepted>("client")->job, hand.round.job);
  const Job& job = hand.core.jobs().at(hand.round.job);
  EXPECT_EQ(job.state, JobState::in_progress);
  EXPECT_EQ(job.trials(), 1u);
  EXPECT_GT(std::get<wire::Propose>(hand.last<wire::Want>("tuner")->rounds.at(0).asks).first_trial, 0u);
  hand.say("client", wire::Resume{77});
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("there is no job 77"));
}

TEST(Jobs, ThatEndedAreKnownAndResumedAfterARestart) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  hand.say("client", wire::Stop{hand.round.job});
  hand.durable();
  hand.durable();
  LogDatabase log;
  for (const Record& record : hand.records) log.add(record);
  auto recovered = recover(hand.entries);
  ASSERT_TRUE(recovered);
  Hand next({}, log, *recovered);
  next.hello("client", wire::Role::client);
  next.say("client", wire::ListJobs{});
  const auto jobs = next.last<wire::Jobs>("client")->jobs;
  ASSERT_EQ(jobs.size(), 1u);
  EXPECT_EQ(jobs[0].state, "Stopped");
  EXPECT_EQ(jobs[0].reason, "stopped by a client");
  EXPECT_EQ(jobs[0].trials, 1u);
  next.durable();
  next.say("client", wire::Follow{jobs[0].job});
  EXPECT_EQ(next.last<wire::JobEvent>("client")->tasks.at(0).trials, 1u);
  next.say("client", wire::Resume{jobs[0].job});
  EXPECT_EQ(next.core.jobs().at(jobs[0].job).state, JobState::starting);
}

TEST(Jobs, FailWhenTheirTimeLimitHasPassedInEveryState) {
  for (const bool has_workers : {false, true}) {
    Settings settings;
    settings.worker_wait = settings.loss = settings.lease = Time(1000000);
    Hand hand(settings);
    hand.hello("client", wire::Role::client);
    if (has_workers) {
      hand.hello("tuner", wire::Role::tuner);
      hand.hello("runner", wire::Role::runner);
    }
    wire::JobRequest request = make_request(1, 10);
    request.limit_seconds = 30;
    hand.say("client", request);
    hand.tick(29000);
    EXPECT_FALSE(is_terminal(hand.core.jobs().begin()->second.state));
    hand.tick(1000);
    hand.durable();
    EXPECT_EQ(hand.last<wire::JobEvent>("client")->state, "Failed");
    EXPECT_THAT(hand.last<wire::JobEvent>("client")->reason,
                HasSubstr("its time limit of 30 s passed: 0 of 1 tasks have a time"));
    EXPECT_THAT(hand.core.works(), IsEmpty());
  }
}

TEST(Jobs, StopInBoundedTimeThoughOthersCommitWithoutEnd) {
  Measuring hand;
  wire::JobRequest other = make_request(1, 10);
  other.parts[0].mode = TimingMode::dram;
  hand.say("client", other);
  hand.say("runner", hand.result(hand.request));
  hand.say("client", wire::Stop{hand.round.job});
  EXPECT_EQ(hand.core.jobs().at(hand.round.job).state, JobState::stopping);
  const uint64_t wanted = hand.wanted;
  hand.say("tuner", wire::WorkerState{});
  wire::Built failed;
  failed.lease = hand.last<wire::Want>("tuner")->leases.at(0);
  failed.candidate = {hand.round.task, hand.round.target, "direct", 1, hand.round.ports, "p=bad", ""};
  failed.status = MeasureStatus::build_error;
  hand.say("tuner", failed);
  ASSERT_GT(hand.wanted, wanted);
  hand.take(hand.core.durable({hand.now, 1}, wanted));  // the other's entries are not durable
  EXPECT_EQ(hand.core.jobs().at(hand.round.job).state, JobState::stopped);
}

TEST(Trouble, OfTheDiskIsToldAndNothingIsAcknowledgedMeanwhile) {
  Measuring hand;
  hand.take(hand.core.trouble({hand.now, 1}, "No space left on device"));
  hand.say("runner", hand.result(hand.request));
  EXPECT_FALSE(hand.last<wire::Committed>("runner"));
  hand.tick(2000);
  EXPECT_THAT(hand.last<wire::JobEvent>("client")->trouble, HasSubstr("No space left"));
  hand.say("client", wire::AskStatus{});
  wire::SchedulerStatus status = *hand.last<wire::SchedulerStatus>("client");
  EXPECT_EQ(status.trouble, "No space left on device");
  EXPECT_EQ(status.records, 1u);
  EXPECT_EQ(status.durable, 0u);
  hand.take(hand.core.trouble({hand.now, 1}, ""));
  hand.durable();
  EXPECT_TRUE(hand.last<wire::Committed>("runner"));
  hand.say("client", wire::AskStatus{});
  status = *hand.last<wire::SchedulerStatus>("client");
  EXPECT_EQ(status.durable, 1u);
  EXPECT_EQ(status.trouble, "");
}

TEST(Trouble, OfTheDiskMakesNobodyLateWithWhatItCouldNotBeTold) {
  Settings settings;
  settings.loss = Time(1000000);
  Measuring hand(settings);
  hand.take(hand.core.trouble({hand.now, 1}, "No space left on device"));
  const size_t told = hand.sent.size();
  for (int i = 0; i < 20; ++i) {  // many leases long; the runner has not heard of its measurement
    hand.tick(settings.lease.count() / 2);
    hand.say("runner", wire::WorkerState{});
    hand.say("tuner", wire::WorkerState{{hand.round.lease}});
  }
  EXPECT_EQ(hand.core.counters().expired_leases, 0u);
  EXPECT_THAT(hand.core.boards().all().begin()->second.faults, 0u);
  for (size_t i = told; i < hand.sent.size(); ++i)
    if (const auto* want = std::get_if<wire::Want>(&hand.sent[i].message)) {
      EXPECT_THAT(want->measurements, IsEmpty()) << "it is told again and again";
    }
  hand.take(hand.core.trouble({hand.now, 1}, ""));
  hand.say("runner", wire::WorkerState{});
  EXPECT_EQ(hand.last<wire::Want>("runner")->measurements.size(), 1u)
      << "it is told once the disk is written";
  hand.say("runner", hand.result(hand.request));
  hand.durable();
  EXPECT_TRUE(hand.last<wire::Committed>("runner"));
}

TEST(TheLog, IsPulledInChunksOfDurableRecords) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  hand.say("client", wire::PullLog{});
  EXPECT_EQ(hand.last<wire::LogChunk>("client")->total, 0u) << "not before it is durable";
  hand.durable();
  hand.say("client", wire::PullLog{hand.round.job, 0, hand.round.target});
  auto chunk = *hand.last<wire::LogChunk>("client");
  ASSERT_EQ(chunk.records.size(), 1u);
  EXPECT_EQ(chunk.records[0].candidate.parameters, "p=zero");
  EXPECT_EQ(chunk.next, 1u);
  EXPECT_EQ(chunk.total, 1u);
  hand.say("client", wire::PullLog{0, 1, ""});
  EXPECT_THAT(hand.last<wire::LogChunk>("client")->records, IsEmpty());
  hand.say("client", wire::PullLog{0, 0, "another target"});
  EXPECT_THAT(hand.last<wire::LogChunk>("client")->records, IsEmpty());
  hand.say("client", wire::PullLog{77, 0, ""});
  EXPECT_THAT(hand.last<wire::NotUnderstood>("client")->reason, HasSubstr("there is no job 77"));
}

TEST(TheLog, OfAnySizeComesInSeveralChunks) {
  LogDatabase log;
  for (int i = 0; i < 1200; ++i) {
    Record record;
    record.task_key = digest_of("task");
    record.artifact = digest_of(std::to_string(i));
    log.add(record);
  }
  Hand hand({}, log);
  hand.hello("client", wire::Role::client);
  size_t got = 0, chunks = 0;
  for (uint64_t next = 0; next < 1200; ++chunks) {
    hand.say("client", wire::PullLog{0, next, ""});
    const auto chunk = *hand.last<wire::LogChunk>("client");
    ASSERT_GT(chunk.next, next);
    EXPECT_EQ(chunk.total, 1200u);
    got += chunk.records.size();
    next = chunk.next;
  }
  EXPECT_EQ(got, 1200u);
  EXPECT_EQ(chunks, 3u);
}

TEST(LostArtifacts, AreBuiltAgainForTheFinalsAfterARestart) {
  World world({}, 3);
  world.add_tuner("tuner");
  world.add_runner("board");
  world.submit(make_request(1, 60));
  while (world.disk().size() < 40) world.step();
  world.restart_scheduler();
  ASSERT_TRUE(world.run(Time(60000)));
  EXPECT_EQ(world.last_event().state, "Completed") << world.last_event().reason;
  EXPECT_THAT(world.broken, IsEmpty());
  EXPECT_GT(world.rebuilt, 0u);
  const Record* best = nullptr;
  for (const Record& record : world.disk())
    if (!record.from.final && record.measurement.status == MeasureStatus::ok &&
        (best == nullptr || record.measurement.median_ns < best->measurement.median_ns))
      best = &record;
  ASSERT_NE(best, nullptr);
  EXPECT_TRUE(std::ranges::any_of(world.disk(), [&](const Record& record) {
    return record.from.final && record.candidate.parameters == best->candidate.parameters &&
           record.artifact == best->artifact;
  })) << "the fastest of before the restart is among the finalists";
}

TEST(LostArtifacts, ThatCannotBeBuiltAgainAreLeftOutAndTheJobEnds) {
  Measuring hand;
  hand.say("runner", hand.result(hand.request));
  hand.say("tuner", wire::RoundDone{hand.round.lease, 1, true, 1});
  LogDatabase log;
  for (const Record& record : hand.records) log.add(record);
  auto recovered = recover(hand.entries);
  ASSERT_TRUE(recovered);
  Hand next({}, log, *recovered);
  next.hello("client", wire::Role::client);
  next.say("client", wire::Follow{hand.round.job});
  next.hello("tuner", wire::Role::tuner);
  next.hello("runner", wire::Role::runner);
  wire::Round round = next.last<wire::Want>("tuner")->rounds.at(0);
  EXPECT_TRUE(std::holds_alternative<wire::Propose>(round.asks));
  next.build("tuner", round, "one", 1);
  next.say("runner", next.result(next.last<wire::Want>("runner")->measurements.at(0), 2000));
  next.say("tuner", wire::RoundDone{round.lease, 1, true, 1});
  const auto want = next.last<wire::Want>("tuner");
  ASSERT_EQ(want->rounds.size(), 1u);
  const auto rebuilt = std::get<wire::Rebuild>(want->rounds[0].asks).candidates;
  ASSERT_EQ(rebuilt.size(), 1u);
  EXPECT_EQ(rebuilt[0].parameters, "p=zero");
  std::set<wire::LeaseRef> answered;
  for (int i = 0; i < 10; ++i) {
    const auto tuner = next.last<wire::Want>("tuner");
    for (const wire::Round& lost : tuner->rounds) {
      if (!answered.insert(lost.lease).second) continue;
      wire::Built failed;
      failed.lease = lost.lease;
      failed.candidate = std::get<wire::Rebuild>(lost.asks).candidates.at(0);
      failed.status = MeasureStatus::build_error;
      failed.message = "another compiler";
      next.say("tuner", failed);
      next.say("tuner", wire::RoundDone{lost.lease, 1, false, 1});
    }
    const auto runner = next.last<wire::Want>("runner");
    for (const wire::MeasureRequest& request : runner->measurements)
      if (answered.insert(request.lease).second) next.say("runner", next.result(request, 2000));
  }
  next.durable();
  EXPECT_EQ(next.core.jobs().at(hand.round.job).state, JobState::completed);
}

}  // namespace
}  // namespace hone::scheduler
