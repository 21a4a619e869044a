// Which records a cost model is trained on, and when: all of one target and feature version, failures
// included.
#pragma once

#include <optional>
#include <string>

#include "logs/database.h"
#include "scheduler/effects.h"
#include "scheduler/settings.h"

namespace hone::scheduler {

/// The newest records of `target` with features of `version`: one group per (task, ports, threads, mode,
/// board); the score is 1 / median, failures have 0. Nothing if there are fewer than two times.
std::optional<TrainRequest> training_rows(const LogDatabase& log, const std::string& target, int version,
                                          const Settings& settings);

}  // namespace hone::scheduler
