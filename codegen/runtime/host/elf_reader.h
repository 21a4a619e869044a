// Private to runtime/host: the steps in which a shared object is read. Each refuses what ours never have.
#pragma once

#include <elf.h>

#include <cstring>

#include "codegen/runtime/host/elf_image.h"

namespace hone {

tl::unexpected<Error> torn();
tl::unexpected<Error> refused(const std::string& what);

/// Where the dynamic section says that tables lie (addresses), and their sizes in bytes.
struct DynamicEntries {
  uint64_t symbols = 0, symbol_bytes = 0, strings = 0, strings_bytes = 0, hash = 0;
  uint64_t relocations = 0, relocations_bytes = 0, relocation_bytes = 0, jumps_bytes = 0, jumps = 0;
};

class ElfReader {
 public:
  explicit ElfReader(std::span<const std::byte> file) { image_.file_ = file; }
  Result<ElfImage> read(uint64_t most_bytes, ImageMachine machine);

 private:
  Result<Elf64_Ehdr> header(ImageMachine machine) const;
  Status read_segments(const Elf64_Ehdr& header, uint64_t most_bytes);
  Status add_segment(const Elf64_Phdr& segment, uint64_t most_bytes);
  Status place_dynamic();
  Status place_relro();
  Status read_notes();
  Status read_dynamic();
  Status take_entry(int64_t tag, uint64_t value);
  Status check_tables() const;
  Status read_symbols();
  Status read_relocations(uint64_t address, uint64_t bytes);
  std::optional<uint64_t> symbol_count() const;
  std::string_view name_at(uint64_t offset) const;

  /// At an offset of the file.
  template <class T>
  std::optional<T> in_file(uint64_t offset) const {
    if (offset > image_.file_.size() || sizeof(T) > image_.file_.size() - offset) return std::nullopt;
    return copy_of<T>(image_.file_.data() + offset);
  }
  /// The segment that has all of [address, address + bytes), of its memory or of what the file gives it.
  const ImageSegment* segment_of(uint64_t address, uint64_t bytes, bool from_file) const;
  /// The file's bytes for `bytes` at an address of read-only memory: no relocation can change them. Null if
  /// there are none, or not so many.
  const std::byte* constant(uint64_t address, uint64_t bytes) const;
  template <class T>
  std::optional<T> at_address(uint64_t address) const {
    const std::byte* bytes = constant(address, sizeof(T));
    return bytes == nullptr ? std::nullopt : std::optional<T>(copy_of<T>(bytes));
  }
  template <class T>
  static T copy_of(const std::byte* bytes) {
    T value;
    std::memcpy(&value, bytes, sizeof(T));
    return value;
  }

  ElfImage image_;
  std::optional<Elf64_Phdr> dynamic_, relro_, headers_;
  std::vector<Elf64_Phdr> notes_;
  uint64_t file_end_ = 0;  ///< of the segments so far: they may move out of the file's memory one by one
  uint32_t relative_ = 0, irelative_ = 0;  ///< types of relocations on this machine
  DynamicEntries entries_;
};

}  // namespace hone
