// A shared object as it lies in memory, read from its bytes: nothing is mapped, nothing runs, nothing is
// trusted. There is one view: everything (dynamic section, symbols, names, relocations) is looked up by
// address in the segments, as a loader would map them; what a file says twice must agree or it is refused.
// What is accepted needs no dynamic linker: a few segments and relative relocations.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

inline constexpr uint64_t kMostArtifactBytes = 256ull << 20;  ///< in memory
inline constexpr uint64_t kMostModelBytes = 64ull << 30;

/// Addresses count from the image's beginning, which is wherever it is mapped.
struct ImageSegment {
  uint64_t address = 0, bytes = 0;  ///< in memory; what the file lacks is zero
  uint64_t file_offset = 0, file_bytes = 0;
  bool writable = false, executable = false;  ///< never both; always readable
};

/// Of PT_NOTE, in read-only memory.
struct ImageNote {
  std::string_view name;
  uint32_t type = 0;
  uint64_t address = 0;  ///< of the descriptor
  std::span<const std::byte> descriptor;
};

/// Whose code may be in it: only this machine's, or that of any machine hone builds for (to look at, not to
/// run).
enum class ImageMachine { host, any };

/// The eight bytes at `target` become the image's address plus `addend`.
struct ImageRelocation {
  uint64_t target = 0, addend = 0;
};

class ElfImage {
 public:
  /// Errors: no shared object for this machine, a torn one, one that takes more than `most_bytes` of memory,
  /// or one with something that none of ours has: needed libraries, constructors, undefined symbols,
  /// functions chosen at load, thread-local storage, overlapping segments, other relocations, unknown dynamic
  /// entries. `file` must outlive the image.
  static Result<ElfImage> parse(std::span<const std::byte> file, uint64_t most_bytes = kMostArtifactBytes,
                                ImageMachine machine = ImageMachine::host);

  uint64_t bytes() const { return bytes_; }          ///< of memory, whole pages
  uint64_t alignment() const { return alignment_; }  ///< of its beginning
  const std::vector<ImageSegment>& segments() const {
    return segments_;
  }  ///< ascending, on pages of their own
  const std::vector<ImageRelocation>& relocations() const { return relocations_; }
  const std::vector<ImageNote>& notes() const { return notes_; }
  /// Pages of a writable segment that become read-only once relocated; empty if both are equal.
  uint64_t relro_begin() const { return relro_begin_; }
  uint64_t relro_end() const { return relro_end_; }

  /// What a segment has in the file.
  std::span<const std::byte> content(const ImageSegment& segment) const {
    return file_.subspan(segment.file_offset, segment.file_bytes);
  }
  /// Address of an exported function: wholly inside an executable segment. Nothing if there is none.
  std::optional<uint64_t> function(std::string_view name) const;
  /// An exported text in read-only memory, up to its 0. Nothing if there is none, or no 0 within
  /// `most_bytes`.
  std::optional<std::string_view> text(std::string_view name, uint64_t most_bytes) const;
  /// All of them, in the file's order.
  std::vector<std::pair<std::string_view, uint64_t>> functions() const;

 private:
  struct Symbol {
    std::string_view name;
    uint64_t address = 0, bytes = 0;
    bool is_function = false;
  };
  friend class ElfReader;
  ElfImage() = default;
  const Symbol* find(std::string_view name) const;
  bool runs(const Symbol& symbol) const;

  std::span<const std::byte> file_;
  uint64_t bytes_ = 0, alignment_ = 0, relro_begin_ = 0, relro_end_ = 0;
  std::vector<ImageSegment> segments_;
  std::vector<ImageRelocation> relocations_;
  std::vector<ImageNote> notes_;
  std::vector<Symbol> symbols_;
};

}  // namespace hone
