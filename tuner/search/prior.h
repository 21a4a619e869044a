// What to try first while nothing is measured: scores from a few lines of arithmetic about loops.
#pragma once

#include "tuner/search/search.h"

namespace hone {

/// Scores rows of features_of() by their first feature, the cycles estimated for a nominal core
/// (cost_model/features/estimate.h). A guess of the order only; any trained model replaces it.
Predict prior_predictor();

}  // namespace hone
