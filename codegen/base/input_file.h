// Files that are read: regular ones of a size that fits. A folder, a pipe or a device is an Error, and none
// of them is waited for.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "codegen/base/result.h"

namespace hone {

class InputFile {
 public:
  /// Errors: "there is no such file"; "is a folder, not a file", and so on for pipes, sockets and devices;
  /// not readable; the path holds a NUL.
  static Result<InputFile> open(const std::filesystem::path& path);
  /// A file named by something that is not trusted (a model names its weights): `name` is relative, has no
  /// ".." and no NUL, and does not lead out of `folder`, not through symbolic links either. Errors: as above,
  /// "leads out of FOLDER".
  static Result<InputFile> open_beneath(const std::filesystem::path& folder, std::string_view name);

  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;
  ~InputFile();

  /// When it was opened.
  uint64_t bytes() const { return bytes_; }
  /// Error: it is shorter now, or cannot be read.
  Result<std::string> read(uint64_t offset, uint64_t length) const;

 private:
  InputFile(int file, std::filesystem::path path) : file_(file), path_(std::move(path)) {}
  Status look();
  int file_;
  std::filesystem::path path_;  ///< for errors
  uint64_t bytes_ = 0;
};

/// All of a file. Errors: as InputFile::open; "has N bytes, at most M are read".
Result<std::string> read_regular_file(const std::filesystem::path& path, uint64_t most_bytes);
/// For files that a library opens: what InputFile::open would say.
Status check_regular_file(const std::filesystem::path& path);

}  // namespace hone
