// `hone logs` as functions: a scheduler's records brought into a log here, and a log's records for other
// programs.
#pragma once

#include <string>
#include <vector>

#include "tuner/session/lab.h"

namespace hone::session {

struct PullRequest {
  LabAddress lab;
  uint64_t job = 0;    ///< only the records of this job's tasks and target; 0: all
  std::string target;  ///< only records of this one, its full text; empty: all
  std::string output;  ///< the log to make or extend (*.h5)
};
struct Pulled {
  size_t records = 0, fresh = 0;  ///< that came, and of them those that the log did not have
};
/// Adds to a log that is there; what it has already stays as it is.
Result<Pulled> pull(const PullRequest& request);

struct ExportRequest {
  std::string log;     ///< *.h5
  std::string task;    ///< only records of the task with this key; empty: all
  std::string target;  ///< only records of this one, its full text; empty: all
  bool ok_only = false;
  bool json = false;  ///< a JSON object a line, with samples and features; else CSV
};
struct Exported {
  std::string text;
  size_t records = 0, of = 0;         ///< in the text, and in the log
  std::vector<std::string> warnings;  ///< met while reading the log
};
Result<Exported> export_log(const ExportRequest& request);

}  // namespace hone::session
