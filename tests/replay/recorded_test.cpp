// The search against tables of real times: every point of two convolutions' spaces, measured on an AMD Zen 5
// core with AVX-512 (one thread, median of 9, 2026-11-22), with its features of version 1. The cost model is
// the one that a scheduler trains.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "cost_model/ranking/ranking.h"
#include "tuner/search/prior.h"
#include "tuner/search/round.h"
#include "tuner/search/search.h"

namespace hone {
namespace {

struct Table {
  struct Row {
    double ns;
    std::vector<float> features;
  };
  std::map<std::string, Row> rows;  ///< by point
  PointSpace space;
  double best = 1e300;
};

Table read_table(const std::string& name) {
  Table table;
  std::ifstream file(std::string(HONE_SOURCE_DIR) + "/tests/replay/data/" + name);
  std::map<std::string, std::set<int64_t>> choices;
  double slowest = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) continue;
    std::istringstream cells(line);
    std::string text, cell;
    std::getline(cells, text, ',');
    std::getline(cells, cell, ',');
    Table::Row row{std::stod(cell), {}};
    while (std::getline(cells, cell, ',')) row.features.push_back(std::stof(cell));
    const Point point = *parse_point(text);
    // The worst point leads: the formulation's own first is good already, and would hide what the search
    // does.
    if (row.ns > slowest) {
      slowest = row.ns;
      table.space.first = point.parameters;
    }
    table.space.formulation = point.formulation;
    for (const auto& [parameter, value] : point.parameters) choices[parameter].insert(value);
    table.best = std::min(table.best, row.ns);
    table.rows.emplace(text, std::move(row));
  }
  for (const auto& [parameter, values] : choices) {
    table.space.space.push_back({parameter, {values.begin(), values.end()}});
  }
  return table;
}

/// Trained as a scheduler does, on all that was measured.
Predict trained(const Table& table, const std::vector<std::string>& measured) {
  if (measured.size() < 16) return prior_predictor();
  FeatureMatrix matrix;
  std::vector<double> scores;
  for (const std::string& text : measured) {
    EXPECT_TRUE(matrix.add(table.rows.at(text).features));
    scores.push_back(1 / table.rows.at(text).ns);
  }
  const auto model = train_ranking(matrix, std::vector<int>(measured.size(), 0), scores);
  EXPECT_TRUE(model);
  auto loaded = std::make_shared<RankingModel>(*RankingModel::load(*model));
  return [loaded](std::span<const std::vector<float>> rows) {
    FeatureMatrix some;
    for (const auto& row : rows) EXPECT_TRUE(some.add(row));
    return *loaded->predict(some);
  };
}

/// Trials until a time within 2 % of the best is measured, in rounds of 8.
int trials_to_best(const Table& table, uint64_t seed, bool guided) {
  SearchInput input;
  input.spaces = {table.space};
  input.count = guided ? 8 : 100000;
  const auto describe = [&](const Point& point) -> std::optional<Described> {
    const auto row = table.rows.find(to_text(point));
    if (row == table.rows.end()) return std::nullopt;
    return Described{row->second.features};
  };
  std::vector<std::string> measured;
  for (int round = 0; round < 100; ++round) {
    input.seed = seed * 1000 + static_cast<uint64_t>(round);
    input.settings.random_share = measured.size() < 16 ? 0.6 : 0.08;
    const Proposal proposal = propose(input, describe, guided ? trained(table, measured) : Predict());
    for (const auto& entry : proposal.entries) {
      measured.push_back(to_text(entry.point));
      input.seen.insert(measured.back());
      if (table.rows.at(measured.back()).ns <= table.best * 1.02) return static_cast<int>(measured.size());
    }
    if (proposal.exhausted) break;
    input.first_trial = measured.size();
    std::vector<std::string> best = measured;
    std::sort(best.begin(), best.end(),
              [&](const auto& a, const auto& b) { return table.rows.at(a).ns < table.rows.at(b).ns; });
    input.top.clear();
    for (size_t i = 0; i < std::min<size_t>(16, best.size()); ++i) input.top.push_back(*parse_point(best[i]));
  }
  return static_cast<int>(measured.size());
}

double mean_trials(const Table& table, bool guided, int seeds) {
  double sum = 0;
  for (int seed = 1; seed <= seeds; ++seed) sum += trials_to_best(table, static_cast<uint64_t>(seed), guided);
  return sum / seeds;
}

constexpr const char* tables[] = {"conv3x3_48_192_13x13.csv", "conv1x1_64_256_56x56.csv"};

TEST(RecordedSearch, NeedsHalfTheTrialsOfRandomOrder) {
  double guided = 0, random = 0;
  for (const char* name : tables) {
    const Table table = read_table(name);
    ASSERT_GT(table.rows.size(), 400u) << name;
    guided += mean_trials(table, true, 10);
    random += mean_trials(table, false, 40);
  }
  RecordProperty("guided", std::to_string(guided));
  RecordProperty("random", std::to_string(random));
  EXPECT_LT(guided * 2, random) << "guided " << guided << ", random " << random;
}

TEST(RecordedSearch, IsTheSameOnEveryReplay) {
  for (const char* name : tables) {
    const Table table = read_table(name);
    EXPECT_EQ(trials_to_best(table, 7, true), trials_to_best(table, 7, true)) << name;
  }
}

}  // namespace
}  // namespace hone
