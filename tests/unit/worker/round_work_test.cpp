// The rounds of a tuner, driven by hand: what it asks of builders, and what it tells the scheduler.
#include "tuner/worker/round_work.h"

#include <gmock/gmock.h>

namespace hone {
namespace {

using testing::ElementsAre;

/// Builders that never run: requests are listed, answers are given by the test.
struct Bench {
  std::vector<std::pair<uint64_t, PipeFrame>> requests;
  std::vector<uint64_t> cancelled;
  uint64_t last = 0;
  RoundWork work{[this](PipeFrame frame) {
                   requests.emplace_back(++last, std::move(frame));
                   return last;
                 },
                 [this](uint64_t ticket) { cancelled.push_back(ticket); }};

  template <class T>
  std::vector<T> sent() {
    std::vector<T> result;
    for (Outgoing& outgoing : work.take_outgoing()) {
      if (auto* message = std::get_if<T>(&outgoing.message)) {
        result.push_back(*message);
        blobs.push_back(outgoing.blobs);
      } else {
        others.push_back(std::move(outgoing));
      }
    }
    return result;
  }
  std::vector<std::vector<wire::Bytes>> blobs;
  std::vector<Outgoing> others;
};

wire::Round round_of(uint64_t id, const std::string& model = "") {
  wire::Round round;
  round.lease = {id, 1};
  round.task = "task v1 ...";
  round.target = "target";
  wire::Propose asked;
  asked.count = 2;
  if (!model.empty()) asked.cost_model = digest_of(model);
  round.asks = asked;
  return round;
}

wire::Want want_of(std::vector<wire::Round> rounds) {
  wire::Want want;
  for (const auto& round : rounds) want.leases.push_back(round.lease);
  want.rounds = std::move(rounds);
  return want;
}

BuilderAnswer proposals(uint64_t ticket, wire::LeaseRef lease, int count) {
  BuilderAnswer answer{ticket, {}, MeasureStatus::ok, ""};
  for (int i = 0; i < count; ++i) {
    wire::Built built;
    built.lease = lease;
    built.trial = static_cast<uint64_t>(i);
    built.candidate.formulation = "direct";
    answer.frames.push_back({built, {}});
  }
  wire::RoundDone done;
  done.lease = lease;
  done.proposed = static_cast<uint32_t>(count);
  answer.frames.push_back({done, {}});
  return answer;
}

BuilderAnswer artifact(uint64_t ticket, wire::Built request, const std::string& name) {
  request.artifact = digest_of(name);
  return {ticket, {{request, wire::Bytes(3)}}, MeasureStatus::ok, ""};
}

BuilderAnswer crash(uint64_t ticket) {
  return {ticket, {}, MeasureStatus::build_error, "the compiler crashed (Aborted)"};
}

const wire::Built& request_of(const Bench& bench, size_t i) {
  return std::get<wire::Built>(bench.requests[i].second.message);
}

TEST(RoundWork, ProposesThenBuildsTheReferenceFirst) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  ASSERT_EQ(bench.requests.size(), 1u);
  bench.work.answer(proposals(1, {7, 1}, 2));
  ASSERT_EQ(bench.requests.size(), 4u);
  EXPECT_EQ(request_of(bench, 1).candidate.formulation, "reference");
  EXPECT_EQ(request_of(bench, 2).candidate.formulation, "direct");
}

TEST(RoundWork, BuildsExactlyTheCandidatesThatWereLostAndProposesNothing) {
  Bench bench;
  wire::Round round = round_of(7, "model");
  wire::Rebuild lost;
  lost.candidates.resize(2);
  lost.candidates[0].parameters = "p=1";
  lost.candidates[1].parameters = "p=2";
  round.asks = lost;
  bench.work.want(want_of({round}));
  ASSERT_EQ(bench.requests.size(), 3u) << "no model is fetched, nothing proposed";
  EXPECT_EQ(request_of(bench, 0).candidate.formulation, "reference");
  EXPECT_EQ(request_of(bench, 1).candidate.parameters, "p=1");
  bench.work.answer(artifact(1, request_of(bench, 0), "r"));
  bench.work.answer(artifact(2, request_of(bench, 1), "a"));
  bench.work.answer(crash(3));
  const auto built = bench.sent<wire::Built>();
  ASSERT_EQ(built.size(), 2u);
  EXPECT_EQ(built[0].artifact, digest_of("a"));
  EXPECT_EQ(built[0].reference, digest_of("r"));
  EXPECT_EQ(built[1].status, MeasureStatus::build_error);
  EXPECT_EQ(built[1].candidate.parameters, "p=2");
  ASSERT_EQ(bench.others.size(), 1u);
  EXPECT_EQ(std::get<wire::RoundDone>(bench.others[0].message).proposed, 2u);
  EXPECT_TRUE(bench.work.leases().empty());
}

TEST(RoundWork, HoldsCandidatesUntilTheReferenceIsThereAndSendsItsBytesOnce) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  bench.work.answer(proposals(1, {7, 1}, 2));
  bench.work.answer(artifact(3, request_of(bench, 2), "a"));
  EXPECT_TRUE(bench.work.take_outgoing().empty());
  bench.work.answer(artifact(2, request_of(bench, 1), "r"));
  bench.work.answer(artifact(4, request_of(bench, 3), "b"));
  const auto built = bench.sent<wire::Built>();
  ASSERT_EQ(built.size(), 2u);
  EXPECT_EQ(built[0].reference, digest_of("r"));
  EXPECT_EQ(built[1].reference, digest_of("r"));
  EXPECT_EQ(bench.blobs[0].size(), 2u);
  EXPECT_EQ(bench.blobs[1].size(), 1u);
  ASSERT_EQ(bench.others.size(), 1u);
  EXPECT_EQ(std::get<wire::RoundDone>(bench.others[0].message).proposed, 2u);
  EXPECT_TRUE(bench.work.leases().empty());
}

