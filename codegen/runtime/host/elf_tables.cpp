// The tables of a shared object: dynamic section, symbols and relocations.
#include <algorithm>

#include "codegen/runtime/host/elf_reader.h"

namespace hone {
namespace {

constexpr uint64_t kMostSymbols = 1u << 16, kMostRelocations = 1u << 20, kMostEntries = 64;

std::string printable(std::string_view name) {
  std::string text(name.substr(0, 100));
  for (char& c : text)
    if (c < 0x20 || c >= 0x7f) c = '?';
  return text;
}

}  // namespace

Status ElfReader::read_notes() {
  const auto padded = [](uint64_t bytes) { return (bytes + 3) / 4 * 4; };
  for (const Elf64_Phdr& segment : notes_) {
    if (segment.p_filesz == 0) continue;
    if (constant(segment.p_vaddr, segment.p_filesz) == nullptr) return torn();
    for (uint64_t at = 0; at + sizeof(Elf64_Nhdr) <= segment.p_filesz;) {
      const uint64_t address = segment.p_vaddr + at, left = segment.p_filesz - at - sizeof(Elf64_Nhdr);
      const auto header = at_address<Elf64_Nhdr>(address);
      const uint64_t name = padded(header->n_namesz), size = padded(header->n_descsz);
      if (name > left || size > left - name || image_.notes_.size() >= kMostEntries) return torn();
      const std::byte* bytes = constant(address + sizeof(Elf64_Nhdr), name + size);
      ImageNote note;
      note.name = {reinterpret_cast<const char*>(bytes), header->n_namesz};
      note.name = note.name.substr(0, note.name.find('\0'));
      note.type = header->n_type;
      note.address = address + sizeof(Elf64_Nhdr) + name;
      note.descriptor = {bytes + name, header->n_descsz};
      image_.notes_.push_back(note);
      at += sizeof(Elf64_Nhdr) + name + size;
    }
  }
  return {};
}

/// It lies in memory that relocations could write, so read_relocations() keeps them off it.
Status ElfReader::read_dynamic() {
  std::vector<int64_t> seen;
  for (uint64_t at = 0;; at += sizeof(Elf64_Dyn)) {
    if (at + sizeof(Elf64_Dyn) > dynamic_->p_filesz || seen.size() > kMostEntries) return torn();
    const auto entry = in_file<Elf64_Dyn>(dynamic_->p_offset + at);
    if (!entry) return torn();
    if (entry->d_tag == DT_NULL) return {};
    HONE_RETURN_IF_ERROR(take_entry(entry->d_tag, entry->d_un.d_val));
    if (std::find(seen.begin(), seen.end(), entry->d_tag) != seen.end())
      return refused("says the same twice in its dynamic section");
    seen.push_back(entry->d_tag);
  }
}

Status ElfReader::take_entry(int64_t tag, uint64_t value) {
  switch (tag) {
    case DT_NEEDED:
      return refused("needs other libraries");
    case DT_INIT:
    case DT_FINI:
    case DT_INIT_ARRAY:
    case DT_INIT_ARRAYSZ:
    case DT_FINI_ARRAY:
    case DT_FINI_ARRAYSZ:
    case DT_PREINIT_ARRAY:
    case DT_PREINIT_ARRAYSZ:
      return refused("has constructors or destructors");  // even of size 0: a relocation could change that
    case DT_AUXILIARY:
    case DT_FILTER:
      return refused("filters another library");
    case DT_TEXTREL:
      return refused("has relocations in its code");
    case DT_REL:
    case DT_RELR:
      return refused("has relocations of a kind that ours lack");
    case DT_SYMTAB:
      entries_.symbols = value;
      return {};
    case DT_SYMENT:
      entries_.symbol_bytes = value;
      return {};
    case DT_STRTAB:
      entries_.strings = value;
      return {};
    case DT_STRSZ:
      entries_.strings_bytes = value;
      return {};
    case DT_GNU_HASH:
      entries_.hash = value;
      return {};
    case DT_RELA:
      entries_.relocations = value;
      return {};
    case DT_RELASZ:
      entries_.relocations_bytes = value;
      return {};
    case DT_RELAENT:
      entries_.relocation_bytes = value;
      return {};
    case DT_JMPREL:
      entries_.jumps = value;
      return {};
    case DT_PLTRELSZ:
      entries_.jumps_bytes = value;
      return {};
    case DT_PLTREL:
      if (value != DT_RELA) return refused("has relocations of a kind that ours lack");
      return {};
    case DT_RELACOUNT:  // how many are relative: all of them must be
    case DT_PLTGOT:     // for lazy binding: there is nothing to bind
    case DT_SYMBOLIC:
      return {};
    case DT_FLAGS:
      if (value & DF_TEXTREL) return refused("has relocations in its code");
      if (value & DF_STATIC_TLS) return refused("has thread-local storage");
      if ((value & ~static_cast<uint64_t>(DF_SYMBOLIC | DF_BIND_NOW)) == 0) return {};
      break;
    case DT_FLAGS_1:
      if ((value & ~static_cast<uint64_t>(DF_1_NOW)) == 0) return {};
      break;
    default:
      break;
  }
  char text[32];
  std::snprintf(text, sizeof text, "%#llx", static_cast<unsigned long long>(tag));
  return refused(std::string("has an entry in its dynamic section that ours lack (") + text + ")");
}

Status ElfReader::check_tables() const {
  const DynamicEntries& e = entries_;
  if (e.symbol_bytes != sizeof(Elf64_Sym) || e.strings_bytes == 0 || e.strings_bytes > UINT32_MAX ||
      constant(e.strings, e.strings_bytes) == nullptr)
    return torn();
  const auto whole = [&](uint64_t bytes) {
    return bytes % sizeof(Elf64_Rela) == 0 && bytes / sizeof(Elf64_Rela) <= kMostRelocations;
  };
  if (!whole(e.relocations_bytes) || !whole(e.jumps_bytes)) return torn();
  if (e.relocations_bytes != 0 && e.relocation_bytes != sizeof(Elf64_Rela)) return torn();
  return {};
}

/// How many dynamic symbols there are: the hash table is walked to its last chain. It must be one that a
/// dynamic linker walks the same way.
std::optional<uint64_t> ElfReader::symbol_count() const {
  struct Header {
    uint32_t buckets, first, bloom, shift;
  };
  const auto header = at_address<Header>(entries_.hash);
  if (!header || header->buckets == 0 || header->buckets > kMostSymbols || header->first == 0 ||
      header->first > kMostSymbols || header->bloom == 0 || header->bloom > kMostSymbols ||
      (header->bloom & (header->bloom - 1)) != 0 || header->shift >= 32)
    return std::nullopt;
  const uint64_t table = entries_.hash + sizeof(Header) + 8ull * header->bloom;
  if (constant(entries_.hash, table - entries_.hash) == nullptr) return std::nullopt;
  const uint64_t chain = table + 4ull * header->buckets;
  uint64_t last = 0;
  for (uint64_t b = 0; b < header->buckets; ++b) {
    const auto start = at_address<uint32_t>(table + 4 * b);
    if (!start || (*start != 0 && *start < header->first)) return std::nullopt;
    last = std::max<uint64_t>(last, *start);
  }
  if (last == 0) return header->first;
  for (;; ++last) {
    if (last >= kMostSymbols) return std::nullopt;
    const auto link = at_address<uint32_t>(chain + 4 * (last - header->first));
    if (!link) return std::nullopt;
    if (*link & 1) return last + 1;
  }
}

std::string_view ElfReader::name_at(uint64_t offset) const {
  if (offset >= entries_.strings_bytes) return {};
  const auto* first =
      reinterpret_cast<const char*>(constant(entries_.strings, entries_.strings_bytes)) + offset;
  const size_t most = entries_.strings_bytes - offset;
  const void* end = std::memchr(first, 0, most);
  return {first, end == nullptr ? 0 : static_cast<size_t>(static_cast<const char*>(end) - first)};
}

Status ElfReader::read_symbols() {
  const auto count = symbol_count();
  if (!count) return torn();
  for (uint64_t i = 1; i < *count; ++i) {
    const auto symbol = at_address<Elf64_Sym>(entries_.symbols + i * sizeof(Elf64_Sym));
    if (!symbol) return torn();
    const std::string_view name = name_at(symbol->st_name);
    if (symbol->st_shndx == SHN_UNDEF) return refused("has the undefined symbol '" + printable(name) + "'");
    const auto type = ELF64_ST_TYPE(symbol->st_info);
    if (type == STT_GNU_IFUNC) return refused("has functions that are chosen when it is loaded");
    if (type == STT_TLS) return refused("has thread-local storage");
    if ((type != STT_NOTYPE && type != STT_OBJECT && type != STT_FUNC) || symbol->st_shndx >= SHN_LORESERVE)
      return refused("has a symbol of a kind that ours lack");
    image_.symbols_.push_back({name, symbol->st_value, symbol->st_size, type == STT_FUNC});
  }
  return {};
}

/// Relative ones only, into data: never into the dynamic section, which a dynamic linker reads again
/// afterwards.
Status ElfReader::read_relocations(uint64_t address, uint64_t bytes) {
  for (uint64_t at = 0; at < bytes; at += sizeof(Elf64_Rela)) {
    const auto relocation = at_address<Elf64_Rela>(address + at);
    if (!relocation) return torn();
    const auto type = ELF64_R_TYPE(relocation->r_info);
    if (type == irelative_) return refused("has functions that are chosen when it is loaded");
    if (type != relative_ || ELF64_R_SYM(relocation->r_info) != 0)
      return refused("has relocations of a kind that ours lack");
    const ImageSegment* segment = segment_of(relocation->r_offset, 8, /*from_file=*/false);
    if (segment == nullptr || !segment->writable)
      return refused("has a relocation that writes where no data lies");
    if (relocation->r_offset + 8 > dynamic_->p_vaddr &&
        relocation->r_offset < dynamic_->p_vaddr + dynamic_->p_filesz)
      return refused("has a relocation that changes its dynamic section");
    const auto addend = static_cast<uint64_t>(relocation->r_addend);
    if (addend >= image_.bytes_) return refused("has a relocation that points outside");
    image_.relocations_.push_back({relocation->r_offset, addend});
  }
  return {};
}

}  // namespace hone
