// Recorded logs as tables of real times: what cost models are judged on, and what searches are replayed
// against without a board. Features are worked out anew from each record's schedule, so an old log judges new
// features.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "codegen/graph/task.h"
#include "cost_model/features/features.h"
#include "logs/database.h"
#include "tuner/search/search.h"

namespace hone::replay {

struct RecordedPoint {
  Point point;
  double ns = 0;  ///< median of its measurements' medians; of one that was raced out, of its two samples
  int times = 1;  ///< measurements
  double first_ns = 0;  ///< the first of them alone
  std::vector<float> features;
  Digest program;       ///< digest of the lowered program
  StaticCost cost;      ///< of the lowered program
};

/// All times of one task in one mode on one board.
struct RecordedTask {
  std::string name;    ///< as people call it: "conv3x3 64>64 56x56 +relu"
  std::string shape;   ///< name without what is fused behind: tasks of one shape are never split apart
  Digest key;          ///< of the task
  bool whole = false;  ///< every point of the spaces as they were then was measured
  std::vector<RecordedPoint> points;  ///< each program once
  Task task;
  Target target;
  Ports ports;
  std::vector<PointSpace> spaces;  ///< of the formulations met, with the choices met; `first` as recorded
  double best_ns = 0;
};

/// The tasks of one or more logs, in the order met; failures and points that no longer lower are left out.
/// Errors: those of LogDatabase::open, texts that do not parse.
Result<std::vector<RecordedTask>> read_recorded(const std::vector<std::filesystem::path>& logs);

}  // namespace hone::replay
