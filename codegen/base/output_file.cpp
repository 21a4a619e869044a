#include "codegen/base/output_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace hone {
namespace {

namespace fs = std::filesystem;

/// Its links are no paths (/proc/self/fd/1).
bool is_in_proc(const fs::path& link) {
  struct statfs facts = {};
  return ::statfs(link.parent_path().c_str(), &facts) == 0 && facts.f_type == PROC_SUPER_MAGIC;
}

std::string hidden_beside(const fs::path& target) {
  std::array<unsigned char, 6> random = {};
  (void)::getrandom(random.data(), random.size(), 0);
  std::string digits;
  for (const unsigned char byte : random) {
    std::array<char, 3> two = {};
    std::snprintf(two.data(), two.size(), "%02x", byte);
    digits += two.data();
  }
  return (target.parent_path() / ("." + target.filename().string() + "." + digits)).string();
}

/// 0 or errno.
int write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EIO;
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return 0;
}

/// The first `bytes` bytes of a file to the end of another; 0 or errno.
int copy(int from, int to, uint64_t bytes) {
  std::string buffer(1 << 16, '\0');
  for (uint64_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(from, buffer.data(), std::min<uint64_t>(buffer.size(), bytes - done),
                                static_cast<off_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : EIO;
    if (const int error = write_all(to, {buffer.data(), static_cast<size_t>(got)}); error != 0) return error;
    done += static_cast<uint64_t>(got);
  }
  return 0;
}

/// Owner and permissions as another's; an owner that may not be kept becomes whoever writes. 0 or errno.
int make_like(int file, const struct stat& old) {
  struct stat own = {};
  if (::fstat(file, &own) == 0 && (own.st_uid != old.st_uid || own.st_gid != old.st_gid))
    (void)!::fchown(file, old.st_uid, old.st_gid);
  return ::fchmod(file, old.st_mode & 0777) == 0 ? 0 : errno;
}

/// A new name, not over a file that has it; 0 or errno.
int rename_to_free(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  return ::link(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

fs::path real_path(const fs::path& path) {
  std::error_code code;
  fs::path at = fs::absolute(path, code);
  if (code) return path;
  for (int links = 0; links < 40 && fs::is_symlink(fs::symlink_status(at, code)) && !is_in_proc(at);
       ++links) {
    const fs::path to = fs::read_symlink(at, code);
    if (code) return path;
    at = to.is_absolute() ? to : at.parent_path() / to;
  }
  const fs::path folder = fs::canonical(at.parent_path(), code);
  return code ? at : folder / at.filename();
}

Status sync_folder_of(const fs::path& file) {
  const fs::path parent = file.parent_path(), folder = parent.empty() ? fs::path(".") : parent;
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && (::fsync(descriptor) == 0 || errno == EINVAL);
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced)
    return fail(std::string("the folder cannot be synced: ") + std::strerror(error), folder.string());
  return {};
}

Result<OutputFile> OutputFile::create(const fs::path& name, const Options& options) {
  OutputFile file;
  file.name_ = name.string();
  file.target_ = real_path(name).string();
  struct stat facts = {};
  const bool is_there = ::stat(file.target_.c_str(), &facts) == 0;
  if (is_there && S_ISDIR(facts.st_mode)) return fail("cannot be written: it is a folder", file.name_);
  std::error_code code;
  const bool is_link =
      fs::is_symlink(fs::symlink_status(file.target_, code));  // one that real_path cannot follow
  if (is_link && !is_there) return pass(file.fail_with(ELOOP).error());
  file.is_special_ = is_there && (is_link || !S_ISREG(facts.st_mode));
  if (file.is_special_) {
    file.temporary_ = hidden_beside(fs::temp_directory_path(code) / "hone-output");
  } else if (!options.temporary.empty()) {
    file.temporary_ = (fs::path(file.target_).parent_path() / options.temporary).string();
    ::unlink(file.temporary_.c_str());
  } else {
    file.temporary_ = hidden_beside(file.target_);
  }
  file.file_ = ::open(file.temporary_.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, options.mode);
  if (file.file_ < 0) {
    const int error = errno;
    file.temporary_.clear();
    return pass(file.fail_with(error).error());
  }
  return file;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)),
      is_special_(other.is_special_),
      name_(std::move(other.name_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})) {}

OutputFile::~OutputFile() {
  if (file_ >= 0) ::close(file_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status OutputFile::fail_with(int error) const {
  const bool is_place = error == ENOENT || error == EACCES || error == ENOTDIR || error == EROFS;
  return fail(std::string("cannot be written: ") + std::strerror(error), name_,
              is_place ? "choose a folder that exists and can be written" : "");
}

Status OutputFile::write(std::string_view bytes) {
  if (const int error = write_all(file_, bytes); error != 0) return fail_with(error);
  if (!temporary_.empty() || is_special_) return {};
  struct stat facts = {};
  if (::fstat(file_, &facts) != 0) return fail_with(errno);
  HONE_TRY([[maybe_unused]] const bool was_gone,
           keep_name(file_, static_cast<uint64_t>(facts.st_size), target_, false));
  return {};
}

/// Its bytes go there now, and what is written later too.
Status OutputFile::copy_to_special() {
  const int special = ::open(target_.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC);
  if (special < 0) return fail_with(errno);
  struct stat facts = {};
  const int error =
      ::fstat(file_, &facts) == 0 ? copy(file_, special, static_cast<uint64_t>(facts.st_size)) : errno;
  ::close(std::exchange(file_, special));
  ::unlink(std::exchange(temporary_, {}).c_str());
  return error == 0 ? Status() : fail_with(error);
}

Status OutputFile::commit() {
  if (is_special_) return copy_to_special();
  struct stat old = {};
  if (::stat(target_.c_str(), &old) == 0)
    if (const int error = make_like(file_, old); error != 0) return fail_with(error);
  if (::fsync(file_) != 0 && errno != EINVAL) return fail_with(errno);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0) return fail_with(errno);
  temporary_.clear();
  return sync_folder_of(target_);
}

Status write_file(const fs::path& name, std::string_view bytes) {
  HONE_TRY(OutputFile file, OutputFile::create(name));
  HONE_RETURN_IF_ERROR(file.write(bytes));
  return file.commit();
}

NameState name_state(int file, const fs::path& path) {
  struct stat held = {}, named = {};
  if (::stat(path.c_str(), &named) != 0) return NameState::gone;
  return ::fstat(file, &held) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev
             ? NameState::ours
             : NameState::another;
}

Result<bool> keep_name(int& file, uint64_t bytes, const fs::path& path, bool lock) {
  const NameState state = name_state(file, path);
  if (state == NameState::ours) return false;
  if (state == NameState::another)
    return fail("another file took its place while it was in use", path.string(),
                "move that away: what was written is put there again then");
  const std::string temporary = hidden_beside(path);
  const int made = ::open(temporary.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
  struct stat old = {};
  int error = made < 0 || ::fstat(file, &old) != 0 ? errno : make_like(made, old);
  if (error == 0 && lock && ::flock(made, LOCK_EX | LOCK_NB) != 0) error = errno;
  if (error == 0) error = copy(file, made, bytes);
  if (error == 0 && ::fsync(made) != 0) error = errno;
  if (error == 0) error = rename_to_free(temporary, path.string());
  if (made >= 0) ::unlink(temporary.c_str());
  if (error == 0) {
    ::close(std::exchange(file, made));
    HONE_RETURN_IF_ERROR(sync_folder_of(path));
    return true;
  }
  if (made >= 0) ::close(made);
  return fail(std::string("is gone and cannot be written anew: ") + std::strerror(error), path.string());
}

}  // namespace hone
