// How the model's time fell while it was tuned: a row per improvement, for plots and for people.
#pragma once

#include <chrono>
#include <fstream>
#include <string>

#include "codegen/base/result.h"
#include "tuner/cli/progress.h"

namespace hone::cli {

/// A CSV file with the columns seconds (since the command was started), trials (in the log), model_ms (the
/// tasks' best times added up; empty while a task has none) and finals (1: every task's winner was measured
/// again).
class CurveFile {
 public:
  /// Begins the file anew. Error: it cannot be written.
  static Result<CurveFile> create(const std::string& path);
  /// A row if anything changed since the last one, on disk at once.
  void add(double seconds, const std::vector<TunedTask>& tasks, const wire::JobEvent& event);

 private:
  explicit CurveFile(std::ofstream file) : file_(std::move(file)) {}
  std::ofstream file_;
  std::string last_;
};

/// The columns after `seconds`: "1234,26.31,0".
std::string curve_row(const std::vector<TunedTask>& tasks, const wire::JobEvent& event);

}  // namespace hone::cli
