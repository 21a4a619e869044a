// XGBoost behind ranking.h: two regressions a member, on each score's part of its group's best and on the
// error of the estimate; histogram trees, one thread.
#include "cost_model/ranking/ranking.h"

#include <xgboost/c_api.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <utility>

#include "codegen/base/digest.h"

namespace hone {
namespace {

constexpr std::string_view kMagic = "hone-ranking 3 ";

tl::unexpected<Error> xgboost_error(const std::string& what) {
  std::string reason = XGBGetLastError();
  reason = reason.substr(0, reason.find('\n'));
  return fail(what + ": " + reason, "cost model");
}

/// A booster or matrix that frees itself.
template <int (*Free)(void*)>
struct Owned {
  void* handle = nullptr;
  ~Owned() {
    if (handle != nullptr) Free(handle);
  }
};

/// How much the forest that corrects the estimate (in log2) counts beside the one that learns the part of the
/// best; then what brings near the best one unit of their sum to one part of the time.
constexpr double residual_weight = 0.8;
constexpr double part_power = 4;
constexpr double score_unit = 1 / (part_power + residual_weight / 0.6931);

/// The forest that corrects the estimate looks at rows as they are worth it: by their part of the best, to
/// this power.
constexpr double weight_power = 4;
/// The best of a group is the score that this part of its rows reach: one lucky measurement moves it less.
constexpr double best_share = 0.05;
constexpr double most_part = 1.5;

/// What the two forests of a member learn of each row.
struct Labels {
  std::vector<float> part;  ///< score divided by the best of its group; 0 where that has no positive score
  std::vector<float> residual;         ///< log2 of the score plus the estimate
  std::vector<float> residual_weight;  ///< how much that counts; 0 for failures
};

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Labels labels_of(const FeatureMatrix& rows, std::span<const int> groups, std::span<const double> scores) {
  std::map<int, std::vector<double>> of_group;
  std::map<int, std::vector<double>> residuals;
  std::vector<double> all;
  const auto residual = [&](size_t i) {
    return std::log2(scores[i]) + static_cast<double>(rows.values[i * static_cast<size_t>(rows.columns)]);
  };
  for (size_t i = 0; i < scores.size(); ++i) {
    if (scores[i] <= 0) continue;
    of_group[groups[i]].push_back(scores[i]);
    all.push_back(residual(i));
    residuals[groups[i]].push_back(all.back());
  }
  // What sets a group of shapes apart is learned, up to a factor of 1.6: more than that is another board,
  // which no feature names, and would only be noise.
  const double middle = all.empty() ? 0 : median_of(std::move(all));
  std::map<int, double> offset;
  for (const auto& [group, values] : residuals) {
    const double apart = median_of(values) - middle;
    offset[group] = middle + apart - std::clamp(apart, -0.7, 0.7);
  }
  std::map<int, double> best;
  for (auto& [group, values] : of_group) {
    const auto rank = static_cast<std::ptrdiff_t>(best_share * static_cast<double>(values.size() - 1));
    std::ranges::nth_element(values, values.begin() + rank, std::greater<>());
    best[group] = values[static_cast<size_t>(rank)];
  }
  Labels labels;
  for (size_t i = 0; i < scores.size(); ++i) {
    const bool good = scores[i] > 0;
    const double ratio = good ? scores[i] / best[groups[i]] : 0;
    labels.part.push_back(static_cast<float>(std::min(most_part, std::pow(ratio, part_power))));
    labels.residual.push_back(good ? static_cast<float>(residual(i) - offset[groups[i]]) : 0.0f);
    labels.residual_weight.push_back(static_cast<float>(std::pow(std::min(1.0, ratio), weight_power)));
  }
  return labels;
}

/// Splitmix64 (Steele et al. 2014) of a position.
uint64_t mixed(uint64_t value) {
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

/// How much each row counts for a member: one of several does not see a quarter of the rows.
std::vector<float> weights_of(int member, size_t count, const RankingParameters& parameters) {
  std::vector<float> weights(count, 1.0f);
  if (parameters.members < 2 || count < 8) return weights;
  const uint64_t stream = mixed(parameters.seed * 64 + static_cast<uint64_t>(member));
  for (size_t i = 0; i < count; ++i)
    if (mixed(stream + i) % 4 == 0) weights[i] = 0.0f;
  return weights;
}

using Matrix = Owned<XGDMatrixFree>;

/// Few rows need small leaves, or a forest of them says nothing.
double least_rows_of(size_t rows, const RankingParameters& parameters) {
  return std::clamp(static_cast<double>(rows) / 32, 1.0, std::max(1.0, parameters.least_rows));
}

/// One forest on the labels and weights that `matrix` has now, from `base` on.
Result<std::string> train_forest(const Matrix& matrix, size_t rows, const char* base, uint64_t seed,
                                 const RankingParameters& parameters) {
  Owned<XGBoosterFree> booster;
  if (XGBoosterCreate(&matrix.handle, 1, &booster.handle) != 0)
    return xgboost_error("training data were not accepted");
  const std::pair<const char*, std::string> settings[] = {
      {"verbosity", "0"},
      {"nthread", "1"},
      {"booster", "gbtree"},
      {"tree_method", "hist"},
      {"max_bin", std::to_string(parameters.bins)},
      {"objective", "reg:squarederror"},
      {"base_score", base},
      {"max_depth", std::to_string(parameters.depth)},
      {"eta", std::to_string(parameters.learning_rate)},
      {"min_child_weight", std::to_string(least_rows_of(rows, parameters))},
      {"subsample", "0.8"},
      {"colsample_bytree", std::to_string(parameters.column_share)},
      {"seed", std::to_string(seed & 0x7fffffff)},
  };
  for (const auto& [name, value] : settings)
    if (XGBoosterSetParam(booster.handle, name, value.c_str()) != 0)
      return xgboost_error(std::string("parameter ") + name);
  for (int tree = 0; tree < parameters.trees; ++tree)
    if (XGBoosterUpdateOneIter(booster.handle, tree, matrix.handle) != 0)
      return xgboost_error("training failed");
  bst_ulong length = 0;
  const char* bytes = nullptr;
  if (XGBoosterSaveModelToBuffer(booster.handle, R"({"format":"ubj"})", &length, &bytes) != 0)
    return xgboost_error("the model was not saved");
  return std::string(bytes, length);
}

/// The two forests of each member, one after the other.
Result<std::vector<std::string>> train_forests(const FeatureMatrix& rows, const Labels& labels,
                                               const RankingParameters& parameters) {
  const auto count = static_cast<size_t>(rows.rows());
  Matrix matrix;
  if (XGDMatrixCreateFromMat_omp(rows.values.data(), count, static_cast<bst_ulong>(rows.columns),
                                 std::numeric_limits<float>::quiet_NaN(), &matrix.handle, 1) != 0)
    return xgboost_error("training data were not accepted");
  const auto set = [&](const char* what, const std::vector<float>& values) {
    return XGDMatrixSetFloatInfo(matrix.handle, what, values.data(), count) == 0;
  };
  std::vector<std::string> forests;
  for (int member = 0; member < std::max(1, parameters.members); ++member) {
    const uint64_t seed = parameters.seed * 64 + static_cast<uint64_t>(member);
    std::vector<float> weights = weights_of(member, count, parameters);
    if (!set("label", labels.part) || !set("weight", weights))
      return xgboost_error("training data were not accepted");
    HONE_TRY(std::string part, train_forest(matrix, count, "0.5", seed, parameters));
    for (size_t i = 0; i < count; ++i) weights[i] *= labels.residual_weight[i];
    if (!set("label", labels.residual) || !set("weight", weights))
      return xgboost_error("training data were not accepted");
    HONE_TRY(std::string residual, train_forest(matrix, count, "0", seed, parameters));
    forests.push_back(std::move(part));
    forests.push_back(std::move(residual));
  }
  return forests;
}

/// The first line of a payload: how many forests, and the bytes of each, which must be all that follow.
Result<std::vector<size_t>> forest_lengths(std::string_view payload) {
  const size_t end = payload.find('\n');
  if (end == std::string_view::npos) return fail("the cost model names no forests", "cost model");
  std::vector<size_t> numbers;
  for (const char* at = payload.data(); at < payload.data() + end;) {
    size_t number = 0;
    const auto [next, error] = std::from_chars(at, payload.data() + end, number);
    if (error != std::errc() || number == 0 || number > payload.size())
      return fail("the cost model's forests are no numbers", "cost model");
    numbers.push_back(number);
    at = next + 1;
  }
  size_t sum = 0;
  for (size_t i = 1; i < numbers.size(); ++i) sum += numbers[i];
  if (numbers.size() % 2 != 1 || numbers.size() < 3 || numbers.front() + 1 != numbers.size() ||
      sum != payload.size() - end - 1)
    return fail("the cost model's forests do not fill it", "cost model");
  numbers.erase(numbers.begin());
  return numbers;
}

}  // namespace

Status FeatureMatrix::add(std::span<const float> row) {
  if (columns == 0) columns = static_cast<int64_t>(row.size());
  if (row.empty() || static_cast<int64_t>(row.size()) != columns)
    return fail("a row has " + std::to_string(row.size()) + " features where " + std::to_string(columns) +
                    " are expected",
                "cost model");
  values.insert(values.end(), row.begin(), row.end());
  return {};
}

Result<std::string> train_ranking(const FeatureMatrix& rows, std::span<const int> groups,
                                  std::span<const double> scores, const RankingParameters& parameters) {
  const auto count = static_cast<size_t>(rows.rows());
  if (count == 0) return fail("there are no rows to train on", "cost model");
  if (rows.values.size() != count * static_cast<size_t>(rows.columns) || groups.size() != count ||
      scores.size() != count)
    return fail(std::to_string(count) + " rows, " + std::to_string(groups.size()) + " groups and " +
                    std::to_string(scores.size()) + " scores do not fit each other",
                "cost model");
  for (float value : rows.values)
    if (!std::isfinite(value)) return fail("a feature is not finite", "cost model");
  for (double score : scores)
    if (!std::isfinite(score)) return fail("a score is not finite", "cost model");

  HONE_TRY(const std::vector<std::string> forests,
           train_forests(rows, labels_of(rows, groups, scores), parameters));
  std::string payload = std::to_string(forests.size());
  for (const std::string& forest : forests) payload += " " + std::to_string(forest.size());
  payload += "\n";
  for (const std::string& forest : forests) payload += forest;
  return std::string(kMagic) + std::to_string(rows.columns) + " " + digest_of(payload).hex() + "\n" + payload;
}

Result<RankingModel> RankingModel::load(std::string_view bytes) {
  const size_t end = bytes.find('\n');
  RankingModel model;
  if (bytes.substr(0, kMagic.size()) != kMagic || end == std::string_view::npos)
    return fail("these bytes are no cost model of this version", "cost model");
  const char* const line_end = bytes.data() + end;
  const char* const rest = std::from_chars(bytes.data() + kMagic.size(), line_end, model.columns_).ptr;
  std::string_view payload = bytes.substr(end + 1);
  // XGBoost reads past the end of a model that was cut short, so it only ever sees whole ones.
  if (model.columns_ <= 0 || rest == line_end || *rest != ' ' ||
      std::string_view(rest + 1, static_cast<size_t>(line_end - rest - 1)) != digest_of(payload).hex())
    return fail("the cost model is damaged", "cost model");
  HONE_TRY(const std::vector<size_t> lengths, forest_lengths(payload));
  payload.remove_prefix(payload.find('\n') + 1);
  for (const size_t length : lengths) {
    void*& booster = model.boosters_.emplace_back(nullptr);
    if (XGBoosterCreate(nullptr, 0, &booster) != 0 || XGBoosterSetParam(booster, "verbosity", "0") != 0 ||
        XGBoosterLoadModelFromBuffer(booster, payload.data(), length) != 0 ||
        XGBoosterSetParam(booster, "nthread", "1") != 0)
      return xgboost_error("the model was not loaded");
    payload.remove_prefix(length);
    bst_ulong columns = 0;
    if (XGBoosterGetNumFeature(booster, &columns) != 0 || static_cast<int64_t>(columns) != model.columns_)
      return fail("the model's features are not as many as it says", "cost model");
  }
  return model;
}

RankingModel::RankingModel(RankingModel&& other) noexcept
    : boosters_(std::exchange(other.boosters_, {})), columns_(other.columns_) {}

RankingModel& RankingModel::operator=(RankingModel&& other) noexcept {
  std::swap(boosters_, other.boosters_);
  std::swap(columns_, other.columns_);
  return *this;
}

RankingModel::~RankingModel() {
  for (void* booster : boosters_)
    if (booster != nullptr) XGBoosterFree(booster);
}

Result<std::vector<float>> RankingModel::predict(const FeatureMatrix& rows) const {
  HONE_TRY(Prediction prediction, predict_with_spread(rows));
  return std::move(prediction.mean);
}

Result<Prediction> RankingModel::predict_with_spread(const FeatureMatrix& rows) const {
  if (rows.values.empty()) return Prediction();
  if (rows.columns != columns_)
    return fail("rows of " + std::to_string(rows.columns) + " features, but the model was trained on " +
                    std::to_string(columns_),
                "cost model", "the feature version changed: train a new model");
  const std::string array = R"({"data":[)" + std::to_string(reinterpret_cast<uintptr_t>(rows.values.data())) +
                            R"(,true],"shape":[)" + std::to_string(rows.rows()) + "," +
                            std::to_string(rows.columns) + R"(],"typestr":"<f4","version":3})";
  const auto count = static_cast<size_t>(rows.rows());
  std::vector<double> sum(count, 0), squares(count, 0), member(count, 0);
  for (size_t forest = 0; forest < boosters_.size(); ++forest) {
    const bool corrects_estimate = forest % 2 == 1;
    const bst_ulong* shape = nullptr;
    bst_ulong dimensions = 0;
    const float* scores = nullptr;
    if (XGBoosterPredictFromDense(
            boosters_[forest], array.c_str(),
            R"({"type":0,"training":false,"iteration_begin":0,"iteration_end":0,"strict_shape":true,)"
            R"("missing":NaN,"cache_id":0})",
            nullptr, &shape, &dimensions, &scores) != 0)
      return xgboost_error("prediction failed");
    for (size_t i = 0; i < count; ++i) {
      if (!corrects_estimate) {
        member[i] = scores[i];
        continue;
      }
      const double estimate = rows.values[i * static_cast<size_t>(columns_)];
      member[i] = (member[i] + residual_weight * (scores[i] - estimate)) * score_unit;
      sum[i] += member[i];
      squares[i] += member[i] * member[i];
    }
  }
  const auto members = static_cast<double>(boosters_.size() / 2);
  Prediction prediction;
  for (size_t i = 0; i < count; ++i) {
    const double mean = sum[i] / members;
    prediction.mean.push_back(static_cast<float>(mean));
    prediction.spread.push_back(
        static_cast<float>(std::sqrt(std::max(0.0, squares[i] / members - mean * mean))));
  }
  return prediction;
}

}  // namespace hone
