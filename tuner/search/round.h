// What a round from the scheduler asks, made into proposals.
#pragma once

#include "measure/wire.h"
#include "tuner/search/search.h"
#include "tuner/search/task_space.h"

namespace hone {

/// The search's input for what a round asks: the best records that the space still has, seeds and what was
/// seen.
SearchInput search_input(const TaskSpace& space, const wire::Propose& asked,
                         const SearchSettings& settings = {});

/// The scores of a trained model's bytes. Error: they are no model, or one for another number of features.
Result<Predict> load_predictor(std::string_view model);

/// Everything at once; an empty `model` means that there is none yet.
Result<Proposal> propose_round(TaskSpace& space, const wire::Propose& asked, std::string_view model,
                               const SearchSettings& settings = {});

}  // namespace hone
