// The log database: all records of a log, as read from `x.h5` and its journal `x.h5.journal`, with look-ups.
// Reading takes no lock, so `hone build` may read a log that a scheduler is writing.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "codegen/base/result.h"
#include "measure/record.h"

namespace hone {

/// Where the records that `x.h5` does not hold yet are: "x.h5.journal".
std::filesystem::path journal_path(const std::filesystem::path& log);

/// What makes a record the same measurement in two logs: measurement_id() where an artifact was built; for
/// build failures (which have no artifact) a digest of candidate and status.
Digest record_identity(const Record& record);

/// Empty fields match anything.
struct LogQuery {
  std::vector<Digest> task_keys = {};
  std::string target = {};  ///< canonical text
  std::string board_model = {};
  std::string ports = {};
  std::optional<int> threads = {};
  std::optional<TimingMode> mode = {};
  bool ok_only = false;  ///< only status ok
  bool matches(const Record& record) const;
};

/// What `hone build` wants to know about one task.
struct BestQuery {
  Digest task_key;
  std::string target;                                         ///< canonical text; must match
  int threads = 1;                                            ///< must match
  std::string ports = {};                                     ///< layouts and placement; empty: any
  std::optional<TimingMode> mode = {};                        ///< empty: any
  std::optional<std::vector<std::string>> formulations = {};  ///< names; empty: any
  std::string board_model = {};  ///< empty: any. Another board's record is never given silently: see best()
};

class LogDatabase {
 public:
  /// Reads `log` and its journal. One of the two must exist; Errors: missing (says so), no hone log, a newer
  /// version, damaged.
  static Result<LogDatabase> open(const std::filesystem::path& log);

  const std::vector<Record>& records() const { return records_; }
  /// The same record to correct in memory what is derived from its texts: its features, with their version.
  Record& record_at(size_t row) { return records_.at(row); }
  /// Up to where open() has read the journal.
  uint64_t journal_bytes() const { return journal_bytes_; }
  /// Warnings met while reading (a torn journal tail).
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// Keeps one record per identity, the first. False: it was there already.
  bool add(Record record);
  /// The same for a caller that knows record_identity(record).
  bool add(Record record, const Digest& identity);
  bool contains(const Digest& identity) const;
  void add_warning(std::string warning) { warnings_.push_back(std::move(warning)); }
  /// Adds all records of another log; gives how many were new.
  size_t merge(const LogDatabase& other);
  std::vector<const Record*> query(const LogQuery& query) const;

  /// The fastest good record for `query`: a candidate that was measured as a finalist counts with the median
  /// of its finals and goes before all that were not; nullptr if there is none for this target, threads and
  /// board model.
  const Record* best(const BestQuery& query) const;
  /// best() for each of `task_keys`, in order, with the other fields of `query`; nullptr where there is none.
  std::vector<const Record*> best_of(const std::vector<Digest>& task_keys, BestQuery query) const;
  /// Distinct board models that hold good records for `target`: to tell the user what --board-model could
  /// name.
  std::vector<std::string> board_models(std::string_view target) const;

  /// Checks every record (keys that are their tasks' digests, statuses with messages, medians that follow
  /// from the samples) and gives one line per fault; empty: sound.
  std::vector<std::string> verify() const;

  /// Writes the whole database to `log` atomically: temporary, close, reopen and compare, fsync, rename,
  /// fsync of the folder.
  Status write(const std::filesystem::path& log) const;

 private:
  std::vector<Record> records_;
  std::unordered_set<Digest> identities_;
  std::unordered_map<Digest, std::vector<size_t>> by_task_;  ///< rows in their order
  uint64_t journal_bytes_ = 0;
  std::vector<std::string> warnings_;
};

}  // namespace hone
