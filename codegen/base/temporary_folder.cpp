#include "codegen/base/temporary_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace hone {
namespace {

namespace fs = std::filesystem;

std::string prefix_of(std::string_view kind) { return "hone-" + std::string(kind) + "-"; }

bool is_name(std::string_view name, std::string_view prefix) {
  return name.size() == prefix.size() + 6 && name.starts_with(prefix) &&
         std::all_of(name.begin() + static_cast<ptrdiff_t>(prefix.size()), name.end(),
                     [](unsigned char c) { return std::isalnum(c) != 0; });
}

/// A descriptor of the folder itself; -1: not there, a link, or not this user's.
int open_own(const fs::path& path) {
  const int folder = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat facts = {};
  if (folder >= 0 && (::fstat(folder, &facts) != 0 || facts.st_uid != ::geteuid())) {
    ::close(folder);
    return -1;
  }
  return folder;
}

bool is_at(int folder, const std::string& path) {
  struct stat held = {}, named = {};
  return ::fstat(folder, &held) == 0 && ::lstat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

tl::unexpected<Error> no_folder(int error, const std::string& path) {
  return fail("no temporary folder: " + std::string(std::strerror(error)), path,
              "set TMPDIR to a folder you can write to");
}

}  // namespace

size_t remove_left_behind(const fs::path& base, std::string_view kind) {
  const std::string prefix = prefix_of(kind);
  size_t removed = 0;
  std::error_code error;
  for (fs::directory_iterator it(base, error), end; !error && it != end; it.increment(error)) {
    if (!is_name(it->path().filename().native(), prefix)) continue;
    const int folder = open_own(it->path());
    if (folder < 0) continue;
    // Who holds the lock lives.
    if (::flock(folder, LOCK_EX | LOCK_NB) == 0) {
      std::error_code ignored;
      removed += fs::remove_all(it->path(), ignored) > 0 ? 1 : 0;
    }
    ::close(folder);
  }
  return removed;
}

Result<TemporaryFolder> TemporaryFolder::make(std::string_view kind, mode_t mode, size_t most_characters) {
  const char* given = std::getenv("TMPDIR");
  const std::string base =
      given != nullptr && *given != '\0' && std::strlen(given) <= most_characters ? given : "/tmp";
  remove_left_behind(base, kind);
  for (int tries = 0; tries < 100; ++tries) {
    std::string path = base + "/" + prefix_of(kind) + "XXXXXX";
    if (::mkdtemp(path.data()) == nullptr) return no_folder(errno, path);
    const int lock = open_own(path);
    if (lock < 0 && errno == ENOENT) continue;
    if (lock < 0) return no_folder(errno, path);
    TemporaryFolder folder(path, lock);
    if (::flock(lock, LOCK_EX) != 0 || ::fchmod(lock, mode) != 0) return no_folder(errno, path);
    // Another one may have taken it for left behind before it was locked, and removed it.
    if (is_at(lock, path)) return folder;
  }
  return no_folder(ENOENT, base);
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_(std::exchange(other.lock_, -1)) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) {
    ::chmod(path_.c_str(), 0700);  // what may not be changed may not be emptied either
    std::filesystem::remove_all(path_, ignored);
  }
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace hone
