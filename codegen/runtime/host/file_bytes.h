// A file in memory of this process alone: what was verified there cannot change any more, whoever writes the
// file.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "codegen/base/result.h"

namespace hone {

/// On huge pages where there are some.
class FileBytes {
 public:
  /// Error: cannot be read, no regular file, empty, or larger than the memory.
  static Result<FileBytes> read(const std::string& file);
  FileBytes(FileBytes&&) noexcept;
  FileBytes& operator=(FileBytes&&) noexcept;
  ~FileBytes();
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  FileBytes() = default;
  void* mapping_ = nullptr;
  size_t mapped_ = 0, size_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace hone
