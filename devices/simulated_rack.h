// Many simulated boards in one process, each with a connection of its own to a real scheduler: what a lab
// looks like to it, for load tests and for trying out a scheduler without boards.
#pragma once

#include <functional>

#include "devices/simulated_board.h"

namespace hone {

/// Runs boards 1 to `count` until all are gone, or `stop_fd` can be read; gives what they did. Errors: a
/// malformed endpoint, a refusal, no scheduler within give_up, more connections than this process may have.
Result<SimulationCounts> run_simulated_boards(const RunnerOptions& options, const SimulationScript& script,
                                              uint64_t count, int stop_fd);

}  // namespace hone
