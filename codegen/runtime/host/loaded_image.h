// hone's own loader: copies an image into fresh memory, relocates it, and gives each segment its final
// rights. No dynamic linker, no file; nothing of the image runs before somebody calls one of its functions.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/runtime/host/elf_image.h"
#include "codegen/runtime/host/file_bytes.h"

namespace hone {

/// Mapped as long as this lives, between inaccessible pages. Code can be read and run, constants read, data
/// read and written; relocated constants are read-only.
class LoadedImage {
 public:
  /// Errors: what ElfImage::parse refuses; no memory.
  static Result<LoadedImage> load(std::span<const std::byte> shared_object);
  static Result<LoadedImage> map(const ElfImage& image);
  /// Of `file`, whose pages become the image's where they can (the weights of a model are not copied again).
  /// After this nothing of `image` may be used.
  static Result<LoadedImage> map(const ElfImage& image, FileBytes file);
  LoadedImage(LoadedImage&&) noexcept;
  LoadedImage& operator=(LoadedImage&&) noexcept;
  ~LoadedImage();

  void* function(std::string_view name) const;  ///< null if none of that name is exported
  /// Where code, constants and data lie: what must be evicted for a cold call.
  const std::vector<std::span<const std::byte>>& ranges() const { return ranges_; }

 private:
  LoadedImage() = default;
  static Result<LoadedImage> map(const ElfImage& image, bool move);
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
  std::vector<std::span<const std::byte>> ranges_;
  std::map<std::string, void*, std::less<>> functions_;
};

}  // namespace hone
