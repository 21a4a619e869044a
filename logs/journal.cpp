// The journal's bytes on disk, its lock and its group commit. Reading and writing agree on the layout in
// logs/FORMAT.md.
#include "logs/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "codegen/base/output_file.h"
#include "logs/crc32c.h"

namespace hone {
namespace {

static_assert(std::endian::native == std::endian::little, "journals are little-endian; swap bytes here");

constexpr std::string_view kMagic = "hone-jnl";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = 16;
constexpr size_t kRecordHeaderBytes = 12;
constexpr uint32_t kMaxPayload = 256u << 20;

void put(std::string& out, uint32_t value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

uint32_t get(std::string_view bytes, size_t offset) {
  uint32_t value = 0;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::string file_header() {
  std::string header(kMagic);
  put(header, kVersion);
  put(header, crc32c(header));
  return header;
}

/// Length of the whole record at `offset`, or 0 if there is none.
size_t record_at(std::string_view bytes, size_t offset) {
  if (bytes.size() - offset < kRecordHeaderBytes) return 0;
  const uint32_t length = get(bytes, offset);
  if (length > kMaxPayload || length > bytes.size() - offset - kRecordHeaderBytes) return 0;
  uint32_t sum = crc32c(bytes.substr(offset, 8));
  sum = crc32c(bytes.substr(offset + kRecordHeaderBytes, length), sum);
  return sum == get(bytes, offset + 8) ? kRecordHeaderBytes + length : 0;
}

/// `bytes` are those of the file from `base` on; the first record lies at `offset` in them.
Result<JournalContents> parse_records(std::string_view bytes, size_t offset, uint64_t base,
                                      const std::string& path) {
  JournalContents contents;
  while (offset < bytes.size()) {
    const size_t length = record_at(bytes, offset);
    if (length == 0) break;
    contents.entries.push_back(
        {get(bytes, offset + 4),
         std::string(bytes.substr(offset + kRecordHeaderBytes, length - kRecordHeaderBytes))});
    offset += length;
  }
  contents.valid_bytes = base + offset;
  if (offset == bytes.size()) return contents;
  // A write that was cut short leaves nothing whole behind it; a whole record further on means damage, not a
  // torn tail.
  for (size_t next = offset + 1; next + kRecordHeaderBytes <= bytes.size(); ++next) {
    if (record_at(bytes, next) == 0) continue;
    const std::string place = std::to_string(base + offset);
    return fail("damaged at byte " + place + " of " + std::to_string(base + bytes.size()) + ": the " +
                    std::to_string(contents.entries.size()) +
                    " records before it are whole, whole records follow from byte " +
                    std::to_string(base + next),
                path, "to keep only those before it: truncate -s " + place + " FILE");
  }
  contents.warning = path + ": the last record is torn at byte " + std::to_string(base + offset) + " of " +
                     std::to_string(base + bytes.size()) + " and was left out; " +
                     std::to_string(contents.entries.size()) + " records are whole";
  return contents;
}

Result<JournalContents> parse(std::string_view bytes, const std::string& path) {
  JournalContents contents;
  const std::string header = file_header();
  if (bytes.size() < kHeaderBytes) {
    if (header.substr(0, bytes.size()) != bytes)
      return fail("is no hone journal", path, "it is not touched; move it away or name another log");
    if (!bytes.empty()) contents.warning = path + ": was cut off inside its header; it held no record";
    return contents;
  }
  if (bytes.substr(0, kMagic.size()) != kMagic)
    return fail("is no hone journal", path, "it is not touched; move it away or name another log");
  if (get(bytes, 12) != crc32c(bytes.substr(0, 12))) return fail("the journal's header is damaged", path);
  if (get(bytes, 8) != kVersion)
    return fail("is a journal of version " + std::to_string(get(bytes, 8)) + ", this program knows version " +
                    std::to_string(kVersion),
                path, "use a newer hone");
  return parse_records(bytes, kHeaderBytes, 0, path);
}

Result<std::string> read_all(int file, const std::string& path, uint64_t from = 0, uint64_t to = UINT64_MAX) {
  std::string bytes;
  char buffer[1 << 16];
  auto offset = static_cast<off_t>(from);
  while (true) {
    const size_t most = std::min<uint64_t>(sizeof buffer, to - static_cast<uint64_t>(offset));
    const ssize_t got = ::pread(file, buffer, most, offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(std::string("cannot be read: ") + std::strerror(errno), path);
    if (got == 0) return bytes;
    bytes.append(buffer, static_cast<size_t>(got));
    offset += got;
  }
}

/// " (process N)" of who holds the lock, as far as /proc/locks tells.
std::string lock_holder(int file) {
  struct stat info = {};
  if (::fstat(file, &info) != 0) return "";
  std::ifstream locks("/proc/locks");
  std::string line;
  while (std::getline(locks, line)) {
    std::istringstream words(line);
    std::string number, kind, advisory, access, process, inode;
    words >> number >> kind >> advisory >> access >> process >> inode;
    const size_t colon = inode.rfind(':');
    if (kind == "FLOCK" && colon != std::string::npos &&
        inode.substr(colon + 1) == std::to_string(info.st_ino) && process != "0")
      return " (process " + process + ")";
  }
  return "";
}

bool is_regular(int file) {
  struct stat facts = {};
  return ::fstat(file, &facts) == 0 && S_ISREG(facts.st_mode);
}

/// A pipe is not waited for.
Result<int> open_for_reading(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return fail(std::string("cannot be opened: ") + std::strerror(errno), path.string());
  if (is_regular(file)) return file;
  ::close(file);
  return fail("is no regular file", path.string());
}

/// The file, and whether it was made here.
Result<std::pair<int, bool>> open_or_create(const std::string& path) {
  constexpr int flags = O_RDWR | O_NONBLOCK | O_CLOEXEC;
  while (true) {
    int file = ::open(path.c_str(), flags);
    const bool is_new = file < 0 && errno == ENOENT;
    if (is_new) file = ::open(path.c_str(), flags | O_CREAT | O_EXCL, 0644);
    if (is_new && file < 0 && errno == EEXIST) continue;
    if (file < 0)
      return fail(std::string("cannot be opened for writing: ") + std::strerror(errno), path,
                  "name a log in a folder that exists and is writable");
    if (is_regular(file)) return std::pair(file, is_new);
    ::close(file);
    return fail("is no regular file", path, "name another log");
  }
}

Status write_at(Files& files, int file, std::string_view bytes, uint64_t offset, const std::string& path,
                bool durable = true) {
  while (!bytes.empty()) {
    const ssize_t written = files.pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(std::string("cannot be written: ") + std::strerror(errno), path);
    bytes.remove_prefix(static_cast<size_t>(written));
    offset += static_cast<uint64_t>(written);
  }
  if (durable && files.fdatasync(file) != 0)
    return fail(std::string("cannot be synced: ") + std::strerror(errno), path);
  return {};
}

}  // namespace

Result<JournalContents> read_journal(const std::filesystem::path& path) {
  HONE_TRY(const int file, open_for_reading(path));
  auto bytes = read_all(file, path.string());
  ::close(file);
  if (!bytes) return pass(bytes.error());
  return parse(*bytes, path.string());
}

Result<JournalContents> read_journal(const std::filesystem::path& path, uint64_t from, uint64_t to) {
  HONE_TRY(const int file, open_for_reading(path));
  from = std::max<uint64_t>(from, kHeaderBytes);
  auto bytes = read_all(file, path.string(), from, to);
  ::close(file);
  if (!bytes) return pass(bytes.error());
  return parse_records(*bytes, 0, from, path.string());
}

Result<Journal> Journal::open(const std::filesystem::path& name, Files& files) {
  const std::filesystem::path path = real_path(name);
  Journal journal;
  journal.files_ = &files;
  journal.path_ = path;
  while (true) {
    HONE_TRY(const auto opened, open_or_create(path.string()));
    journal.file_ = opened.first;
    if (::flock(journal.file_, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK)
        return fail(std::string("cannot be locked: ") + std::strerror(errno), path.string());
      return fail("the log is in use by another process" + lock_holder(journal.file_), path.string(),
                  "wait for it, stop it, or name another log");
    }
    // Its last writer may have removed it between open and flock: then the lock is on a file nobody will see.
    journal.is_unwritten_ = opened.second;
    if (name_state(journal.file_, path) == NameState::ours) break;
    ::close(std::exchange(journal.file_, -1));
  }
  HONE_TRY(const std::string bytes, read_all(journal.file_, path.string()));
  HONE_TRY(journal.recovered_, parse(bytes, path.string()));
  if (bytes.size() < kHeaderBytes) {
    HONE_RETURN_IF_ERROR(write_at(files, journal.file_, file_header(), 0, path.string()));
    HONE_RETURN_IF_ERROR(sync_folder_of(path));
    journal.bytes_ = kHeaderBytes;
    return journal;
  }
  journal.bytes_ = journal.recovered_.valid_bytes;
  if (journal.bytes_ < bytes.size() &&
      (files.ftruncate(journal.file_, static_cast<off_t>(journal.bytes_)) != 0 ||
       files.fdatasync(journal.file_) != 0))
    return fail(std::string("the torn tail cannot be cut: ") + std::strerror(errno), path.string());
  return journal;
}

Journal::Journal(Journal&& other) noexcept { *this = std::move(other); }

Journal& Journal::operator=(Journal&& other) noexcept {
  if (this != &other) {
    close_file();
    files_ = other.files_;
    path_ = std::move(other.path_);
    file_ = std::exchange(other.file_, -1);
    is_unwritten_ = other.is_unwritten_;
    notes_ = std::move(other.notes_);
    bytes_ = other.bytes_;
    unsynced_ = other.unsynced_;
    queue_ = std::move(other.queue_);
    recovered_ = std::move(other.recovered_);
  }
  return *this;
}

Journal::~Journal() { close_file(); }

void Journal::close_file() {
  if (file_ < 0) return;
  // Who refuses to start leaves nothing behind. The lock is held: nobody else writes to it.
  if (is_unwritten_ && name_state(file_, path_) == NameState::ours) ::unlink(path_.c_str());
  ::close(std::exchange(file_, -1));
}

JournalContents Journal::take_recovered() { return std::exchange(recovered_, {}); }

void Journal::append(uint32_t type, std::string_view payload) {
  HONE_CHECK(payload.size() <= kMaxPayload);
  std::string head;
  put(head, static_cast<uint32_t>(payload.size()));
  put(head, type);
  put(head, crc32c(payload, crc32c(head)));
  queue_ += head;
  queue_ += payload;
}

Status Journal::put_out(bool durable) {
  if (!queue_.empty() || (durable && unsynced_)) {
    is_unwritten_ = false;
    if (auto status = write_at(*files_, file_, queue_, bytes_, path_.string(), durable); !status) {
      (void)files_->ftruncate(file_, static_cast<off_t>(bytes_));
      return status;
    }
    unsynced_ = !durable;
    bytes_ += queue_.size();
    queue_.clear();
  }
  // What nobody can find is not durable.
  HONE_TRY(const bool was_gone, keep_name(file_, bytes_, path_, true));
  if (was_gone) notes_.push_back(path_.string() + ": was deleted while it was in use, and is there again");
  return {};
}

Status Journal::sync() { return put_out(true); }

Status Journal::write() { return put_out(false); }

Result<Journal::Tail> Journal::copy_tail(const std::filesystem::path& path, uint64_t from, Files& files) {
  HONE_TRY(const JournalContents rest, read_journal(path, from));
  const std::filesystem::path beside = real_path(path).string() + ".new";
  std::error_code error;
  std::filesystem::remove(beside, error);
  HONE_TRY(Journal journal, open(beside, files));
  for (const JournalEntry& entry : rest.entries) journal.append(entry.type, entry.payload);
  HONE_RETURN_IF_ERROR(journal.sync());
  return Tail{std::move(journal), rest.valid_bytes};
}

Status Journal::take_tail(Tail tail) {
  HONE_RETURN_IF_ERROR(sync());
  HONE_CHECK(tail.to <= bytes_);
  HONE_TRY(const JournalContents rest, read_journal(path_, tail.to, bytes_));
  for (const JournalEntry& entry : rest.entries) tail.journal.append(entry.type, entry.payload);
  HONE_RETURN_IF_ERROR(tail.journal.sync());
  std::error_code error;
  std::filesystem::rename(tail.journal.path_, path_, error);
  if (error) return fail("cannot be renamed: " + error.message(), tail.journal.path_.string());
  tail.journal.path_ = path_;
  tail.journal.is_unwritten_ = false;
  tail.journal.notes_ = take_notes();
  is_unwritten_ = false;  // the name is the new one's
  *this = std::move(tail.journal);
  return sync_folder_of(path_);
}

Status Journal::remove() {
  HONE_CHECK(queue_.empty() && bytes_ == kHeaderBytes);
  if (name_state(file_, path_) == NameState::ours && ::unlink(path_.c_str()) != 0)
    return fail(std::string("cannot be removed: ") + std::strerror(errno), path_.string());
  is_unwritten_ = false;
  close_file();
  return {};
}

Status Journal::cut() {
  HONE_CHECK(queue_.empty());
  std::error_code error;
  std::filesystem::remove(path_.string() + ".new", error);  // a tail that was not taken
  if (files_->ftruncate(file_, kHeaderBytes) != 0 || files_->fdatasync(file_) != 0)
    return fail(std::string("cannot be cut: ") + std::strerror(errno), path_.string());
  bytes_ = kHeaderBytes;
  return {};
}

}  // namespace hone
