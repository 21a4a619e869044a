// How the model's time fell while it was tuned: a row per improvement, for plots and for people.
#pragma once

#include <chrono>
#include <string>

#include "codegen/base/output_file.h"
#include "codegen/base/result.h"
#include "tuner/session/tuned.h"

namespace hone::session {

/// A CSV file with the columns seconds (since the command was started), trials (in the log), model_ms (the
/// tasks' best times added up; empty while a task has none) and finals (1: every task's winner was measured
/// again).
class CurveFile {
 public:
  /// Begins the file anew. Error: it cannot be written, and what was there is there still.
  static Result<CurveFile> create(const std::string& path);
  /// A row if anything changed since the last one, in the file at once. A failure is kept for written().
  void add(double seconds, const std::vector<TunedTask>& tasks, const wire::JobEvent& event);
  /// Error: a row could not be written.
  const Status& written() const { return written_; }

 private:
  explicit CurveFile(OutputFile file) : file_(std::move(file)) {}
  OutputFile file_;
  Status written_ = {};
  std::string last_;
};

/// The columns after `seconds`: "1234,26.31,0".
std::string curve_row(const std::vector<TunedTask>& tasks, const wire::JobEvent& event);

}  // namespace hone::session
