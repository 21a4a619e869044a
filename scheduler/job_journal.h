// Entries of the jobs journal `x.h5.jobs`: what a scheduler needs to come back with the same jobs. Formats:
// scheduler/README.md.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "codegen/base/result.h"
#include "logs/journal.h"
#include "measure/wire.h"
#include "scheduler/job.h"

namespace hone::scheduler {

inline constexpr uint32_t kBootEntry = 16, kSubmitEntry = 17, kStateEntry = 18, kIssuedEntry = 19,
                          kBoardEntry = 20;

/// A measurement that was handed to a board: enough to commit its result even after a restart.
struct Issued {
  Digest id;
  Record record;  ///< without its measurement
};

struct RecoveredJob {
  wire::JobRequest request;
  JobState state = JobState::starting;
  std::string reason;
  std::vector<RecoveredLane> lanes;
  uint64_t elapsed_ms = 0, measured_before = 0;
  bool loaded = false;  ///< measured_before has been counted
  uint64_t trials = 0, created_unix_ms = 0, board_ms = 0;
};

struct Recovered {
  uint64_t boot = 0;  ///< starts of a scheduler on this log so far; lease ids and epochs begin at boot << 32
  std::map<uint64_t, RecoveredJob> jobs;
  std::unordered_map<Digest, Record> issued;
  std::map<std::string, wire::BoardSummary> boards;  ///< by name
};

JournalEntry boot_entry(uint64_t boot);
Result<JournalEntry> submit_entry(uint64_t job, const wire::JobRequest& request);
JournalEntry state_entry(uint64_t job, const RecoveredJob& state);
Result<JournalEntry> issued_entry(const Issued& issued);
JournalEntry board_entry(const wire::BoardSummary& board);

/// Applies entries in order; a later one replaces an earlier one. Errors: unknown types, torn payloads.
Result<Recovered> recover(const std::vector<JournalEntry>& entries);
/// The entries that give `recovered` again, with the newest `ended` of the jobs that have ended.
std::vector<JournalEntry> snapshot(const Recovered& recovered, size_t ended = 1000);

}  // namespace hone::scheduler