TEST(RoundWork, KeepsTheReferenceForTheNextRoundOfTheTask) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  bench.work.answer(proposals(1, {7, 1}, 1));
  bench.work.answer(artifact(2, request_of(bench, 1), "r"));
  bench.work.answer(artifact(3, request_of(bench, 2), "a"));
  bench.work.take_outgoing();
  bench.work.want(want_of({round_of(8)}));
  bench.work.answer(proposals(4, {8, 1}, 1));
  ASSERT_EQ(bench.requests.size(), 5u);
  EXPECT_EQ(request_of(bench, 4).candidate.formulation, "direct");
  bench.work.answer(artifact(5, request_of(bench, 4), "b"));
  EXPECT_EQ(bench.sent<wire::Built>().size(), 1u);
  EXPECT_EQ(bench.blobs[0].size(), 2u);  // again with its bytes: it is the first of its round
}

TEST(RoundWork, ACrashCostsOneCandidateNotTheRound) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  bench.work.answer(proposals(1, {7, 1}, 2));
  bench.work.answer(artifact(2, request_of(bench, 1), "r"));
  bench.work.answer(crash(3));
  bench.work.answer(artifact(4, request_of(bench, 3), "b"));
  const auto built = bench.sent<wire::Built>();
  ASSERT_EQ(built.size(), 2u);
  EXPECT_EQ(built[0].status, MeasureStatus::build_error);
  EXPECT_THAT(built[0].message, testing::HasSubstr("crashed (Aborted)"));
  EXPECT_EQ(built[1].status, MeasureStatus::ok);
  EXPECT_EQ(bench.blobs[1].size(), 2u);  // the reference travels with the first that was built
  EXPECT_EQ(bench.others.size(), 1u);
}

TEST(RoundWork, WithoutAReferenceNothingIsMeasured) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  bench.work.answer(proposals(1, {7, 1}, 1));
  bench.work.answer(artifact(3, request_of(bench, 2), "a"));
  bench.work.answer(crash(2));
  const auto built = bench.sent<wire::Built>();
  ASSERT_EQ(built.size(), 1u);
  EXPECT_EQ(built[0].status, MeasureStatus::build_error);
  EXPECT_THAT(built[0].message, testing::HasSubstr("the reference of this task: the compiler crashed"));
  EXPECT_TRUE(bench.blobs[0].empty());
}

TEST(RoundWork, ASearchThatCrashesEndsItsTaskWithAReason) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  bench.work.answer(crash(1));
  const auto built = bench.sent<wire::Built>();
  ASSERT_EQ(built.size(), 1u);
  EXPECT_THAT(built[0].message, testing::HasSubstr("proposing candidates: the compiler crashed"));
  ASSERT_EQ(bench.others.size(), 1u);
  EXPECT_TRUE(std::get<wire::RoundDone>(bench.others[0].message).exhausted);
}

