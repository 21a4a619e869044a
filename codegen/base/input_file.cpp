// Opened without waiting (O_NONBLOCK), then looked at: what is no regular file is not read.
#include "codegen/base/input_file.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hone {
namespace {

namespace fs = std::filesystem;
constexpr int kFlags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

tl::unexpected<Error> not_opened(int error, const std::string& where) {
  if (error == ENOENT) return fail("there is no such file", where);
  if (error == ENXIO) return fail("is a socket, not a file", where);
  return fail(std::string("cannot be opened: ") + std::strerror(error), where);
}

std::string_view kind_of(mode_t mode) {
  return S_ISDIR(mode)    ? "is a folder, not a file"
         : S_ISFIFO(mode) ? "is a pipe, not a file"
         : S_ISSOCK(mode) ? "is a socket, not a file"
                          : "is a device, not a file";
}

/// Where the kernel has no openat2 (before 5.6): the real path must lie in the real folder.
int open_resolved(const fs::path& folder, const fs::path& name) {
  std::error_code code;
  const fs::path real_folder = fs::canonical(folder, code);
  const fs::path real = code ? fs::path() : fs::canonical(real_folder / name, code);
  if (code) return errno = code.value(), -1;
  if (std::mismatch(real_folder.begin(), real_folder.end(), real.begin(), real.end()).first !=
      real_folder.end())
    return errno = EXDEV, -1;
  return ::open(real.c_str(), kFlags | O_NOFOLLOW);
}

int open_in(const fs::path& folder, const fs::path& name) {
  const int base = ::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (base < 0) return -1;
  open_how how = {};
  how.flags = kFlags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  const auto file = static_cast<int>(::syscall(SYS_openat2, base, name.c_str(), &how, sizeof how));
  const int error = errno;
  ::close(base);
  if (file >= 0) return file;
  // A sandbox of old may forbid what it does not know.
  if (error == ENOSYS || error == EPERM) return open_resolved(folder, name);
  return errno = error, -1;
}

}  // namespace

Result<InputFile> InputFile::open(const fs::path& path) {
  if (path.native().find('\0') != std::string::npos) return fail("the path holds a NUL", path.string());
  struct stat facts = {};  // some devices do something when they are opened
  if (::stat(path.c_str(), &facts) != 0) return not_opened(errno, path.string());
  if (!S_ISREG(facts.st_mode)) return fail(std::string(kind_of(facts.st_mode)), path.string());
  InputFile file(::open(path.c_str(), kFlags), path);
  if (file.file_ < 0) return not_opened(errno, path.string());
  HONE_RETURN_IF_ERROR(file.look());
  return file;
}

Result<InputFile> InputFile::open_beneath(const fs::path& folder, std::string_view name) {
  const fs::path inside(name), base = folder.empty() ? fs::path(".") : folder;
  const std::string where = (base / inside).string();
  if (name.find('\0') != std::string_view::npos) return fail("the path holds a NUL", where);
  const std::string out = "leads out of " + base.string();
  if (name.empty() || inside.is_absolute() || std::find(inside.begin(), inside.end(), "..") != inside.end())
    return fail(out, where);
  InputFile file(open_in(base, inside), base / inside);
  if (file.file_ < 0 && (errno == EXDEV || errno == ELOOP)) return fail(out, where);
  if (file.file_ < 0) return not_opened(errno, where);
  HONE_RETURN_IF_ERROR(file.look());
  return file;
}

InputFile::InputFile(InputFile&& other) noexcept
    : file_(std::exchange(other.file_, -1)), path_(std::move(other.path_)), bytes_(other.bytes_) {}

InputFile::~InputFile() {
  if (file_ >= 0) ::close(file_);
}

Status InputFile::look() {
  struct stat facts = {};
  if (::fstat(file_, &facts) != 0) return not_opened(errno, path_.string());
  if (!S_ISREG(facts.st_mode)) return fail(std::string(kind_of(facts.st_mode)), path_.string());
  bytes_ = static_cast<uint64_t>(facts.st_size);
  return {};
}

Result<std::string> InputFile::read(uint64_t offset, uint64_t length) const {
  std::string bytes(length, '\0');
  for (uint64_t done = 0; done < length;) {
    const ssize_t got = ::pread(file_, bytes.data() + done, length - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(std::string("cannot be read: ") + std::strerror(errno), path_.string());
    if (got == 0)
      return fail("ends at byte " + std::to_string(offset + done) + ", " + std::to_string(length - done) +
                      " more were expected",
                  path_.string());
    done += static_cast<uint64_t>(got);
  }
  return bytes;
}

Result<std::string> read_regular_file(const fs::path& path, uint64_t most_bytes) {
  HONE_TRY(const InputFile file, InputFile::open(path));
  if (file.bytes() > most_bytes)
    return fail(
        "has " + std::to_string(file.bytes()) + " bytes, at most " + std::to_string(most_bytes) + " are read",
        path.string());
  return file.read(0, file.bytes());
}

Status check_regular_file(const fs::path& path) {
  HONE_TRY(const InputFile file, InputFile::open(path));
  return {};
}

}  // namespace hone
