// Fresh memory costs a fault for each of its pages, an arena's only their mapping.
#include "codegen/runtime/host/temporary.h"

#include <unistd.h>

namespace hone {

TemporaryFloats::TemporaryFloats(int64_t count, BufferArena* arena) {
  HONE_CHECK(count >= 0);
  const size_t floats = static_cast<size_t>(count), page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t bytes = (floats * sizeof(float) + page - 1) / page * page;
  if (std::byte* pages = arena == nullptr ? nullptr : arena->next(bytes)) {
    floats_ = {reinterpret_cast<float*>(pages), floats};
  } else {
    owned_.resize(floats);
    floats_ = owned_;
  }
}

}  // namespace hone