TEST(RoundWork, FetchesTheCostModelOnceAndProposesWithIt) {
  Bench bench;
  bench.work.want(want_of({round_of(7, "m")}));
  EXPECT_TRUE(bench.requests.empty());
  EXPECT_EQ(bench.sent<wire::Fetch>().size(), 1u);
  bench.work.blob({digest_of("m"), true}, wire::Bytes(5));
  ASSERT_EQ(bench.requests.size(), 1u);
  EXPECT_EQ(bench.requests[0].second.blob.size(), 5u);
  bench.work.want(want_of({round_of(7, "m"), round_of(8, "m")}));
  EXPECT_EQ(bench.requests.size(), 2u);
  EXPECT_TRUE(bench.sent<wire::Fetch>().empty());
}

TEST(RoundWork, ProposesWithoutAModelThatNobodyHasAnyMore) {
  Bench bench;
  bench.work.want(want_of({round_of(7, "m")}));
  bench.work.blob({digest_of("m"), false}, {});
  ASSERT_EQ(bench.requests.size(), 1u);
  EXPECT_TRUE(bench.requests[0].second.blob.empty());
}

TEST(RoundWork, DropsALeaseThatIsNoLongerWanted) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  bench.work.answer(proposals(1, {7, 1}, 2));
  bench.work.want({});
  EXPECT_TRUE(bench.work.leases().empty());
  EXPECT_THAT(bench.cancelled, ElementsAre(3, 4));
  bench.work.answer(artifact(3, request_of(bench, 2), "late"));
  EXPECT_TRUE(bench.work.take_outgoing().empty());
}

TEST(RoundWork, ARaisedEpochIsOtherWork) {
  Bench bench;
  bench.work.want(want_of({round_of(7)}));
  wire::Round again = round_of(7);
  again.lease.epoch = 2;
  bench.work.want(want_of({again}));
  EXPECT_THAT(bench.work.leases(), ElementsAre(wire::LeaseRef{7, 2}));
  EXPECT_THAT(bench.cancelled, ElementsAre(1));
}

TEST(RoundWork, AfterAReconnectAsksForTheModelAgain) {
  Bench bench;
  bench.work.want(want_of({round_of(7, "m")}));
  bench.work.take_outgoing();
  bench.work.reconnected();
  EXPECT_EQ(bench.sent<wire::Fetch>().size(), 1u);
}

TEST(Featurising, IsOneRequestThatNeedsNoModelAndNoReference) {
  Bench bench;
  wire::Round round = round_of(7, "a model that nobody has");
  round.asks = wire::Featurise{std::vector<CandidateText>(2)};
  bench.work.want(want_of({round}));
  ASSERT_EQ(bench.requests.size(), 1u);
  const wire::Round& asked = std::get<wire::Want>(bench.requests[0].second.message).rounds.at(0);
  EXPECT_EQ(std::get<wire::Featurise>(asked.asks).rows.size(), 2u);
  BuilderAnswer features{bench.requests[0].first, {}, MeasureStatus::ok, ""};
  for (uint64_t row : {0, 1}) features.frames.push_back({wire::Featurised{round.lease, row, {1}, 2}, {}});
  features.frames.push_back({wire::RoundDone{round.lease}, {}});
  bench.work.answer(std::move(features));
  const auto rows = bench.sent<wire::Featurised>();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].row, 1u);
  EXPECT_EQ(bench.requests.size(), 1u) << "nothing is built";
  ASSERT_EQ(bench.others.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<wire::RoundDone>(bench.others[0].message));
  EXPECT_TRUE(bench.work.leases().empty());
}

TEST(Featurising, EndsItsRoundWhenTheBuilderDies) {
  Bench bench;
  wire::Round round = round_of(7);
  round.asks = wire::Featurise{std::vector<CandidateText>(2)};
  bench.work.want(want_of({round}));
  bench.work.answer(crash(bench.requests.at(0).first));
  EXPECT_TRUE(bench.sent<wire::Featurised>().empty());
  ASSERT_EQ(bench.others.size(), 1u);
  EXPECT_EQ(std::get<wire::RoundDone>(bench.others[0].message).lease, round.lease);
}

}  // namespace
}  // namespace hone
