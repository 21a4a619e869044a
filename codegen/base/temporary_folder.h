// Folders of one process's own below TMPDIR. What a process that was killed left behind goes when the next
// one starts.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "codegen/base/result.h"

namespace hone {

/// Removed with this object, whatever lies in it then. It is "TMPDIR/hone-KIND-XXXXXX", locked (flock) as
/// long as a process holds it: the lock ends with the process, so nobody takes a folder of the living for one
/// of the dead, in other namespaces of processes neither.
class TemporaryFolder {
 public:
  /// First removes folders of this kind and user whose process is dead, which reads all of TMPDIR: for once a
  /// process. `most_characters`: a TMPDIR with a longer path is not used but /tmp (a socket's path may have
  /// about 100). Error: no folder can be made.
  static Result<TemporaryFolder> make(std::string_view kind, mode_t mode = 0700,
                                      size_t most_characters = 4096);
  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::filesystem::path& path() const { return path_; }
  /// Holds the lock; closed on exec. A fork that outlives the process must close it, or the folder is its
  /// own.
  int lock() const { return lock_; }

 private:
  TemporaryFolder(std::filesystem::path path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::filesystem::path path_;
  int lock_ = -1;
};

/// Removes folders "hone-KIND-XXXXXX" in `base` that are this user's and no process holds; gives how many.
size_t remove_left_behind(const std::filesystem::path& base, std::string_view kind);

}  // namespace hone
