// The first feature is the estimate.
#include "tuner/search/prior.h"

namespace hone {

Predict prior_predictor() {
  return [](std::span<const std::vector<float>> rows) {
    std::vector<float> scores;
    for (const auto& row : rows) scores.push_back(-row.front());
    return scores;
  };
}

Proposal propose_by_prior(SearchInput input, const Describe& describe, const Predict& prior) {
  input.settings.random_share = input.settings.prior_random_share;
  input.settings.optimist_share = 0;
  Proposal proposal = propose(input, describe, prior);
  for (Proposal::Entry& entry : proposal.entries) entry.predicted = 0;  // no model said so
  return proposal;
}

}  // namespace hone
