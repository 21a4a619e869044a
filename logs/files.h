// What a journal asks of the operating system to change a file, so that tests can let any of it fail.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace hone {

/// The system calls of the same names, with errno.
class Files {
 public:
  virtual ~Files() = default;
  virtual ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset);
  virtual int fdatasync(int file);
  virtual int ftruncate(int file, off_t size);
};
Files& real_files();

}  // namespace hone
