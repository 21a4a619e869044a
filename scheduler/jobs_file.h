// The files of the jobs journal, `x.h5.jobs` and its snapshot `x.h5.jobs.snapshot`.
#pragma once

#include <filesystem>
#include <functional>

#include "scheduler/job_journal.h"

namespace hone::scheduler {

class JobsFile {
 public:
  /// Reads snapshot and journal, takes the lock. What it held is in `recovered()`, its boot number already
  /// raised.
  static Result<JobsFile> open(const std::filesystem::path& log, Files& files = real_files());
  const Recovered& recovered() const { return recovered_; }
  const std::string& warning() const { return warning_; }
  void append(const JournalEntry& entry) { journal_.append(entry.type, entry.payload); }
  Status sync() { return journal_.sync(); }
  Status write() { return journal_.write(); }
  uint64_t bytes() const { return journal_.bytes(); }
  /// Makes a snapshot of what has been journaled up to byte `upto`, in two steps as RecordLog's compaction:
  /// prepare on any thread, while entries are appended, then adopt, which writes only what came since.
  /// `is_over`: whether a measurement that was issued has its record, for good.
  Result<Journal::Tail> prepare_snapshot(uint64_t upto,
                                         const std::function<bool(const Digest&)>& is_over) const;
  Status adopt(Journal::Tail tail) { return journal_.take_tail(std::move(tail)); }
  /// Puts `entries` in the place of all that was journaled; killed at any moment, one of the two is there.
  Status replace(const std::vector<JournalEntry>& entries);
  /// Nothing needs to be kept: removes both files.
  Status remove();

 private:
  JobsFile(std::filesystem::path path, Journal journal)
      : path_(std::move(path)), journal_(std::move(journal)) {}
  std::filesystem::path snapshot_path() const { return path_.string() + ".snapshot"; }
  Status write_snapshot(const std::vector<JournalEntry>& entries) const;
  std::filesystem::path path_;
  Journal journal_;
  Files* files_ = &real_files();
  Recovered recovered_;
  std::string warning_;
};

}  // namespace hone::scheduler
