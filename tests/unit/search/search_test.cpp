// Proposals over small made-up spaces: order, repetition, refusal and exhaustion.
#include "tuner/search/search.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>

namespace hone {
namespace {

PointSpace small_space() {
  return {"direct", {{"tile", {1, 2, 4, 7, 14}}, {"unroll", {1, 2, 4}}}, {{"tile", 7}, {"unroll", 1}}};
}

PointSpace large_space() {
  SearchSpace space;
  Parameters first;
  for (const char* name : {"a", "b", "c", "d"}) {
    space.push_back({name, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}});
    first[name] = 5;
  }
  return {"direct", space, first};
}

std::optional<Described> by_value(const Point& point) {
  std::vector<float> row;
  for (const auto& [name, value] : point.parameters) row.push_back(static_cast<float>(value));
  return Described{row};
}

/// Likes rows that are near (8, 1, 8, 1).
std::vector<float> near_target(std::span<const std::vector<float>> rows) {
  std::vector<float> scores;
  for (const auto& row : rows) {
    float score = 0;
    for (size_t i = 0; i < row.size(); ++i) score -= std::abs(row[i] - (i % 2 ? 1.0f : 8.0f));
    scores.push_back(score);
  }
  return scores;
}

std::vector<std::string> texts(const Proposal& proposal) {
  std::vector<std::string> result;
  for (const auto& entry : proposal.entries) result.push_back(to_text(entry.point));
  return result;
}

SearchInput input_of(PointSpace space, int count, uint64_t seed = 1) {
  SearchInput input;
  input.spaces = {std::move(space)};
  input.count = count;
  input.seed = seed;
  return input;
}

TEST(Points, PrintAndParseBack) {
  const Point point{"winograd", {{"tile", 4}, {"unroll", 2}}};
  const Result<Point> parsed = parse_point(to_text(point));
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(*parsed, point);
  EXPECT_EQ(*parse_point("softmax"), (Point{"softmax", {}}));
}

TEST(Points, WithoutAFormulationAreRefused) {
  const Result<Point> parsed = parse_point("tile=4");
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error().text(), testing::HasSubstr("begins with the name of a formulation"));
  EXPECT_FALSE(parse_point(""));
}

TEST(Search, LeadsWithTrialZero) {
  const Proposal proposal = propose(input_of(large_space(), 8), by_value, near_target);
  ASSERT_EQ(proposal.entries.size(), 8u);
  EXPECT_EQ(proposal.entries[0].point.parameters, large_space().first);
}

TEST(Search, MeasuresTrialZeroEvenIfTheStaticRulesRefuseIt) {
  const auto refuse_all = [](const Point&) { return std::optional<Described>(); };
  const Proposal proposal = propose(input_of(small_space(), 4), refuse_all, {});
  ASSERT_EQ(proposal.entries.size(), 1u);
  EXPECT_EQ(proposal.entries[0].point.parameters, small_space().first);
  EXPECT_TRUE(proposal.exhausted);
}

TEST(Search, TakesTheFirstOfEveryFormulationBeforeSearchedOnes) {
  SearchInput input = input_of(large_space(), 5);
  PointSpace other = large_space();
  other.formulation = "winograd";
  input.spaces.push_back(other);
  EXPECT_EQ(propose(input, by_value, near_target).entries[1].point, (Point{"winograd", other.first}));
}

TEST(Search, ForTrialZeroAloneLooksAtNoOtherPoint) {
  int looked_at = 0;
  const auto counting = [&](const Point& point) {
    ++looked_at;
    return by_value(point);
  };
  const Proposal proposal = propose(input_of(large_space(), 1), counting, near_target);
  EXPECT_EQ(proposal.entries.size(), 1u);
  EXPECT_EQ(looked_at, 1);
  EXPECT_FALSE(proposal.exhausted);
}

TEST(Search, IsAPureFunctionOfItsInput) {
  for (const uint64_t seed : {1u, 2u, 3u}) {
    const SearchInput input = input_of(large_space(), 16, seed);
    EXPECT_EQ(texts(propose(input, by_value, near_target)), texts(propose(input, by_value, near_target)));
  }
  EXPECT_NE(texts(propose(input_of(large_space(), 16, 1), by_value, near_target)),
            texts(propose(input_of(large_space(), 16, 2), by_value, near_target)));
}

TEST(Search, NeverProposesAPointTwice) {
  SearchInput input = input_of(large_space(), 16);
  std::set<std::string> all;
  for (int round = 0; round < 20; ++round) {
    const Proposal proposal = propose(input, by_value, near_target);
    for (const std::string& text : texts(proposal)) EXPECT_TRUE(all.insert(text).second) << text;
    input.seen = all;
    input.first_trial = all.size();
    input.seed += 1;
  }
  EXPECT_EQ(all.size(), 320u);
}

