// The files of the jobs journal, `x.h5.jobs` and its snapshot `x.h5.jobs.snapshot`.
#pragma once

#include <filesystem>

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
  /// Puts `entries` in the place of all that was journaled; killed at any moment, one of the two is there.
  Status replace(const std::vector<JournalEntry>& entries);
  /// Nothing needs to be kept: removes both files.
  Status remove();

 private:
  JobsFile(std::filesystem::path path, Journal journal)
      : path_(std::move(path)), journal_(std::move(journal)) {}
  std::filesystem::path snapshot_path() const { return path_.string() + ".snapshot"; }
  std::filesystem::path path_;
  Journal journal_;
  Files* files_ = &real_files();
  Recovered recovered_;
  std::string warning_;
};

}  // namespace hone::scheduler
