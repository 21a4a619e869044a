// Rows of an older feature version: featurised by a tuner before the search, for the model a new log gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/base/digest.h"
#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using test::make_request;

constexpr int kRows = 150, kNow = 4, kOld = 3;

std::vector<float> features_of(int number) { return {static_cast<float>(number), 1, 2}; }

/// A log of kRows trials of a task that is like the job's, with features of `version`.
LogDatabase log_of(int version) {
  LogDatabase log;
  const wire::JobRequest request = make_request(1, 10);
  for (int i = 0; i < kRows; ++i) {
    Record record;
    record.candidate.task = "another task";
    record.task_key = digest_of(record.candidate.task);
    record.candidate.target = request.parts[0].target;
    record.candidate.formulation = "direct";
    record.candidate.parameters = "p=" + std::to_string(i);
    record.candidate.schedule = "steps of " + std::to_string(i);
    record.artifact = digest_of(record.candidate.parameters);
    record.measurement.samples_ns = {1000.0 + i, 1000.0 + i, 1000.0 + i};
    summarise(record.measurement);
    record.features = version == kNow ? features_of(i) : std::vector<float>{9, 9};
    record.feature_version = version;
    log.add(std::move(record));
  }
  return log;
}

/// A job on a log, with a tuner that says features of version kNow.
struct Started : Hand {
  explicit Started(LogDatabase log, Settings settings = {}) : Hand(settings, std::move(log)) {
    wire::Hello tuner;
    tuner.role = wire::Role::tuner;
    tuner.name = "tuner";
    tuner.feature_version = kNow;
    say("tuner", tuner);
    hello("client", wire::Role::client);
    hello("runner", wire::Role::runner);
    say("client", make_request(1, 10));
    durable();
  }
  std::optional<wire::Round> round() const {
    const auto want = last<wire::Want>("tuner");
    return want && !want->rounds.empty() ? std::optional(want->rounds.at(0)) : std::nullopt;
  }
  static std::vector<CandidateText> asked_rows(const wire::Round& round) {
    const auto* featurise = std::get_if<wire::Featurise>(&round.asks);
    return featurise != nullptr ? featurise->rows : std::vector<CandidateText>();
  }
  void answer(const wire::Round& round) {
    for (size_t i = 0; i < asked_rows(round).size(); ++i) {
      wire::Featurised row;
      row.lease = round.lease;
      row.row = i;
      row.features = features_of(std::stoi(asked_rows(round)[i].parameters.substr(2)));
      row.feature_version = kNow;
      say("tuner", row);
    }
    say("tuner", wire::RoundDone{round.lease, 0, false, 1});
  }
  void answer_all() {
    for (int i = 0; i < 20 && round() && !asked_rows(*round()).empty(); ++i) answer(*round());
  }
};

TEST(OldFeatures, TrainTheSameModelAsTheSameLogWithNewOnes) {
  Started old(log_of(kOld)), fresh(log_of(kNow));
  ASSERT_TRUE(old.round());
  EXPECT_EQ(Started::asked_rows(*old.round()).at(0).schedule, "steps of 149")
      << "the newest first, by its own steps";
  EXPECT_TRUE(old.trainings.empty()) << "not on what no tuner could use";
  old.answer_all();
  ASSERT_EQ(old.trainings.size(), 1u);
  ASSERT_EQ(fresh.trainings.size(), 1u);
  EXPECT_EQ(old.trainings[0].rows.values, fresh.trainings[0].rows.values);
  EXPECT_EQ(old.trainings[0].groups, fresh.trainings[0].groups);
  EXPECT_EQ(old.trainings[0].scores, fresh.trainings[0].scores);
  EXPECT_EQ(old.trainings[0].rows.rows(), kRows);
  const auto model =
      train_ranking(old.trainings[0].rows, old.trainings[0].groups, old.trainings[0].scores, {});
  const auto other =
      train_ranking(fresh.trainings[0].rows, fresh.trainings[0].groups, fresh.trainings[0].scores, {});
  ASSERT_TRUE(model && other);
  EXPECT_EQ(*model, *other);
}

TEST(OldFeatures, AreLookedForOnceAndTheSearchComesAfterTheModel) {
  Started hand(log_of(kOld));
  hand.answer_all();
  EXPECT_FALSE(hand.round()) << "no search while the model is trained";
  hand.take(hand.core.trained({hand.now, 1}, hand.trainings.at(0).id, std::string("model")));
  ASSERT_TRUE(hand.round());
  EXPECT_TRUE(Started::asked_rows(*hand.round()).empty());
  EXPECT_EQ(std::get<wire::Propose>(hand.round()->asks).cost_model, digest_of("model"));
}

TEST(OldFeatures, AreGivenUpWhenTheirTimeIsOver) {
  Settings settings;
  settings.featurise = Time(100);
  Started hand(log_of(kOld), settings);
  const wire::Round first = *hand.round();
  hand.now += Time(200);
  hand.answer(first);
  ASSERT_EQ(hand.trainings.size(), 1u);
  EXPECT_EQ(hand.trainings[0].rows.rows(), static_cast<int64_t>(Started::asked_rows(first).size()))
      << "what is there";
  hand.take(hand.core.trained({hand.now, 1}, hand.trainings[0].id, std::string("model")));
  ASSERT_TRUE(hand.round());
  EXPECT_TRUE(Started::asked_rows(*hand.round()).empty());
}

TEST(OldFeatures, ThatNoLongerLowerAreLeftOut) {
  Started hand(log_of(kOld));
  wire::Round round = *hand.round();
  hand.say("tuner", wire::RoundDone{round.lease, 0, false, 1});  // none of the first batch
  hand.answer_all();
  ASSERT_EQ(hand.trainings.size(), 1u);
  EXPECT_EQ(hand.trainings[0].rows.rows(), kRows - static_cast<int64_t>(Started::asked_rows(round).size()));
}

TEST(OldFeatures, StayWithATunerThatSaysNoVersion) {
  Hand hand({}, log_of(kOld));
  hand.hello("tuner", wire::Role::tuner);
  hand.hello("client", wire::Role::client);
  hand.hello("runner", wire::Role::runner);
  hand.say("client", make_request(1, 10));
  hand.durable();
  ASSERT_EQ(hand.trainings.size(), 1u);
  hand.take(hand.core.trained({hand.now, 1}, hand.trainings[0].id, std::string("model")));
  const auto want = hand.last<wire::Want>("tuner");
  ASSERT_TRUE(want && !want->rounds.empty());
  EXPECT_TRUE(Started::asked_rows(want->rounds[0]).empty());
}

TEST(OldFeatures, OfALostTunerHoldTheSearchUpNoLonger) {
  Started hand(log_of(kOld));
  hand.take(hand.core.gone({hand.now, 1}, "tuner"));
  hand.hello("another", wire::Role::tuner);  // of a version that works none out
  for (int second = 0; second < 6; ++second) {
    hand.tick(1000);
    for (const char* worker : {"another", "runner"}) hand.say(worker, wire::WorkerState{});
  }
  const auto want = hand.last<wire::Want>("another");
  ASSERT_TRUE(want && !want->rounds.empty());
  EXPECT_TRUE(Started::asked_rows(want->rounds[0]).empty());
}

}  // namespace
}  // namespace hone::scheduler