TEST(Search, GoesThroughASmallSpaceAndSaysWhenItIsExhausted) {
  SearchInput input = input_of(small_space(), 6);
  Proposal proposal;
  std::vector<size_t> sizes;
  do {
    proposal = propose(input, by_value, {});
    sizes.push_back(proposal.entries.size());
    for (const std::string& text : texts(proposal)) input.seen.insert(text);
    input.first_trial = input.seen.size();
  } while (!proposal.exhausted);
  EXPECT_EQ(input.seen.size(), 15u);
  EXPECT_THAT(sizes, testing::ElementsAre(6, 6, 3));
  EXPECT_THAT(propose(input, by_value, {}).entries, testing::IsEmpty());
}

TEST(Search, TakesThePointsThatTheModelRanksBest) {
  SearchInput input = input_of(large_space(), 20);
  input.settings.random_share = 0;
  const Proposal proposal = propose(input, by_value, near_target);
  double sum = 0;
  for (size_t i = 1; i < proposal.entries.size(); ++i) {
    if (i > 1) {
      EXPECT_LE(proposal.entries[i].predicted, proposal.entries[i - 1].predicted);
    }
    sum += proposal.entries[i].predicted;
  }
  EXPECT_EQ(proposal.entries[1].predicted, 0);  // the very best of 10,000, found by looking at fewer than 400
  EXPECT_GT(sum / 19, -3);                      // a random point is 14 away
}

