// `hone tune`: searches the fastest schedule of every task of a model by measuring candidates on this
// machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/model/model.h"
#include "measure/measurement.h"
#include "tuner/cli/progress.h"
#include "tuner/cli/task_list.h"

namespace hone::cli {

/// "60s", "2m", "1h", "500ms" or plain seconds. Error: anything else, or nothing above zero.
Result<double> parse_duration(std::string_view text);

/// Whether the model's constants fit a quarter of the last-level cache: then they are read from there while it runs.
TimingMode timing_mode(const Graph& graph, const Board& board);

/// Whether `board` can run what is compiled for `target`. Error: another architecture, wider vectors, or
/// features it lacks.
Status can_run(const Board& board, const Target& target);

/// Milliseconds above zero. Error: anything else.
Status check_target_speed(double ms);

}  // namespace hone::cli
