// The spaces of real tasks, lowered: what is proposed can be scheduled, and described.
#include "tuner/search/task_space.h"

#include <gmock/gmock.h>

#include <cmath>

#include "codegen/formulation/formulation.h"
#include "codegen/task/graph_task.h"
#include "cost_model/features/features.h"
#include "cost_model/ranking/ranking.h"
#include "tuner/search/lowered_record.h"
#include "tuner/search/points.h"
#include "tuner/search/round.h"

namespace hone {
namespace {

Task conv_task() {
  return make_task(*parse_graph(R"(%x = input f32[1x64x28x28]
%w = constant f32[64x64x3x3]
%b = constant f32[64]
%0 = conv %x %w %b {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = relu %0
output %1
)"));
}

Target target() { return *resolve_target("x86-64-v4"); }

Ports ports_of(const Task& task) {
  return default_ports(**default_formulation(task, target()), task, target());
}

TaskSpace conv_space() {
  const Task task = conv_task();
  return *TaskSpace::make(*any_task(task), target(), ports_of(task));
}

/// As a log keeps it.
CandidateText make_candidate_text(const Task& task, const Point& point) {
  const Formulation& formulation = *find_formulation(point.formulation);
  const auto schedule = formulation.schedule(task, target(), ports_of(task), point.parameters);
  return {task.text,
          to_text(target()),
          point.formulation,
          1,
          to_text(ports_of(task)),
          to_text(point.parameters),
          to_text(*schedule)};
}

wire::Propose asks(uint32_t count) {
  wire::Propose asked;
  asked.count = count;
  asked.seed = 5;
  return asked;
}

TEST(TaskSpace, BeginsWithTheFormulationThatTrialZeroUses) {
  const TaskSpace space = conv_space();
  ASSERT_FALSE(space.spaces().empty());
  EXPECT_EQ(space.spaces()[0].formulation, (*default_formulation(conv_task(), target()))->name);
  EXPECT_GT(point_count(space.spaces()), 20);
}

TEST(TaskSpace, DescribesTrialZeroWithFiniteFeatures) {
  TaskSpace space = conv_space();
  const auto described = space.describe({space.spaces()[0].formulation, space.spaces()[0].first});
  ASSERT_TRUE(described);
  EXPECT_EQ(described->features.size(), feature_descriptions().size());
  for (const float value : described->features) EXPECT_TRUE(std::isfinite(value));
}

TEST(RecordLowering, GivesARecordTheFeaturesThatItsPointHasNow) {
  TaskSpace space = conv_space();
  const Task task = conv_task();
  const Bodies bodies;
  RecordLowering lowering(bodies);
  const Proposal proposal = *propose_round(space, asks(8), "");
  ASSERT_FALSE(proposal.entries.empty());
  for (const auto& entry : proposal.entries) {
    const auto candidate = make_candidate_text(task, entry.point);
    const auto features = lowering.features(candidate);
    ASSERT_TRUE(features) << features.error().text();
    EXPECT_EQ(*features, entry.features) << to_text(entry.point);
  }
}

TEST(RecordLowering, SaysWhatThereIsNoMore) {
  const Task task = conv_task();
  const TaskSpace space = conv_space();
  CandidateText candidate =
      make_candidate_text(task, {space.spaces()[0].formulation, space.spaces()[0].first});
  const Bodies bodies;
  RecordLowering lowering(bodies);
  CandidateText strange = candidate;
  strange.formulation = "forgotten";
  EXPECT_THAT(lowering.features(strange).error().text(), testing::HasSubstr("no formulation of this name"));
  strange = candidate;
  strange.schedule = "split nothing 4 -> a b\n";
  EXPECT_FALSE(lowering.features(strange));
  strange = candidate;
  strange.task = "no task";
  EXPECT_FALSE(lowering.features(strange));
  EXPECT_TRUE(lowering.features(candidate)) << "and goes on after it";
}

TEST(TaskSpace, ProposesNoTwoPointsWithTheSameProgram) {
  TaskSpace space = conv_space();
  const Proposal proposal = *propose_round(space, asks(16), "");
  std::set<std::vector<float>> distinct;
  for (const auto& entry : proposal.entries) distinct.insert(entry.features);
  EXPECT_EQ(distinct.size(), proposal.entries.size());
}

TEST(TaskSpace, RefusesPointsThatDoNotLower) {
  TaskSpace space = conv_space();
  EXPECT_FALSE(space.describe({"no such formulation", {}}));
  EXPECT_FALSE(space.describe({space.spaces()[0].formulation, {{"no such parameter", 1}}}));
}

TEST(StaticRules, DropWhatSpillsOrIsTooLongOrTakesThreeTimesTheArithmetic) {
  StaticCost good;
  good.live_registers = 31, good.body_operations = 500, good.code_operations = 2000, good.core_cycles = 100;
  const double first = 60;
  EXPECT_FALSE(cannot_be_good(good, first, target()));
  const auto with = [&](auto change) {
    StaticCost cost = good;
    change(cost);
    return cannot_be_good(cost, first, target());
  };
  EXPECT_TRUE(with([](StaticCost& cost) { cost.live_registers = 33; }));
  EXPECT_TRUE(with([](StaticCost& cost) { cost.body_operations = 10000; }));
  EXPECT_TRUE(with([](StaticCost& cost) { cost.code_operations = 100000; }));
  EXPECT_FALSE(with([](StaticCost& cost) { cost.core_cycles = 179; }));
  EXPECT_TRUE(with([](StaticCost& cost) { cost.core_cycles = 181; }));
}

TEST(StaticRules, DropPointsOfARealSpaceButNoFirst) {
  TaskSpace space = conv_space();
  int64_t dropped = 0, kept = 0;
  for (const PointSpace& one : space.spaces()) {
    EXPECT_TRUE(space.describe({one.formulation, one.first})) << one.formulation;
    const Formulation* formulation = find_formulation(one.formulation);
    for (int64_t i = 0; i < search::point_count(one); i += 7) {
      const Point point = search::point_at(one, i);
      if (!formulation->schedule(conv_task(), target(), ports_of(conv_task()), point.parameters)) continue;
      (space.describe(point) ? kept : dropped) += 1;
    }
  }
  EXPECT_GT(dropped, 0);
  EXPECT_GT(kept, dropped);
}

TEST(TaskSpace, OfPortsForOtherInputsIsAnError) {
  Ports ports = ports_of(conv_task());
  ports.inputs.clear();
  const auto space = TaskSpace::make(*any_task(conv_task()), target(), ports);
  ASSERT_FALSE(space);
  EXPECT_THAT(space.error().text(), testing::HasSubstr("ports for 0 inputs, but the task has 1"));
}

TEST(TaskSpace, OfALayoutTransformIsSearchedWithItsNeighboursLayouts) {
  const Task task = make_task(*parse_graph("%x = input f32[1x32x7x7]\n%0 = transform %x\noutput %0\n"));
  Ports ports;
  ports.inputs.push_back({Layout::channel_blocked(16), {}});
  ports.output = {Layout::plain(4), {}};
  const auto space = TaskSpace::make(*any_task(task), target(), ports);
  ASSERT_TRUE(space) << space.error().text();
  EXPECT_EQ(space->spaces()[0].formulation, "transform");
}

TEST(Round, ProposesCandidatesWhoseSchedulesCanBeMade) {
  TaskSpace space = conv_space();
  const Proposal proposal = *propose_round(space, asks(12), "");
  ASSERT_EQ(proposal.entries.size(), 12u);
  for (const auto& entry : proposal.entries) {
    const Formulation* formulation = find_formulation(entry.point.formulation);
    ASSERT_NE(formulation, nullptr);
    EXPECT_TRUE(formulation->schedule(conv_task(), target(), ports_of(conv_task()), entry.point.parameters))
        << to_text(entry.point);
  }
}

TEST(Round, IsTheSameWhoeverProposesIt) {
  TaskSpace fresh = conv_space(), used = conv_space();
  propose_round(used, asks(20), "");
  const Proposal a = *propose_round(fresh, asks(12), ""), b = *propose_round(used, asks(12), "");
  ASSERT_EQ(a.entries.size(), b.entries.size());
  for (size_t i = 0; i < a.entries.size(); ++i) EXPECT_EQ(a.entries[i].point, b.entries[i].point);
}

TEST(Round, IsRankedByTheModelThatTheSchedulerTrained) {
  TaskSpace space = conv_space();
  const Proposal some = *propose_round(space, asks(64), "");
  // A model that has learnt to like few accumulators: feature 6.
  FeatureMatrix rows;
  std::vector<int> groups;
  std::vector<double> scores;
  for (const auto& entry : some.entries) {
    ASSERT_TRUE(rows.add(entry.features));
    groups.push_back(0);
    scores.push_back(1 / (1 + entry.features[6]));
  }
  const auto model = train_ranking(rows, groups, scores);
  ASSERT_TRUE(model) << model.error().text();
  wire::Propose asked = asks(10);
  asked.first_trial = 64;
  for (const auto& entry : some.entries) asked.seen.push_back(to_text(entry.point));
  TaskSpace again = conv_space();
  const Proposal ranked = *propose_round(again, asked, *model), unranked = *propose_round(again, asked, "");
  double with = 0, without = 0;
  for (const auto& entry : ranked.entries) with += entry.features[6];
  for (const auto& entry : unranked.entries) without += entry.features[6];
  EXPECT_LT(with, without);
}

TEST(Round, WithAModelOfOtherFeaturesIsAnError) {
  FeatureMatrix rows;
  std::vector<int> groups;
  std::vector<double> scores;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(rows.add(std::vector<float>{static_cast<float>(i), 1}));
    groups.push_back(0);
    scores.push_back(i);
  }
  TaskSpace space = conv_space();
  const auto proposal = propose_round(space, asks(4), *train_ranking(rows, groups, scores));
  ASSERT_FALSE(proposal);
  EXPECT_THAT(proposal.error().text(), testing::HasSubstr("the cost model takes 2 features"));
}

TEST(Round, WithAModelThatIsNoneIsAnError) {
  TaskSpace space = conv_space();
  EXPECT_FALSE(propose_round(space, asks(4), "rubbish"));
}

}  // namespace
}  // namespace hone
