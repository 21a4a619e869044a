// A shared object as bytes that a test changes: headers, dynamic section, symbols, contents by symbol.
#pragma once

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

namespace hone {

inline std::vector<std::byte> fixture(const std::string& name) {
  std::ifstream file(std::string(FIXTURES) + "/" + name + ".so", std::ios::binary);
  std::vector<char> chars{std::istreambuf_iterator<char>(file), {}};
  std::vector<std::byte> bytes(chars.size());
  std::memcpy(bytes.data(), chars.data(), chars.size());
  return bytes;
}

class ElfFile {
 public:
  explicit ElfFile(const std::string& name) : bytes(fixture(name)) { EXPECT_FALSE(bytes.empty()) << name; }

  template <class T>
  T at(uint64_t offset) const {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
  template <class T>
  void put(uint64_t offset, const T& value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  }
  uint64_t append(uint64_t offset, uint64_t size, uint64_t alignment) {  ///< a copy of it at the end; where
    const uint64_t place = (bytes.size() + alignment - 1) / alignment * alignment;
    bytes.resize(place + size);
    std::memcpy(bytes.data() + place, bytes.data() + offset, size);
    return place;
  }

  /// Changes the program header number `which` of a type; tells where the header is.
  uint64_t header(uint32_t type, const std::function<void(Elf64_Phdr&)>& change, int which = 0) {
    const auto ehdr = at<Elf64_Ehdr>(0);
    for (int i = 0; i < ehdr.e_phnum; ++i) {
      const uint64_t place = ehdr.e_phoff + static_cast<uint64_t>(i) * sizeof(Elf64_Phdr);
      auto segment = at<Elf64_Phdr>(place);
      if (segment.p_type != type || which-- > 0) continue;
      change(segment);
      put(place, segment);
      return place;
    }
    ADD_FAILURE() << "no segment of type " << type;
    return 0;
  }
  Elf64_Phdr header(uint32_t type, int which = 0) {
    Elf64_Phdr found{};
    header(type, [&](Elf64_Phdr& s) { found = s; }, which);
    return found;
  }
  uint64_t offset_of(uint64_t address) const {
    const auto ehdr = at<Elf64_Ehdr>(0);
    for (int i = 0; i < ehdr.e_phnum; ++i) {
      const auto s = at<Elf64_Phdr>(ehdr.e_phoff + static_cast<uint64_t>(i) * sizeof(Elf64_Phdr));
      if (s.p_type == PT_LOAD && address >= s.p_vaddr && address < s.p_vaddr + s.p_filesz)
        return s.p_offset + (address - s.p_vaddr);
    }
    ADD_FAILURE() << "no file content at address " << address;
    return 0;
  }

  /// File offset of a dynamic entry; 0 if there is none.
  uint64_t entry(int64_t tag) {
    const Elf64_Phdr dynamic = header(PT_DYNAMIC);
    for (uint64_t at_offset = dynamic.p_offset; at_offset < dynamic.p_offset + dynamic.p_filesz;
         at_offset += sizeof(Elf64_Dyn))
      if (at<Elf64_Dyn>(at_offset).d_tag == tag) return at_offset;
    return 0;
  }
  /// Into a spare entry, of which the linker leaves some; tells the file offset.
  uint64_t add(int64_t tag, uint64_t value) {
    const uint64_t place = entry(DT_NULL);
    EXPECT_NE(place, 0u);
    put(place, Elf64_Dyn{tag, {value}});
    EXPECT_NE(entry(DT_NULL), 0u) << "no spare entry left";
    return place;
  }

  /// File offset of an exported symbol.
  uint64_t symbol_entry(const std::string& name) {
    const uint64_t symbols = offset_of(at<Elf64_Dyn>(entry(DT_SYMTAB)).d_un.d_ptr);
    const uint64_t strings = offset_of(at<Elf64_Dyn>(entry(DT_STRTAB)).d_un.d_ptr);
    for (uint64_t i = 1; i < 16; ++i) {
      const uint64_t place = symbols + i * sizeof(Elf64_Sym);
      if (name == reinterpret_cast<const char*>(bytes.data() + strings + at<Elf64_Sym>(place).st_name))
        return place;
    }
    ADD_FAILURE() << "no symbol " << name;
    return 0;
  }
  uint64_t address(const std::string& symbol) { return at<Elf64_Sym>(symbol_entry(symbol)).st_value; }

  std::vector<std::byte> bytes;
};

#if defined(__x86_64__)
inline constexpr uint32_t kRelative = R_X86_64_RELATIVE, kIrelative = R_X86_64_IRELATIVE,
                          kAbsolute = R_X86_64_64;
#else
inline constexpr uint32_t kRelative = R_AARCH64_RELATIVE, kIrelative = R_AARCH64_IRELATIVE,
                          kAbsolute = R_AARCH64_ABS64;
#endif
inline Elf64_Rela relocation(uint64_t target, uint32_t type, uint64_t addend) {
  return {target, ELF64_R_INFO(0, type), static_cast<Elf64_Sxword>(addend)};
}

}  // namespace hone
