// The estimate with what is known of its errors taken out: a few weights of other features, fitted to recorded
// times. What a search goes by while it has no model, and what a model starts from. Private to
// cost_model/features.
#pragma once

#include <span>

namespace hone::features {

/// log2 of cycles: `values`, in the order of feature_descriptions(), hold the estimate and all that it is
/// corrected by.
float fitted_of(std::span<const float> values);

}  // namespace hone::features
