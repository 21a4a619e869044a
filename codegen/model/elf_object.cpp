#include "codegen/model/elf_object.h"

#include <elf.h>

#include <cstring>

namespace hone {
namespace {

template <class T>
void append(std::vector<std::byte>& bytes, const T& value) {
  const auto* raw = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), raw, raw + sizeof(T));
}

class Strings {
 public:
  uint32_t add(const std::string& text) {
    const auto at = static_cast<uint32_t>(bytes_.size());
    for (const char c : text) bytes_.push_back(static_cast<std::byte>(c));
    bytes_.push_back(std::byte{0});
    return at;
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_{std::byte{0}};
};

}  // namespace

Result<ElfObject> ElfObject::create(const std::string& triple) {
  ElfObject object;
  if (triple.starts_with("x86_64")) {
    object.machine_ = EM_X86_64;
    object.relative64_ = R_X86_64_PC64;
  } else if (triple.starts_with("aarch64")) {
    object.machine_ = EM_AARCH64;
    object.relative64_ = R_AARCH64_PREL64;
  } else {
    return fail("compiled models are covered for x86-64 and aarch64, not for " + triple);
  }
  return object;
}

int ElfObject::add_section(const std::string& name, std::vector<std::byte> bytes, int64_t alignment) {
  sections_.push_back({name, std::move(bytes), alignment});
  return static_cast<int>(sections_.size()) - 1;
}

size_t ElfObject::symbol_index(const std::string& name) {
  const auto [place, fresh] = numbers_.try_emplace(name, symbols_.size());
  if (fresh) symbols_.push_back({name, -1, 0});
  return place->second;
}

void ElfObject::define(const std::string& symbol, int section, int64_t offset) {
  Symbol& s = symbols_[symbol_index(symbol)];
  HONE_CHECK(s.section == -1);
  s.section = section;
  s.offset = offset;
}

void ElfObject::relocate(int section, int64_t offset, const std::string& symbol, int64_t addend) {
  relocations_.push_back({section, offset, symbol_index(symbol), addend});
}

std::vector<std::byte> ElfObject::write() const {
  // Sections: null, data..., relocations of each, symbols, their names, section names.
  const size_t count = sections_.size();
  Strings names, symbol_names;
  std::vector<Elf64_Shdr> headers(1 + 2 * count + 3);
  std::vector<std::byte> file(sizeof(Elf64_Ehdr));
  const auto align = [&](uint64_t alignment) {
    file.resize((file.size() + alignment - 1) / alignment * alignment);
  };
  const auto place = [&](size_t number, const std::string& name, uint32_t type,
                         const std::vector<std::byte>& bytes, uint64_t alignment) -> Elf64_Shdr& {
    align(alignment);
    Elf64_Shdr& header = headers[number];
    header.sh_name = names.add(name);
    header.sh_type = type;
    header.sh_offset = file.size();
    header.sh_size = bytes.size();
    header.sh_addralign = alignment;
    file.insert(file.end(), bytes.begin(), bytes.end());
    return header;
  };
  size_t total = 1 << 16;
  for (const Section& s : sections_) total += s.bytes.size() + static_cast<size_t>(s.alignment);
  file.reserve(total);
  for (size_t i = 0; i < count; ++i)
    place(1 + i, sections_[i].name, sections_[i].name.starts_with(".note") ? SHT_NOTE : SHT_PROGBITS,
          sections_[i].bytes, static_cast<uint64_t>(sections_[i].alignment))
        .sh_flags = SHF_ALLOC;
  const size_t symbol_table = 1 + 2 * count, string_table = symbol_table + 1, name_table = symbol_table + 2;
  for (size_t i = 0; i < count; ++i) {
    std::vector<std::byte> bytes;
    for (const Relocation& r : relocations_) {
      if (r.section != static_cast<int>(i)) continue;
      append(bytes, Elf64_Rela{static_cast<Elf64_Addr>(r.offset), ELF64_R_INFO(r.symbol + 1, relative64_),
                               r.addend});
    }
    Elf64_Shdr& header = place(1 + count + i, ".rela" + sections_[i].name, SHT_RELA, bytes, 8);
    header.sh_entsize = sizeof(Elf64_Rela);
    header.sh_link = static_cast<uint32_t>(symbol_table);
    header.sh_info = static_cast<uint32_t>(1 + i);
    header.sh_flags = SHF_INFO_LINK;
  }
  std::vector<std::byte> symbols(sizeof(Elf64_Sym));
  for (const Symbol& s : symbols_) {
    Elf64_Sym symbol{};
    symbol.st_name = symbol_names.add(s.name);
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, s.section < 0 ? STT_NOTYPE : STT_OBJECT);
    symbol.st_other = STV_HIDDEN;
    symbol.st_shndx = s.section < 0 ? SHN_UNDEF : static_cast<uint16_t>(1 + s.section);
    symbol.st_value = static_cast<uint64_t>(s.offset);
    append(symbols, symbol);
  }
  Elf64_Shdr& table = place(symbol_table, ".symtab", SHT_SYMTAB, symbols, 8);
  table.sh_entsize = sizeof(Elf64_Sym);
  table.sh_link = static_cast<uint32_t>(string_table);
  table.sh_info = 1;  // the first global one
  place(string_table, ".strtab", SHT_STRTAB, symbol_names.bytes(), 1);
  headers[name_table].sh_name = names.add(".shstrtab");
  headers[name_table].sh_type = SHT_STRTAB;
  headers[name_table].sh_offset = file.size();
  headers[name_table].sh_size = names.bytes().size();
  headers[name_table].sh_addralign = 1;
  file.insert(file.end(), names.bytes().begin(), names.bytes().end());

  align(8);
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = machine_;
  header.e_version = EV_CURRENT;
  header.e_shoff = file.size();
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = static_cast<uint16_t>(headers.size());
  header.e_shstrndx = static_cast<uint16_t>(name_table);
  std::memcpy(file.data(), &header, sizeof header);
  for (const Elf64_Shdr& section : headers) append(file, section);
  return file;
}

}  // namespace hone
