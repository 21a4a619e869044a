#include "logs/files.h"

#include <unistd.h>

namespace hone {

ssize_t Files::pwrite(int file, const void* bytes, size_t size, off_t offset) {
  return ::pwrite(file, bytes, size, offset);
}
int Files::fdatasync(int file) { return ::fdatasync(file); }
int Files::ftruncate(int file, off_t size) { return ::ftruncate(file, size); }

Files& real_files() {
  static Files files;
  return files;
}

}  // namespace hone