TEST(Search, StartsFromWhatWasMeasuredBest) {
  SearchInput input = input_of(large_space(), 64);
  input.top = {{"direct", {{"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}}}};
  input.first_trial = 10;
  int close = 0;
  for (const auto& entry : propose(input, by_value, {}).entries) {
    int same = 0;
    for (const auto& [name, value] : entry.point.parameters) same += value == 0;
    close += same >= 2;
  }
  EXPECT_GT(close, 10);  // 5 % of random points would be: 3
}

TEST(Search, IgnoresMeasuredPointsOfAnotherSpaceVersion) {
  SearchInput input = input_of(large_space(), 8);
  input.top = {
      {"direct", {{"gone", 3}}}, {"unheard-of", {}}, {"direct", {{"a", 77}, {"b", 0}, {"c", 0}, {"d", 0}}}};
  EXPECT_EQ(propose(input, by_value, near_target).entries.size(), 8u);
}

TEST(Search, DropsPointsThatTheStaticRulesRefuse) {
  const auto even_only = [](const Point& point) -> std::optional<Described> {
    return point.parameters.at("a") % 2 ? std::nullopt : by_value(point);
  };
  SearchInput input = input_of(large_space(), 30);
  input.first_trial = 1;
  const Proposal proposal = propose(input, even_only, near_target);
  EXPECT_EQ(proposal.entries.size(), 30u);
  for (const auto& entry : proposal.entries) EXPECT_EQ(entry.point.parameters.at("a") % 2, 0);
}

TEST(Search, ProposesOneOfThePointsThatLowerToTheSameProgram) {
  const auto one_program_a_tile = [](const Point& point) -> std::optional<Described> {
    return Described{{1.0f}, digest_of(std::to_string(point.parameters.at("tile")))};
  };
  SearchInput input = input_of(small_space(), 15);
  EXPECT_EQ(propose(input, one_program_a_tile, {}).entries.size(), 5u);
  input.seen = {"direct tile=7 unroll=4"};
  input.first_trial = 1;
  for (const auto& entry : propose(input, one_program_a_tile, {}).entries) {
    EXPECT_NE(entry.point.parameters.at("tile"), 7);
  }
}

TEST(Search, SurvivesAModelThatScoresNaN) {
  const auto broken = [](std::span<const std::vector<float>> rows) {
    return std::vector<float>(rows.size(), std::numeric_limits<float>::quiet_NaN());
  };
  EXPECT_EQ(propose(input_of(large_space(), 8), by_value, broken).entries.size(), 8u);
}

TEST(Search, TakesBestPointsOfLikeTasksEarlyFittedToItsSpace) {
  SearchInput input = input_of(small_space(), 4);
  input.first_trial = 1;
  input.hints = {{"direct", {{"tile", 12}, {"unroll", 4}, {"other", 3}}}, {"winograd", {{"tile", 4}}}};
  input.seen = {"direct tile=7 unroll=1"};
  const auto proposed = texts(propose(input, by_value, {}));
  ASSERT_EQ(proposed.size(), 4u);
  EXPECT_EQ(proposed[0], "direct tile=14 unroll=4");
  input.seen.insert("direct tile=14 unroll=4");
  EXPECT_THAT(texts(propose(input, by_value, {})),
              testing::Not(testing::Contains("direct tile=14 unroll=4")));
}

TEST(Search, LeavesHalfOfARoundToTheModelHoweverManyHintsThereAre) {
  SearchInput input = input_of(large_space(), 8);
  input.first_trial = 1;
  input.seen = {"direct a=5 b=5 c=5 d=5"};
  for (int64_t a = 1; a < 10; ++a)
    input.hints.push_back({"direct", {{"a", a}, {"b", 9}, {"c", 9}, {"d", 9}}});
  size_t hints = 0;
  for (const std::string& text : texts(propose(input, by_value, near_target)))
    hints += text.ends_with("b=9 c=9 d=9") ? 1 : 0;
  EXPECT_EQ(hints, 4u);
}

TEST(Search, GivesAShareToPointsOfWhichTheModelIsUnsure) {
  SearchInput input = input_of(large_space(), 20);
  input.settings.random_share = 0;
  input.settings.optimist_share = 0.25;
  input.first_trial = 1;
  const auto unsure = [](std::span<const std::vector<float>> rows) {
    Scores scores = near_target(rows);
    for (const auto& row : rows) scores.spread.push_back(row[0] == 0 ? 100.0f : 0.0f);
    return scores;
  };
  const auto count = [&](const Predict& predict) {
    size_t found = 0;
    for (const std::string& text : texts(propose(input, by_value, predict)))
      found += text.starts_with("direct a=0 ") ? 1 : 0;
    return found;
  };
  EXPECT_GE(count(unsure), 4u);
  EXPECT_LT(count(near_target), 2u);
}

TEST(Search, GivesAShareToNeighboursOfTheBestMeasured) {
  SearchInput input = input_of(large_space(), 20);
  input.settings.random_share = input.settings.optimist_share = 0;
  input.settings.local_share = 0.25;
  input.first_trial = 1;
  input.seen = {"direct a=5 b=5 c=5 d=5", "direct a=0 b=9 c=0 d=9"};
  input.top = {{"direct", {{"a", 0}, {"b", 9}, {"c", 0}, {"d", 9}}}};
  // The model likes the other end of the space: what it says of the neighbours only orders them.
  size_t neighbours = 0;
  for (const std::string& text : texts(propose(input, by_value, near_target)))
    for (const char* near : {"direct a=1 b=9 c=0 d=9", "direct a=0 b=8 c=0 d=9", "direct a=0 b=9 c=1 d=9",
                             "direct a=0 b=9 c=0 d=8"})
      neighbours += text == near ? 1 : 0;
  EXPECT_EQ(neighbours, 4u);
  input.settings.local_share = 0;
  for (const std::string& text : texts(propose(input, by_value, near_target)))
    EXPECT_NE(text, "direct a=0 b=9 c=0 d=8");
}

TEST(Search, GivesSmallRoundsTheirShareAtRandomInTheMean) {
  size_t odd = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SearchInput input = input_of(large_space(), 4, seed);
    input.settings.optimist_share = input.settings.local_share = 0;
    input.settings.random_share = 0.05;  // a fifth of a point a round
    input.settings.enumerate_up_to = 10000;
    input.first_trial = 1;
    input.seen = {"direct a=5 b=5 c=5 d=5"};
    for (const std::string& text : texts(propose(input, by_value, near_target)))
      odd +=
          text.starts_with("direct a=8") || text.starts_with("direct a=7") || text.starts_with("direct a=9")
              ? 0
              : 1;
  }
  EXPECT_GT(odd, 8u) << "of 800, 40 are drawn at random";
  EXPECT_LT(odd, 80u);
}

TEST(Search, WithoutAnySpaceIsExhausted) {
  EXPECT_TRUE(propose(SearchInput{}, by_value, {}).exhausted);
  PointSpace impossible = small_space();
  impossible.space[0].choices.clear();
  const Proposal proposal = propose(input_of(impossible, 4), by_value, {});
  EXPECT_TRUE(proposal.exhausted);
  EXPECT_TRUE(proposal.entries.empty());
}

TEST(Search, OfAPointWithoutParametersIsOneTrial) {
  const Proposal proposal = propose(input_of({"softmax", {}, {}}, 4), by_value, {});
  ASSERT_EQ(proposal.entries.size(), 1u);
  EXPECT_TRUE(proposal.exhausted);
}

}  // namespace
}  // namespace hone
