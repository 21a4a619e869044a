// Journal first, file later: the order of the steps here is what makes a kill at any moment harmless.
#include "logs/record_log.h"

#include <utility>

#include "measure/wire.h"

namespace hone {

RecordLog::RecordLog(std::filesystem::path log, LogDatabase database, Journal journal, size_t uncompacted)
    : log_(std::move(log)),
      database_(std::move(database)),
      journal_(std::move(journal)),
      uncompacted_(uncompacted) {
  for (const Record& record : database_.records()) identities_.insert(record_identity(record));
  synced_ = identities_.size();
}

Result<RecordLog> RecordLog::open(const std::filesystem::path& log, Files& files) {
  // The lock comes first, so that nobody compacts between reading and writing.
  std::error_code ignored;
  const bool is_new = !std::filesystem::exists(journal_path(log), ignored);
  HONE_TRY(Journal journal, Journal::open(journal_path(log), files));
  const JournalContents recovered = journal.take_recovered();
  auto opened = LogDatabase::open(log);
  if (!opened) {
    if (is_new) (void)journal.remove();  // nothing is left beside a file that is no log
    return pass(opened.error());
  }
  LogDatabase database = std::move(*opened);
  if (!recovered.warning.empty()) database.add_warning(recovered.warning);
  RecordLog opened_log(log, std::move(database), std::move(journal), recovered.entries.size());
  opened_log.files_ = &files;
  return opened_log;
}

Result<bool> RecordLog::append(const Record& record) { return append(record, record_identity(record)); }

Result<bool> RecordLog::append(const Record& record, const Digest& identity) {
  if (identities_.contains(identity)) return false;
  HONE_TRY(const wire::Bytes bytes, wire::encode_record(record));
  journal_.append(kRecordEntry, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ++uncompacted_;
  std::lock_guard lock(*mutex_);
  return identities_.insert(identity);
}

Status RecordLog::sync() {
  HONE_RETURN_IF_ERROR(journal_.sync());
  std::lock_guard lock(*mutex_);
  synced_ = identities_.size();
  return {};
}

bool RecordLog::is_durable(const Digest& identity) const {
  std::lock_guard lock(*mutex_);
  return identities_.contains(identity, synced_);
}

Result<RecordLog::Compaction> RecordLog::prepare_compaction() const {
  HONE_TRY(const LogDatabase all, LogDatabase::open(log_));
  HONE_RETURN_IF_ERROR(all.write(log_));
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
  HONE_TRY(const LogDatabase all, LogDatabase::open(log_));
  HONE_CHECK(all.records().size() == size());
  HONE_RETURN_IF_ERROR(all.write(log_));
  HONE_RETURN_IF_ERROR(journal_.cut());
  uncompacted_ = 0;
  return {};
}

Status RecordLog::close() {
  HONE_RETURN_IF_ERROR(compact());
  if (!std::filesystem::exists(log_)) HONE_RETURN_IF_ERROR(LogDatabase().write(log_));
  HONE_RETURN_IF_ERROR(journal_.cut());
  return journal_.remove();
}

}  // namespace hone
