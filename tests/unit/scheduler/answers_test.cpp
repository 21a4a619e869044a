// How little the scheduler says and looks at while results pour in: one acknowledgement for many, no want
// that says nothing new, a best that is not searched for again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;

template <class Kind>
size_t count(const Hand& hand, const PeerId& peer) {
  return static_cast<size_t>(std::ranges::count_if(hand.sent, [&](const Outgoing& outgoing) {
    return outgoing.peer == peer && std::holds_alternative<Kind>(outgoing.message);
  }));
}

/// A board that holds two measurements of one task.
struct Two : Hand {
  Two() {
    hello("client", wire::Role::client);
    hello("tuner", wire::Role::tuner);
    hello("runner", wire::Role::runner, 2);
    say("client", test::make_request(1, 10));
    durable();
    build("tuner", last<wire::Want>("tuner")->rounds.at(0), "zero", 0);
    say("runner", result(last<wire::Want>("runner")->measurements.at(0)));
    say("tuner", wire::RoundDone{last<wire::Want>("tuner")->leases.at(0), 1, false, 1});
    durable();
    const wire::Round round = last<wire::Want>("tuner")->rounds.at(0);
    for (const char* name : {"one", "two"}) {
      build("tuner", round, name, std::get<wire::Propose>(round.asks).first_trial + requests.size());
      requests.push_back(last<wire::Want>("runner")->measurements.at(0));
    }
    sent.clear();
  }
  std::vector<wire::MeasureRequest> requests;
};

TEST(Answers, AcknowledgeAllResultsOfABoardThatBecameDurableInOneMessage) {
  Two hand;
  for (const wire::MeasureRequest& request : hand.requests) hand.say("runner", hand.result(request));
  EXPECT_EQ(count<wire::Committed>(hand, "runner"), 0u);
  hand.durable();
  EXPECT_EQ(count<wire::Committed>(hand, "runner"), 1u);
  EXPECT_THAT(hand.last<wire::Committed>("runner")->ids,
              testing::ElementsAre(hand.requests[0].id, hand.requests[1].id));
}

TEST(Answers, DoNotRepeatAWantThatTheStateAgreesWith) {
  Two hand;
  wire::WorkerState state;
  for (const wire::MeasureRequest& request : hand.requests) state.leases.push_back(request.lease);
  hand.say("runner", state);
  EXPECT_EQ(count<wire::Want>(hand, "runner"), 0u) << "it was told just now";
  hand.now += Settings().heartbeat;
  hand.say("runner", state);
  EXPECT_EQ(count<wire::Want>(hand, "runner"), 1u) << "a sign of life";
  state.leases.push_back({77, 1});
  hand.say("runner", state);
  EXPECT_EQ(count<wire::Want>(hand, "runner"), 2u) << "it holds what it should not";
}

TEST(Answers, SayNothingToABoardAboutTheLeaseOfItsOwnResult) {
  Two hand;
  hand.say("runner", hand.result(hand.requests[0]));
  EXPECT_EQ(count<wire::Want>(hand, "runner"), 0u);
}

TEST(TaskState, KnowsItsBestAsIfItLookedAtAllCandidates) {
  std::mt19937 random(3);
  const wire::JobTask job_task = test::make_task(0);
  for (int run = 0; run < 50; ++run) {
    TaskState task;
    for (int i = 0; i < 60; ++i) {
      const auto number = random() % 12;
      Record record;
      record.task_key = digest_of(job_task.task);
      record.candidate.formulation = "direct";
      record.candidate.parameters = "p=" + std::to_string(number);
      record.artifact = digest_of(record.candidate.parameters);
      record.from.trial = number;
      record.from.final = random() % 4 == 0;
      record.from.repetition = i;
      record.candidate.space_version = 1 + static_cast<int>(i / 40);
      record.measurement.status = random() % 8 == 0 ? MeasureStatus::wrong_answer : MeasureStatus::ok;
      record.measurement.median_ns = record.measurement.status == MeasureStatus::ok ? 100 + random() % 50 : 0;
      task.observe(record, true);
      double best = 0, zero = 0;
      bool best_final = false;
      for (const auto& [key, shown] : task.candidates) {
        if (!shown.good) continue;
        const bool has_finals = !shown.finals.empty();
        if (shown.record.from.trial == 0) zero = shown.figure;
        if (best == 0 || (has_finals && !best_final) || (has_finals == best_final && shown.figure < best)) {
          best = shown.figure;
          best_final = has_finals;
        }
      }
      ASSERT_EQ(task.best_ns, best) << "run " << run << ", record " << i;
      ASSERT_EQ(task.first_ns, zero) << "run " << run << ", record " << i;
    }
  }
}

}  // namespace
}  // namespace hone::scheduler
