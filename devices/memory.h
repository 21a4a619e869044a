// Memory of the child server: what its children share with it, and what they never see.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <span>
#include <utility>

namespace hone {

/// Pages of zeros. `shared`: with every child that is forked from now on, which may write them. `hidden`: no
/// child has them at all (MADV_DONTFORK): secrets, and what candidates are compared with.
class Pages {
 public:
  enum class Kind { shared, hidden };
  Pages(Kind kind, size_t bytes) : bytes_((bytes + 4095) / 4096 * 4096) {
    const int flags = (kind == Kind::shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_NORESERVE;
    void* data = bytes_ == 0 ? MAP_FAILED : ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (data == MAP_FAILED) return;
    if (kind == Kind::hidden && ::madvise(data, bytes_, MADV_DONTFORK) != 0) {
      ::munmap(data, bytes_);
      return;
    }
    data_ = static_cast<std::byte*>(data);
  }
  Pages(Pages&& other) noexcept : data_(std::exchange(other.data_, nullptr)), bytes_(other.bytes_) {}
  Pages& operator=(Pages&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Pages() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }
  /// nullptr: there was no memory.
  std::byte* data() const { return data_; }
  size_t bytes() const { return data_ == nullptr ? 0 : bytes_; }
  template <class T>
  std::span<T> as(size_t count) const {
    return {reinterpret_cast<T*>(data_), count};
  }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_;
};

}  // namespace hone
