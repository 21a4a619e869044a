// Buffers between inaccessible pages: a kernel that writes or reads beyond its buffer crashes at once.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "codegen/runtime/host/host.h"

namespace hone {

Result<GuardedBuffer> GuardedBuffer::allocate(int64_t bytes) {
  HONE_CHECK(bytes >= 0);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t aligned = (static_cast<size_t>(bytes) + 63) / 64 * 64;
  const size_t inner = (aligned + page - 1) / page * page;
  const size_t mapped = inner + 2 * page;
  void* mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED)
    return fail("cannot map " + std::to_string(mapped) + " bytes: " + std::strerror(errno));
  auto* start = static_cast<std::byte*>(mapping) + page;
  if (inner != 0 && mprotect(start, inner, PROT_READ | PROT_WRITE) != 0) {
    const int error = errno;
    munmap(mapping, mapped);
    return fail("cannot allocate " + std::to_string(bytes) + " bytes: " + std::strerror(error));
  }
#ifdef MADV_POPULATE_WRITE
  (void)madvise(start, inner,
                MADV_POPULATE_WRITE);  // all pages at once are cheaper than one by one, and as good
#endif
  GuardedBuffer buffer;
  buffer.mapping_ = mapping;
  buffer.mapped_ = mapped;
  buffer.bytes_ = static_cast<int64_t>(aligned);
  buffer.data_ = start + (inner - aligned);
  return buffer;
}

GuardedBuffer::GuardedBuffer(GuardedBuffer&& other) noexcept { *this = std::move(other); }

GuardedBuffer& GuardedBuffer::operator=(GuardedBuffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  return *this;
}

GuardedBuffer::~GuardedBuffer() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

}  // namespace hone
