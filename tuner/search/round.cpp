// Between the wire's round and the pure search.
#include "tuner/search/round.h"

#include <memory>

#include "cost_model/features/features.h"
#include "cost_model/ranking/ranking.h"
#include "tuner/search/prior.h"

namespace hone {

SearchInput search_input(const TaskSpace& space, const wire::Propose& asked, const SearchSettings& settings) {
  SearchInput input;
  input.spaces = space.spaces();
  for (const Record& record : asked.top) {
    const Result<Parameters> parameters = parse_parameters(record.candidate.parameters);
    if (static_cast<int>(record.candidate.space_version) < space.version_of(record.candidate.formulation))
      continue;
    if (parameters) input.top.push_back({record.candidate.formulation, *parameters});
  }
  // In another version of a space the same text is another point.
  for (size_t i = 0; i < asked.seen.size(); ++i) {
    const uint32_t version = i < asked.seen_versions.size() ? asked.seen_versions[i] : 0;
    const std::string_view name = std::string_view(asked.seen[i]).substr(0, asked.seen[i].find(' '));
    if (version == 0 || static_cast<int>(version) >= space.version_of(name)) input.seen.insert(asked.seen[i]);
  }
  for (const std::string& text : asked.hints) {
    if (auto hint = parse_point(text)) input.hints.push_back(std::move(*hint));
  }
  input.count = static_cast<int>(asked.count);
  input.seed = asked.seed;
  input.first_trial = asked.first_trial;
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
    Result<Prediction> scores = model->predict_with_spread(matrix);
    if (!scores) return Scores(std::vector<float>(rows.size(), 0.0f));
    return Scores(std::move(scores->mean), std::move(scores->spread));
  });
}

namespace {

/// The scheduler sends one model with many rounds: loading it takes as long as looking at a hundred points.
Result<Predict> kept_predictor(std::string_view bytes) {
  thread_local std::pair<std::string, Predict> kept;
  if (kept.first != bytes) {
    HONE_TRY(Predict loaded, load_predictor(bytes));
    kept = {std::string(bytes), std::move(loaded)};
  }
  return kept.second;
}

}  // namespace

Result<Proposal> propose_round(TaskSpace& space, const wire::Propose& asked, std::string_view model,
                               const SearchSettings& settings) {
  const auto describe = [&](const Point& point) { return space.describe(point); };
  if (!model.empty()) {
    HONE_TRY(const Predict predict, kept_predictor(model));
    return propose(search_input(space, asked, settings), describe, predict);
  }
  return propose_by_prior(search_input(space, asked, settings), describe);
}

}  // namespace hone
