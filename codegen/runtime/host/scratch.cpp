// Fresh memory costs a fault for each of its pages, an arena's only their mapping.
#include "codegen/runtime/host/scratch.h"

#include <sys/mman.h>
#include <unistd.h>

namespace hone {

Scratch::Scratch(int64_t count, BufferArena* arena) {
  HONE_CHECK(count >= 0);
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (static_cast<size_t>(count) * sizeof(float) + page - 1) / page * page;
  if (arena == nullptr || bytes > arena->pages.size() - arena->used) {
    owned_.resize(static_cast<size_t>(count));
    floats_ = owned_;
    return;
  }
  std::byte* first = arena->pages.data() + arena->used;
#ifdef MADV_POPULATE_READ
  (void)madvise(first, bytes, MADV_POPULATE_READ);
#endif
  floats_ = {reinterpret_cast<float*>(first), static_cast<size_t>(count)};
}

}  // namespace hone
