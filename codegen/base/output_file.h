// Files that hone writes. What a symbolic link names is written, not the link; a file is whole and in its
// place or as it was; owner and permissions of one that is replaced stay; and whoever holds a file open can
// ask whether its name still leads to it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "codegen/base/result.h"

namespace hone {

/// Where `path` leads through symbolic links, absolute; its last part need not exist. What cannot be resolved
/// stays as it is: opening it says why. Asked once, when a file is opened: all that lies beside it follows
/// from it.
std::filesystem::path real_path(const std::filesystem::path& path);

/// Makes names in the folder of `file` durable.
Status sync_folder_of(const std::filesystem::path& file);

/// What becomes a file under its name with commit(), and vanishes without. Written beside what it replaces. A
/// device or a pipe (/dev/null, /dev/stdout) is written at commit() and never replaced.
class OutputFile {
 public:
  struct Options {
    mode_t mode = 0666;  ///< of a new file, less the umask
    std::string temporary =
        {};  ///< its name until then; empty: a hidden one of its own. A file of that name is removed
  };
  /// Errors: is a folder; "cannot be written: REASON".
  static Result<OutputFile> create(const std::filesystem::path& name, const Options& options);
  static Result<OutputFile> create(const std::filesystem::path& name) { return create(name, {}); }
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  /// Where the bytes lie now.
  const std::string& path() const { return temporary_.empty() ? target_ : temporary_; }
  /// Adds to its end; after commit() too, and then sees to it that its name still leads to it (keep_name).
  Status write(std::string_view bytes);
  /// Syncs it, gives it the old one's owner and permissions and puts it in its place, durably. On an Error
  /// the old file is as it was.
  Status commit();

 private:
  OutputFile() = default;
  Status fail_with(int error) const;
  Status copy_to_special();
  int file_ = -1;
  bool is_special_ = false;
  std::string name_, target_, temporary_;  ///< as the caller says it; where it lies; until then
};

/// All of a file at once.
Status write_file(const std::filesystem::path& name, std::string_view bytes);

/// Of a file that this process holds open: what its name leads to now.
enum class NameState : uint8_t { ours, gone, another };
NameState name_state(int file, const std::filesystem::path& path);
/// Sees to it that `path` leads to `file`, whose first `bytes` bytes count. If the name is gone, a copy of
/// them is put there, synced, and takes the place of `file`, open for reading and writing; `lock`: and locked
/// (flock) before it has its name. True: that was done. Errors: another file has the name; the copy cannot be
/// written.
Result<bool> keep_name(int& file, uint64_t bytes, const std::filesystem::path& path, bool lock);

}  // namespace hone
