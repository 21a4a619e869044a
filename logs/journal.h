// An append-only file of small checked records: what has been synced is there after a kill at any moment.
// Format: logs/FORMAT.md. One process writes it at a time (an exclusive lock); anyone may read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/base/result.h"
#include "logs/files.h"

namespace hone {

struct JournalEntry {
  uint32_t type = 0;  ///< what the payload is; chosen by the journal's user, never reused
  std::string payload;
  bool operator==(const JournalEntry&) const = default;
};

/// What a journal held when it was read.
struct JournalContents {
  std::vector<JournalEntry> entries;
  uint64_t valid_bytes = 0;  ///< up to here every record is whole
  std::string warning;       ///< not empty: a torn last record was left out, and why
};
/// Reads without the lock and without changing the file. A torn tail (a write that a kill cut short) is a
/// warning; damage before the last record is an Error that says the offset and how many records before it are
/// readable.
Result<JournalContents> read_journal(const std::filesystem::path& path);
/// Only what lies between `from` and `to`, ends of records (0: the first record's begin).
Result<JournalContents> read_journal(const std::filesystem::path& path, uint64_t from,
                                     uint64_t to = UINT64_MAX);

/// The writing end. Moves, never copies; closing it gives the lock back, and removes a file that it made and
/// never wrote a record to.
class Journal {
 public:
  /// Creates or opens what `path` leads to (real_path), takes the lock, cuts a torn tail. Errors: in use
  /// (says by which process), unwritable, no regular file, damaged.
  static Result<Journal> open(const std::filesystem::path& path, Files& files = real_files());

  Journal(Journal&& other) noexcept;
  Journal& operator=(Journal&& other) noexcept;
  ~Journal();

  /// What open() found; handed over once.
  JournalContents take_recovered();
  /// Queues one record. It is durable, and may be acknowledged, once sync() has returned without an error.
  void append(uint32_t type, std::string_view payload);
  /// Writes all that is queued with one write and one fdatasync: a group commit. After an error the queue is
  /// kept and the file is cut back to its last durable length, so sync() may be tried again (a full disk that
  /// has room again). If somebody deleted the file it is there again afterwards, whole, and take_notes() says
  /// so; if another file has its name that is an Error until that is moved away.
  Status sync();
  /// Writes all that is queued: it outlives this process, but a machine that loses its power may lose it
  /// until the next sync().
  Status write();
  /// Empties the journal durably, once its content is safe elsewhere. Nothing may be queued.
  Status cut();
  /// Cuts off what lies before byte `from`, once it is safe elsewhere, in two steps: copy_tail gathers what
  /// lies behind it in a journal beside this one, `path`.new, on any thread and while this one is written;
  /// take_tail adds what came since, which should be little, and puts it in this one's place. Killed in
  /// between, all is still here.
  struct Tail;
  static Result<Tail> copy_tail(const std::filesystem::path& path, uint64_t from,
                                Files& files = real_files());
  Status take_tail(Tail tail);
  /// Deletes the file and gives the lock back; it must have been cut.
  Status remove();
  /// Durable length in bytes, header included.
  uint64_t bytes() const { return bytes_; }
  bool has_queued() const { return !queue_.empty(); }
  const std::filesystem::path& path() const { return path_; }
  /// What people should know of and no error tells; handed over once.
  std::vector<std::string> take_notes() { return std::exchange(notes_, {}); }

 private:
  Journal() = default;
  Files* files_ = &real_files();
  std::filesystem::path path_;
  int file_ = -1;
  bool is_unwritten_ = false;  ///< this object made the file, and no record is in it
  std::vector<std::string> notes_;
  Status put_out(bool durable);
  void close_file();
  uint64_t bytes_ = 0;
  bool unsynced_ = false;  ///< something was only written
  std::string queue_;
  JournalContents recovered_;
};

/// What lies before `to` in a journal, without its front.
struct Journal::Tail {
  Journal journal;
  uint64_t to = 0;
};

}  // namespace hone
