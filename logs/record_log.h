// The writing end of a log: the scheduler appends records to the journal and compacts it into the HDF5 file
// now and then.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "logs/database.h"
#include "logs/held_file.h"
#include "logs/journal.h"

namespace hone {

inline constexpr uint32_t kRecordEntry =
    1;  ///< type of a journal entry whose payload is a Record of measure/messages.capnp

class RecordLog {
 public:
  /// Opens or creates what `log` leads to (real_path: an alias is the same log, with the same journal). Takes
  /// the journal's lock, so a second writer gets an Error that names the first. If nothing is appended, no
  /// file is left that was not there.
  static Result<RecordLog> open(const std::filesystem::path& log, Files& files = real_files());

  /// What the log held when it was opened. Records that are appended are not kept in memory here.
  const LogDatabase& database() const { return database_; }
  /// Hands that over; it is empty here afterwards.
  LogDatabase take_database() { return std::exchange(database_, {}); }
  /// Records in the log, appended ones too.
  size_t size() const { return identities_.size(); }
  /// Queues a record; false if its identity is in the log already (then nothing is queued). It may be
  /// acknowledged once sync() has returned without an error. Errors: a record beyond the limits of
  /// measure/wire.h.
  Result<bool> append(const Record& record);
  /// The same for a caller that knows record_identity(record).
  Result<bool> append(const Record& record, const Digest& identity);
  /// Files of the log that somebody deleted are there again afterwards, and take_notes() says so. Error too:
  /// another file has the name of one.
  Status sync();
  /// What people should know of and no error tells; handed over once.
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }
  /// Whether a record of this identity is in the log for good; on any thread.
  bool is_durable(const Digest& identity) const;
  /// compact() in two steps, for a writer that cannot wait: prepare on any thread, while records are appended
  /// and synced, and adopt, which writes only what came since. Killed anywhere in between, no record is lost
  /// or doubled.
  struct Compaction {
    Journal::Tail tail;
    size_t records = 0;  ///< in the HDF5 file
  };
  Result<Compaction> prepare_compaction() const;
  Status adopt(Compaction compaction);
  /// Reads both files and writes all records to the HDF5 file, then cuts the journal. Killed anywhere in
  /// between, no record is lost or doubled.
  Status compact();
  /// compact(), then removes the journal: only `x.h5` is left. The log is closed by it.
  Status close();
  /// Records that only the journal holds.
  size_t uncompacted() const { return uncompacted_; }

 private:
  RecordLog(std::filesystem::path log, LogDatabase database, Journal journal, size_t uncompacted);
  size_t durable() const;
  Result<LogDatabase> read_all(size_t least) const;
  std::filesystem::path log_;
  std::unique_ptr<HeldFile> store_;  ///< the HDF5 file
  std::vector<std::string> notes_;
  Files* files_ = &real_files();
  LogDatabase database_;
  /// Guards the two after it; others than the writer only ask is_durable().
  std::unique_ptr<std::mutex> mutex_ = std::make_unique<std::mutex>();
  std::unordered_map<Digest, size_t> identities_;  ///< and how many came before each
  size_t synced_ = 0;  ///< so many of them, the first, are durable
  Journal journal_;
  size_t uncompacted_ = 0;
};

}  // namespace hone
