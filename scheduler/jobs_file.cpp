// The snapshot is a journal too, written beside the old one and renamed over it before the journal is cut.
#include "scheduler/jobs_file.h"

#include <algorithm>
#include <iterator>

#include "codegen/base/output_file.h"

namespace hone::scheduler {

Result<JobsFile> JobsFile::open(const std::filesystem::path& log, Files& files) {
  HONE_TRY(Journal journal, Journal::open(real_path(log).string() + ".jobs", files));
  JobsFile file(std::move(journal));
  std::vector<JournalEntry> entries;
  std::error_code error;
  if (std::filesystem::exists(file.snapshot_->path(), error)) {
    HONE_TRY(JournalContents snapshot, read_journal(file.snapshot_->path()));
    entries = std::move(snapshot.entries);
  }
  JournalContents recent = file.journal_.take_recovered();
  entries.insert(entries.end(), recent.entries.begin(), recent.entries.end());
  file.warning_ = recent.warning;
  HONE_TRY(file.recovered_, recover(entries));
  ++file.recovered_.boot;
  file.files_ = &files;
  return file;
}

Status JobsFile::sync() {
  HONE_RETURN_IF_ERROR(journal_.sync());
  return keep_snapshot();
}

Status JobsFile::write() {
  HONE_RETURN_IF_ERROR(journal_.write());
  return keep_snapshot();
}

Status JobsFile::keep_snapshot() {
  HONE_TRY(const bool was_gone, snapshot_->keep());
  if (was_gone)
    notes_.push_back(snapshot_->path().string() + ": was deleted while it was in use, and is there again");
  return {};
}

std::vector<std::string> JobsFile::take_notes() {
  std::vector<std::string> notes = journal_.take_notes();
  notes.insert(notes.end(), notes_.begin(), notes_.end());
  notes_.clear();
  return notes;
}

Status JobsFile::write_snapshot(const std::vector<JournalEntry>& entries) const {
  const std::filesystem::path name = snapshot_->path(), temporary = name.string() + ".new";
  std::error_code error;
  std::filesystem::remove(temporary, error);
  HONE_TRY(Journal next, Journal::open(temporary, *files_));
  for (const JournalEntry& entry : entries) next.append(entry.type, entry.payload);
  HONE_RETURN_IF_ERROR(next.sync());
  return snapshot_->replace([&]() -> Status {
    std::filesystem::rename(temporary, name, error);
    if (error) return fail("cannot be renamed: " + error.message(), temporary.string());
    return sync_folder_of(name);
  });
}

Status JobsFile::replace(const std::vector<JournalEntry>& entries) {
  HONE_RETURN_IF_ERROR(journal_.sync());
  HONE_RETURN_IF_ERROR(write_snapshot(entries));
  return journal_.cut();
}

Result<Journal::Tail> JobsFile::prepare_snapshot(uint64_t upto,
                                                 const std::function<bool(const Digest&)>& is_over) const {
  std::vector<JournalEntry> entries;
  std::error_code error;
  if (std::filesystem::exists(snapshot_->path(), error)) {
    HONE_TRY(JournalContents before, read_journal(snapshot_->path()));
    entries = std::move(before.entries);
  }
  HONE_TRY(JournalContents recent, read_journal(journal_.path(), 0, upto));
  std::ranges::move(recent.entries, std::back_inserter(entries));
  HONE_TRY(Recovered state, recover(entries));
  std::erase_if(state.issued, [&](const auto& issued) { return is_over(issued.first); });
  HONE_RETURN_IF_ERROR(write_snapshot(snapshot(state)));
  return Journal::copy_tail(journal_.path(), upto, *files_);
}

Status JobsFile::remove() {
  HONE_RETURN_IF_ERROR(journal_.sync());
  HONE_RETURN_IF_ERROR(journal_.cut());
  snapshot_->remove();
  return journal_.remove();
}

}  // namespace hone::scheduler
