// Which records a cost model is trained on, and when: all of one target and feature version, failures
// included.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "measure/record.h"
#include "scheduler/effects.h"
#include "scheduler/settings.h"

namespace hone::scheduler {

/// Records of `target` and of near ones (see NearTargets) with features of `version`, at most
/// settings.train_rows: of `logs` one after the other, of each the newest first. One group per (task, target,
/// ports, threads, mode, board); the score is 1 / median, failures have 0. Nothing if there are fewer than
/// two times.
std::optional<TrainRequest> training_rows(const std::vector<const std::vector<Record>*>& logs,
                                          const std::string& target, int version, const Settings& settings);
/// A record whose features are worked out again: of the log or of the logs to learn from, and its row there.
struct FeatureRow {
  bool of_transfer = false;
  size_t index = 0;
};

/// Of the records that training_rows would then take, those with features of an older version than `version`
/// and the steps to work them out from, in the same order.
std::deque<FeatureRow> stale_rows(const std::vector<const std::vector<Record>*>& logs,
                                  const std::string& target, int version, const Settings& settings);

}  // namespace hone::scheduler
