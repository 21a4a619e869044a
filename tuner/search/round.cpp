// Between the wire's round and the pure search.
#include "tuner/search/round.h"

#include <memory>

#include "cost_model/features/features.h"
#include "cost_model/ranking/ranking.h"
#include "tuner/search/prior.h"

namespace hone {

SearchInput search_input(const TaskSpace& space, const wire::Round& round, const SearchSettings& settings) {
  SearchInput input;
  input.spaces = space.spaces();
  for (const Record& record : round.top) {
    const Result<Parameters> parameters = parse_parameters(record.parameters);
    if (parameters) input.top.push_back({record.formulation, *parameters});
  }
  input.seen.insert(round.seen.begin(), round.seen.end());
  input.count = static_cast<int>(round.count);
  input.seed = round.seed;
  input.first_trial = round.first_trial;
  input.settings = settings;
  return input;
}

Result<Predict> load_predictor(std::string_view bytes) {
  HONE_TRY(RankingModel loaded, RankingModel::load(bytes));
  const auto expected = static_cast<int64_t>(feature_descriptions().size());
  if (loaded.columns() != expected) {
    return fail("the cost model takes " + std::to_string(loaded.columns()) + " features, this tuner makes " +
                std::to_string(expected));
  }
  auto model = std::make_shared<RankingModel>(std::move(loaded));
  return Predict([model](std::span<const std::vector<float>> rows) {
    FeatureMatrix matrix;
    for (const std::vector<float>& row : rows) HONE_CHECK(matrix.add(row));
    const Result<std::vector<float>> scores = model->predict(matrix);
    return scores ? *scores : std::vector<float>(rows.size(), 0.0f);
  });
}

Result<Proposal> propose_round(TaskSpace& space, const wire::Round& round, std::string_view model,
                               const SearchSettings& settings) {
  Predict predict;
  if (!model.empty()) {
    HONE_TRY(predict, load_predictor(model));
  }
  return propose(
      search_input(space, round, settings), [&](const Point& point) { return space.describe(point); },
      predict);
}

}  // namespace hone
