// What the learner promises: it orders, it is deterministic, it refuses rows it does not fit.
#include "cost_model/ranking/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace hone {
namespace {

struct Data {
  FeatureMatrix rows;
  std::vector<int> groups;
  std::vector<double> scores;
};

/// Groups whose scores differ a hundredfold, with the same hidden order by three of the columns.
Data make_data(int count, int columns, int groups, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> uniform(0, 1);
  Data data;
  for (int i = 0; i < count; ++i) {
    std::vector<float> row(static_cast<size_t>(columns));
    for (float& value : row) value = uniform(random);
    EXPECT_TRUE(data.rows.add(row));
    data.groups.push_back(i % groups);
    // The first column estimates log2(time), and is wrong by what the next two hold.
    const double log2_time = row[0] - (row[1] > 0.5f ? 0.5 : 0.0) + row[2] * row[2];
    data.scores.push_back(std::exp2(-log2_time) * std::pow(10.0, i % groups));
  }
  return data;
}

double pair_accuracy(const Data& data, const std::vector<float>& predicted) {
  int right = 0, all = 0;
  for (size_t i = 0; i < predicted.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      if (data.groups[i] != data.groups[j]) continue;
      ++all;
      right += (data.scores[i] > data.scores[j]) == (predicted[i] > predicted[j]) ? 1 : 0;
    }
  return static_cast<double>(right) / all;
}

TEST(Ranking, OrdersUnseenRowsWithinEachGroup) {
  const Data train = make_data(3000, 20, 3, 1), unseen = make_data(300, 20, 3, 2);
  auto bytes = train_ranking(train.rows, train.groups, train.scores);
  ASSERT_TRUE(bytes) << bytes.error().text();
  auto model = RankingModel::load(*bytes);
  ASSERT_TRUE(model) << model.error().text();
  auto predicted = model->predict(unseen.rows);
  ASSERT_TRUE(predicted) << predicted.error().text();
  EXPECT_GT(pair_accuracy(unseen, *predicted), 0.85);
}

TEST(Ranking, IsDeterministicBySeed) {
  const Data data = make_data(400, 30, 4, 3);
  auto first = train_ranking(data.rows, data.groups, data.scores, {.seed = 7});
  auto second = train_ranking(data.rows, data.groups, data.scores, {.seed = 7});
  auto other = train_ranking(data.rows, data.groups, data.scores, {.seed = 8});
  ASSERT_TRUE(first && second && other);
  EXPECT_EQ(*first, *second);
  EXPECT_NE(*first, *other);
}

TEST(Ranking, OneRowOfOneFailureStillGivesAModel) {
  FeatureMatrix rows;
  ASSERT_TRUE(rows.add(std::vector<float>{1, 2, 3}));
  auto bytes = train_ranking(rows, std::vector<int>{0}, std::vector<double>{0});
  ASSERT_TRUE(bytes) << bytes.error().text();
  auto model = RankingModel::load(*bytes);
  ASSERT_TRUE(model);
  EXPECT_EQ(model->columns(), 3);
  EXPECT_EQ(model->predict(rows)->size(), 1u);
  EXPECT_TRUE(model->predict({})->empty());
}

TEST(Ranking, IsSurerOfWhatItHasSeenThanOfWhatItHasNot) {
  // Trained on small values of the first column only: large ones are news to it.
  Data train = make_data(1200, 6, 1, 11);
  FeatureMatrix known;
  std::vector<double> scores;
  for (int64_t i = 0; i < train.rows.rows(); ++i) {
    const std::span<const float> row(train.rows.values.data() + i * 6, 6);
    if (row[0] > 0.5f || row[1] > 0.5f) continue;
    ASSERT_TRUE(known.add(row));
    scores.push_back(train.scores[static_cast<size_t>(i)]);
  }
  auto bytes = train_ranking(known, std::vector<int>(scores.size(), 0), scores);
  ASSERT_TRUE(bytes);
  auto model = RankingModel::load(*bytes);
  ASSERT_TRUE(model) << model.error().text();
  auto seen = model->predict_with_spread(known);
  ASSERT_TRUE(seen);
  double mean = 0;
  for (const float spread : seen->spread) {
    EXPECT_GE(spread, 0);
    mean += spread / static_cast<double>(seen->spread.size());
  }
  EXPECT_GT(mean, 0);
  auto all = model->predict_with_spread(train.rows);
  ASSERT_TRUE(all);
  double elsewhere = 0, count = 0;
  for (int64_t i = 0; i < train.rows.rows(); ++i) {
    const float* row = train.rows.values.data() + i * 6;
    if (row[0] <= 0.5f && row[1] <= 0.5f) continue;
    elsewhere += all->spread[static_cast<size_t>(i)];
    ++count;
  }
  EXPECT_GT(elsewhere / count, mean);
  EXPECT_EQ(all->mean, *model->predict(train.rows));
}

TEST(Ranking, OneMemberHasNoSpread) {
  const Data data = make_data(100, 5, 1, 12);
  auto bytes = train_ranking(data.rows, data.groups, data.scores, {.members = 1});
  ASSERT_TRUE(bytes);
  auto predicted = RankingModel::load(*bytes)->predict_with_spread(data.rows);
  ASSERT_TRUE(predicted);
  for (const float spread : predicted->spread) EXPECT_EQ(spread, 0);
}

TEST(Ranking, RefusesARowOfAnotherLength) {
  FeatureMatrix rows;
  ASSERT_TRUE(rows.add(std::vector<float>{1, 2, 3}));
  auto status = rows.add(std::vector<float>{1, 2});
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().what, testing::HasSubstr("2 features where 3 are expected"));
}

