// The snapshot is a journal too, written beside the old one and renamed over it before the journal is cut.
#include "scheduler/jobs_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace hone::scheduler {
namespace {

Status sync_folder(std::filesystem::path folder) {
  if (folder.empty()) folder = ".";
  const int file = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = file >= 0 && (::fsync(file) == 0 || errno == EINVAL);
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!synced) return fail(std::string("cannot be synced: ") + std::strerror(error), folder.string());
  return {};
}

}  // namespace

Result<JobsFile> JobsFile::open(const std::filesystem::path& log, Files& files) {
  const std::filesystem::path path = log.string() + ".jobs";
  HONE_TRY(Journal journal, Journal::open(path, files));
  JobsFile file(path, std::move(journal));
  std::vector<JournalEntry> entries;
  std::error_code error;
  if (std::filesystem::exists(file.snapshot_path(), error)) {
    HONE_TRY(JournalContents snapshot, read_journal(file.snapshot_path()));
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

Status JobsFile::write_snapshot(const std::vector<JournalEntry>& entries) const {
  const std::filesystem::path temporary = snapshot_path().string() + ".new";
  std::error_code error;
  std::filesystem::remove(temporary, error);
  {
    HONE_TRY(Journal next, Journal::open(temporary, *files_));
    for (const JournalEntry& entry : entries) next.append(entry.type, entry.payload);
    HONE_RETURN_IF_ERROR(next.sync());
  }
  std::filesystem::rename(temporary, snapshot_path(), error);
  if (error) return fail("cannot be renamed: " + error.message(), temporary.string());
  return sync_folder(path_.parent_path());
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
  if (std::filesystem::exists(snapshot_path(), error)) {
    HONE_TRY(JournalContents before, read_journal(snapshot_path()));
    entries = std::move(before.entries);
  }
  HONE_TRY(JournalContents recent, read_journal(path_, 0, upto));
  std::ranges::move(recent.entries, std::back_inserter(entries));
  HONE_TRY(Recovered state, recover(entries));
  std::erase_if(state.issued, [&](const auto& issued) { return is_over(issued.first); });
  HONE_RETURN_IF_ERROR(write_snapshot(snapshot(state)));
  return Journal::copy_tail(path_, upto, *files_);
}

Status JobsFile::remove() {
  HONE_RETURN_IF_ERROR(journal_.sync());
  HONE_RETURN_IF_ERROR(journal_.cut());
  std::error_code error;
  std::filesystem::remove(snapshot_path(), error);
  return journal_.remove();
}

}  // namespace hone::scheduler
