// Journal first, file later: the order of the steps here is what makes a kill at any moment harmless.
#include "logs/record_log.h"

#include <utility>

#include "codegen/base/output_file.h"
#include "measure/wire.h"

namespace hone {

RecordLog::RecordLog(std::filesystem::path log, LogDatabase database, Journal journal, size_t uncompacted)
    : log_(std::move(log)),
      store_(std::make_unique<HeldFile>(log_)),
      database_(std::move(database)),
      journal_(std::move(journal)),
      uncompacted_(uncompacted) {
  for (const Record& record : database_.records())
    identities_.emplace(record_identity(record), identities_.size());
  synced_ = identities_.size();
}

Result<RecordLog> RecordLog::open(const std::filesystem::path& name, Files& files) {
  const std::filesystem::path log = real_path(name);
  // The lock comes first, so that nobody compacts between reading and writing.
  HONE_TRY(Journal journal, Journal::open(journal_path(log), files));
  const JournalContents recovered = journal.take_recovered();
  HONE_TRY(LogDatabase database, LogDatabase::open(log));
  if (!recovered.warning.empty()) database.add_warning(recovered.warning);
  RecordLog opened(log, std::move(database), std::move(journal), recovered.entries.size());
  opened.files_ = &files;
  return opened;
}

Result<bool> RecordLog::append(const Record& record) { return append(record, record_identity(record)); }

Result<bool> RecordLog::append(const Record& record, const Digest& identity) {
  if (identities_.contains(identity)) return false;
  HONE_TRY(const wire::Bytes bytes, wire::encode_record(record));
  journal_.append(kRecordEntry, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ++uncompacted_;
  std::lock_guard lock(*mutex_);
  return identities_.emplace(identity, identities_.size()).second;
}

Status RecordLog::sync() {
  HONE_RETURN_IF_ERROR(journal_.sync());
  for (std::string& note : journal_.take_notes()) notes_.push_back(std::move(note));
  HONE_TRY(const bool was_gone, store_->keep());
  if (was_gone) notes_.push_back(log_.string() + ": was deleted while it was in use, and is there again");
  std::lock_guard lock(*mutex_);
  synced_ = identities_.size();
  return {};
}

bool RecordLog::is_durable(const Digest& identity) const {
  std::lock_guard lock(*mutex_);
  const auto place = identities_.find(identity);
  return place != identities_.end() && place->second < synced_;
}

size_t RecordLog::durable() const {
  std::lock_guard lock(*mutex_);
  return synced_;
}

/// Both files. Error: they hold fewer records than were written to them.
Result<LogDatabase> RecordLog::read_all(size_t least) const {
  HONE_TRY(LogDatabase all, LogDatabase::open(log_));
  if (all.records().size() >= least) return all;
  return fail("holds " + std::to_string(all.records().size()) + " records of the " + std::to_string(least) +
                  " that were written to it: its files were changed while it was in use",
              log_.string());
}

Result<RecordLog::Compaction> RecordLog::prepare_compaction() const {
  HONE_TRY(const LogDatabase all, read_all(durable()));
  HONE_RETURN_IF_ERROR(store_->replace([&] { return all.write(log_); }));
  HONE_TRY(Journal::Tail tail, Journal::copy_tail(journal_path(log_), all.journal_bytes(), *files_));
  return Compaction{std::move(tail), all.records().size()};
}

Status RecordLog::adopt(Compaction compaction) {
  HONE_RETURN_IF_ERROR(sync());
  HONE_RETURN_IF_ERROR(journal_.take_tail(std::move(compaction.tail)));
  uncompacted_ = size() - compaction.records;
  return {};
}

Status RecordLog::compact() {
  HONE_RETURN_IF_ERROR(sync());
  if (uncompacted_ == 0) return {};
  HONE_TRY(const LogDatabase all, read_all(size()));
  HONE_RETURN_IF_ERROR(store_->replace([&] { return all.write(log_); }));
  HONE_RETURN_IF_ERROR(journal_.cut());
  uncompacted_ = 0;
  return {};
}

Status RecordLog::close() {
  HONE_RETURN_IF_ERROR(compact());
  if (!std::filesystem::exists(log_)) {
    HONE_TRY(const LogDatabase all, read_all(size()));
    HONE_RETURN_IF_ERROR(all.write(log_));
  }
  HONE_RETURN_IF_ERROR(journal_.cut());
  return journal_.remove();
}

}  // namespace hone
