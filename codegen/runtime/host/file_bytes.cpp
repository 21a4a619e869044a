#include "codegen/runtime/host/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "codegen/base/target.h"
#include "codegen/runtime/host/parts.h"

namespace hone {
namespace {

constexpr size_t kHugePage = 2u << 20;
constexpr off_t kSmall = off_t{1} << 30;  ///< not worth asking how much memory there is

/// [begin, end) of a file. Shorter if the file ends before; -1 for an error.
ssize_t read_range(int fd, std::byte* to, size_t begin, size_t end) {
  size_t done = begin;
  while (done < end) {
    const ssize_t n = pread(fd, to + done, end - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(done - begin);
}

/// A whole file: how many of its first bytes were read without a gap.
Result<size_t> read_all(int fd, std::byte* to, size_t size) {
  std::atomic<int> error{0};
  std::atomic<size_t> whole{size};
  in_parts(size, kHugePage * 2, [&](size_t begin, size_t end) {
    const ssize_t n = read_range(fd, to, begin, end);
    if (n < 0) error = errno;
    if (n >= 0 && static_cast<size_t>(n) < end - begin) {
      const size_t until = begin + static_cast<size_t>(n);
      for (size_t least = whole; until < least && !whole.compare_exchange_weak(least, until);) {
      }
    }
  });
  if (error != 0) return fail(std::string("cannot read the model: ") + std::strerror(error));
  return whole.load();
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
  // A sparse file may say any size.
  if (info.st_size > kSmall && info.st_size > usable_memory_bytes()) {
    close(fd);
    return fail("no compiled model that fits: it has " + std::to_string(info.st_size) + " bytes, there are " +
                    std::to_string(usable_memory_bytes()) + " of memory",
                file);
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
  const auto read_bytes = read_all(fd, result.data_, result.size_);
  close(fd);
  if (!read_bytes) return fail(read_bytes.error().what, file);
  result.size_ = *read_bytes;  // shorter if somebody cut it meanwhile: then it is torn
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
