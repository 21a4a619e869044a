// The runner's loop: one connection to a scheduler, one Device, one measurement at a time.
// Waits for messages, the end of a measurement, deadlines and a stop event in one place.
#pragma once

#include "devices/runner_session.h"

namespace hone {

/// Runs until the scheduler says `stopping` or `stop_fd` can be read. Reconnects, with a new hello, whenever
/// the scheduler falls silent. Errors: a malformed endpoint, a refusal (with its reason), no scheduler within
/// give_up.
Status run_runner(const RunnerOptions& options, Device& device, int stop_fd);

}  // namespace hone
