// What to try first while nothing is measured: scores from a few lines of arithmetic about a register tile.
#pragma once

#include "tuner/search/search.h"

namespace hone {

/// Scores rows of features_of() by estimated cycles per multiply-add: two arithmetic and two load ports, a
/// latency of four cycles that accumulators must hide, loop overhead, tails, and spills once accumulators
/// leave no register for operands. A guess of the order only; any trained model replaces it.
Predict prior_predictor();

}  // namespace hone
