// What to try first while nothing is measured: scores from a few lines of arithmetic about loops.
#pragma once

#include "tuner/search/search.h"

namespace hone {

/// Scores rows of features_of() by their first feature, the cycles estimated for a nominal core with the
/// estimate's known errors taken out (cost_model/features/fitted.h). A guess of the order only; any trained
/// model replaces it.
Predict prior_predictor();

/// A round while there is no model: ranked by the estimate, but with a larger share at random
/// (`prior_random_share`), since a model must see more than what the estimate likes.
Proposal propose_by_prior(SearchInput input, const Describe& describe,
                          const Predict& prior = prior_predictor());

}  // namespace hone
