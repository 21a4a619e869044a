// The files of the jobs journal, `x.h5.jobs` and its snapshot `x.h5.jobs.snapshot`.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "logs/held_file.h"
#include "scheduler/job_journal.h"

namespace hone::scheduler {

class JobsFile {
 public:
  /// Reads snapshot and journal of what `log` leads to, takes the lock. What it held is in `recovered()`, its
  /// boot number already raised. If nothing is appended, no file is left that was not there.
  static Result<JobsFile> open(const std::filesystem::path& log, Files& files = real_files());
  const Recovered& recovered() const { return recovered_; }
  const std::string& warning() const { return warning_; }
  /// What people should know of and no error tells; handed over once.
  std::vector<std::string> take_notes();
  void append(const JournalEntry& entry) { journal_.append(entry.type, entry.payload); }
  /// Both see to it that the journal and the snapshot have their names: see Journal::sync.
  Status sync();
  Status write();
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
  explicit JobsFile(Journal journal)
      : journal_(std::move(journal)),
        snapshot_(std::make_unique<HeldFile>(journal_.path().string() + ".snapshot")) {}
  Status write_snapshot(const std::vector<JournalEntry>& entries) const;
  Status keep_snapshot();
  Journal journal_;
  std::unique_ptr<HeldFile> snapshot_;
  std::vector<std::string> notes_;
  Files* files_ = &real_files();
  Recovered recovered_;
  std::string warning_;
};

}  // namespace hone::scheduler
