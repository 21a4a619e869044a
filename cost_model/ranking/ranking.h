// The cost model's learner: orders candidates by how fast they will be. Floats in, floats out; what the
// features mean is cost_model/features' business. A few gradient boosted forests (XGBoost) that each saw
// other rows, one thread, deterministic by seed: their mean is the score, how far they disagree its
// uncertainty.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

/// Rows in row-major order.
struct FeatureMatrix {
  std::vector<float> values;  ///< rows x columns
  int64_t columns = 0;
  int64_t rows() const { return columns == 0 ? 0 : static_cast<int64_t>(values.size()) / columns; }
  /// Errors: `row` has another length than those before it.
  Status add(std::span<const float> row);
};

struct RankingParameters {
  int members = 3;  ///< pairs of forests; 1: no uncertainty, a third of the time
  int trees = 80;   ///< of each forest
  int depth = 7;
  double learning_rate = 0.15;
  int bins = 64;              ///< of each column
  double column_share = 0.6;  ///< of the columns that each tree looks at
  double least_rows = 4;      ///< in a leaf, where there are rows enough
  uint64_t seed = 0;
};

/// Trains on `rows`, whose first column must be an estimate of log2(time), however coarse: half of the trees
/// learn what is wrong with it, which is alike for rows of any group; the other half learn each score's part
/// of its group's best. `groups[i]` names what row i may be compared with (one task, mode and board: only
/// rows of one group are ordered against each other); `scores[i]` is higher for better, proportional to 1 /
/// time; failures have 0. Gives the model as bytes: send them only to peers that trust the sender, never load
/// a stranger's. Errors: no rows, lengths that differ, values that are not finite.
Result<std::string> train_ranking(const FeatureMatrix& rows, std::span<const int> groups,
                                  std::span<const double> scores, const RankingParameters& parameters = {});

/// What a model thinks of some rows: one entry each.
struct Prediction {
  /// Higher is expected to be faster. Only differences within a group mean anything: among its fastest, 0.05
  /// more is about 5 % less time.
  std::vector<float> mean;
  /// Standard deviation among the members, in the unit of `mean`; 0 for one member. mean + k * spread is what
  /// an optimist explores by.
  std::vector<float> spread;
};

/// A trained model. Moves, never copies; one thread at a time.
class RankingModel {
 public:
  /// Errors: bytes that no train_ranking() of this version gave.
  static Result<RankingModel> load(std::string_view bytes);
  RankingModel(RankingModel&& other) noexcept;
  RankingModel& operator=(RankingModel&& other) noexcept;
  ~RankingModel();

  int64_t columns() const { return columns_; }
  /// One score per row; higher is expected to be faster. Errors: rows of another length than the model was
  /// trained on.
  Result<std::vector<float>> predict(const FeatureMatrix& rows) const;
  /// The same scores with their uncertainty.
  Result<Prediction> predict_with_spread(const FeatureMatrix& rows) const;

 private:
  RankingModel() = default;
  std::vector<void*> boosters_;
  int64_t columns_ = 0;
};

}  // namespace hone