TEST(Ranking, RefusesToPredictForAnotherFeatureLength) {
  const Data data = make_data(50, 8, 1, 4);
  auto bytes = train_ranking(data.rows, data.groups, data.scores);
  ASSERT_TRUE(bytes);
  auto model = RankingModel::load(*bytes);
  ASSERT_TRUE(model);
  auto predicted = model->predict(make_data(2, 9, 1, 4).rows);
  ASSERT_FALSE(predicted);
  EXPECT_THAT(predicted.error().what, testing::HasSubstr("trained on 8"));
}

TEST(Ranking, RefusesWhatItCannotTrainOn) {
  const Data data = make_data(4, 3, 1, 5);
  EXPECT_THAT(train_ranking({}, {}, {}).error().what, testing::HasSubstr("no rows"));
  EXPECT_THAT(train_ranking(data.rows, std::vector<int>{0}, data.scores).error().what,
              testing::HasSubstr("do not fit"));
  Data bad = data;
  bad.rows.values[3] = std::numeric_limits<float>::infinity();
  EXPECT_THAT(train_ranking(bad.rows, bad.groups, bad.scores).error().what,
              testing::HasSubstr("feature is not finite"));
  bad = data;
  bad.scores[0] = std::nan("");
  EXPECT_THAT(train_ranking(bad.rows, bad.groups, bad.scores).error().what,
              testing::HasSubstr("score is not finite"));
}

TEST(Ranking, RefusesBytesThatAreNoModel) {
  EXPECT_THAT(RankingModel::load("").error().what, testing::HasSubstr("no cost model"));
  EXPECT_THAT(RankingModel::load("hone-ranking 3 12").error().what, testing::HasSubstr("no cost model"));
  EXPECT_THAT(RankingModel::load("hone-ranking 3 12\n").error().what, testing::HasSubstr("damaged"));
  EXPECT_THAT(RankingModel::load("hone-ranking 3 \n").error().what, testing::HasSubstr("damaged"));
}

TEST(Ranking, RefusesAModelThatWasCutShortOrChangedAnywhere) {
  const Data data = make_data(50, 8, 1, 6);
  auto bytes = train_ranking(data.rows, data.groups, data.scores);
  ASSERT_TRUE(bytes);
  for (size_t place = 0; place < bytes->size(); place += 1 + bytes->size() / 100) {
    EXPECT_FALSE(RankingModel::load(bytes->substr(0, place))) << place;
    std::string changed = *bytes;
    changed[place] = static_cast<char>(changed[place] ^ 1);
    auto loaded = RankingModel::load(changed);
    EXPECT_FALSE(loaded) << place;
  }
}

}  // namespace
}  // namespace hone
