#include "codegen/runtime/host/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace hone {
namespace {

constexpr size_t kHugePage = 2u << 20;

/// Whole file from `fd` to `to`; how many bytes there were, -1 for an error.
ssize_t read_all(int fd, std::byte* to, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = read(fd, to + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

}  // namespace

Result<FileBytes> FileBytes::read(const std::string& file) {
  const int fd = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe must not block here
  if (fd < 0) return fail(std::string("cannot open the model: ") + std::strerror(errno), file);
  struct stat info{};
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size == 0) {
    close(fd);
    return fail("no compiled model: not a file with content", file, "make one with 'hone build'");
  }
  FileBytes result;
  result.size_ = static_cast<size_t>(info.st_size);
  result.mapped_ = result.size_ + 2 * kHugePage;
  void* mapping = mmap(nullptr, result.mapped_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) {
    const int error = errno;
    close(fd);
    return fail("cannot map " + std::to_string(result.size_) + " bytes: " + std::strerror(error), file);
  }
  result.mapping_ = mapping;
  const auto begin = reinterpret_cast<uintptr_t>(mapping);
  result.data_ = reinterpret_cast<std::byte*>((begin + kHugePage - 1) / kHugePage * kHugePage);
  (void)madvise(result.data_, result.size_, MADV_HUGEPAGE);
  const ssize_t read_bytes = read_all(fd, result.data_, result.size_);
  const int error = errno;
  close(fd);
  if (read_bytes < 0) return fail(std::string("cannot read the model: ") + std::strerror(error), file);
  result.size_ = static_cast<size_t>(read_bytes);  // shorter if somebody cut it meanwhile: then it is torn
  return result;
}

FileBytes::FileBytes(FileBytes&& other) noexcept { *this = std::move(other); }

FileBytes& FileBytes::operator=(FileBytes&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  std::swap(size_, other.size_);
  std::swap(data_, other.data_);
  return *this;
}

FileBytes::~FileBytes() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

}  // namespace hone
