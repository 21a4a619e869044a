#include "codegen/runtime/host/loaded_image.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hone {
namespace {

tl::unexpected<Error> cannot(const char* what, uint64_t bytes) {
  return fail(std::string("cannot ") + what + " the artifact's " + std::to_string(bytes) +
              " bytes: " + std::strerror(errno));
}

constexpr uint64_t kHugePage = 2u << 20, kWorthMoving = 1u << 20;

/// Moves the whole pages of a segment from the file's memory to their place; what is left at both ends is
/// copied.
bool move_pages(const ImageSegment& s, std::span<const std::byte> content, std::byte* base, uint64_t page) {
  const auto from = reinterpret_cast<uint64_t>(content.data()),
             to = reinterpret_cast<uint64_t>(base + s.address);
  const uint64_t first = (page - from % page) % page;
  if (content.size() < first + kWorthMoving || (to + first) % page != 0) return false;
  const uint64_t whole = (content.size() - first) / page * page, rest = content.size() - first - whole;
  auto* target = reinterpret_cast<std::byte*>(to);
  std::memcpy(target, content.data(), first);
  std::memcpy(target + first + whole, content.data() + first + whole, rest);
  // The file's addresses stay taken, so that nobody else's memory can come to lie there before they are given
  // back.
  return mremap(const_cast<std::byte*>(content.data() + first), whole, whole,
                MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, target + first) != MAP_FAILED;
}

void copy_and_relocate(const ElfImage& image, std::byte* base, bool move) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  for (const ImageSegment& s : image.segments()) {
    const auto content = image.content(s);
    if (move && move_pages(s, content, base, page)) continue;
    if (!content.empty()) std::memcpy(base + s.address, content.data(), content.size());
  }
  for (const ImageRelocation& r : image.relocations()) {
    const uint64_t value = reinterpret_cast<uint64_t>(base) + r.addend;
    std::memcpy(base + r.target, &value, sizeof value);
  }
}

/// The final rights of [begin, end): what lies between segments has none.
bool protect(const ElfImage& image, std::byte* base) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const auto set = [&](uint64_t begin, uint64_t end, int rights) {
    return begin == end || mprotect(base + begin, end - begin, rights) == 0;
  };
  uint64_t at = 0;
  for (const ImageSegment& s : image.segments()) {
    const uint64_t begin = s.address / page * page, end = (s.address + s.bytes + page - 1) / page * page;
    if (!set(at, begin, PROT_NONE)) return false;
    at = end;
    if (s.writable) continue;
    if (!set(begin, end, s.executable ? PROT_READ | PROT_EXEC : PROT_READ)) return false;
    auto* code = reinterpret_cast<char*>(base + s.address);
    if (s.executable) __builtin___clear_cache(code, code + s.bytes);
  }
  return set(at, image.bytes(), PROT_NONE) && set(image.relro_begin(), image.relro_end(), PROT_READ);
}

}  // namespace

Result<LoadedImage> LoadedImage::load(std::span<const std::byte> shared_object) {
  HONE_TRY(const ElfImage image, ElfImage::parse(shared_object));
  return map(image);
}

Result<LoadedImage> LoadedImage::map(const ElfImage& image) { return map(image, /*move=*/false); }

Result<LoadedImage> LoadedImage::map(const ElfImage& image, [[maybe_unused]] FileBytes file) {
  return map(image, /*move=*/true);
}

Result<LoadedImage> LoadedImage::map(const ElfImage& image, bool move) {
  // At least a page before and one behind, and room to begin at a multiple of the alignment; huge pages move
  // whole.
  const uint64_t guard =
      image.bytes() < kHugePage ? image.alignment() : std::max(kHugePage, image.alignment());
  const uint64_t mapped = image.bytes() + 3 * guard;
  void* mapping = mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapping == MAP_FAILED) return cannot("map", mapped);
  LoadedImage loaded;
  loaded.mapping_ = mapping;
  loaded.mapped_ = mapped;
  const auto begin = reinterpret_cast<uint64_t>(mapping) + guard;
  auto* base = reinterpret_cast<std::byte*>((begin + guard - 1) / guard * guard);
  if (mprotect(base, image.bytes(), PROT_READ | PROT_WRITE) != 0) return cannot("allocate", image.bytes());
  // Names lie in the file's memory, whose pages may move.
  for (const auto& [name, address] : image.functions()) loaded.functions_.emplace(name, base + address);
  copy_and_relocate(image, base, move);
  if (!protect(image, base)) return cannot("protect", image.bytes());
  for (const ImageSegment& s : image.segments()) loaded.ranges_.push_back({base + s.address, s.bytes});
  return loaded;
}

LoadedImage::LoadedImage(LoadedImage&& other) noexcept { *this = std::move(other); }

LoadedImage& LoadedImage::operator=(LoadedImage&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapped_, other.mapped_);
  ranges_.swap(other.ranges_);
  functions_.swap(other.functions_);
  return *this;
}

LoadedImage::~LoadedImage() {
  if (mapping_ != nullptr) munmap(mapping_, mapped_);
}

void* LoadedImage::function(std::string_view name) const {
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : found->second;
}

}  // namespace hone
