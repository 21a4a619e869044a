// Reads a shared object as bytes and refuses what none of ours has, before the dynamic loader ever sees it.
// Nothing in the file is trusted: every offset is checked against its size.
#include <elf.h>

#include <cstring>
#include <optional>

#include "codegen/runtime/host/host.h"

namespace hone {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
constexpr uint32_t kIrelative = R_X86_64_IRELATIVE;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
constexpr uint32_t kIrelative = R_AARCH64_IRELATIVE;
#else
#error "hone runs on x86-64 and aarch64"
#endif

constexpr uint64_t kMaxSymbols = 1u << 20;

const char* machine_name(uint16_t machine) {
  return machine == EM_X86_64 ? "x86-64" : machine == EM_AARCH64 ? "aarch64" : "another machine";
}

class Reader {
 public:
  explicit Reader(std::span<const std::byte> file) : file_(file) {}

  template <class T>
  std::optional<T> at(uint64_t offset) const {
    if (offset > file_.size() || sizeof(T) > file_.size() - offset) return std::nullopt;
    T value;
    std::memcpy(&value, file_.data() + offset, sizeof(T));
    return value;
  }
  bool holds(uint64_t offset, uint64_t bytes) const {
    return offset <= file_.size() && bytes <= file_.size() - offset;
  }

  std::vector<Elf64_Phdr> segments;

  /// At a virtual address, inside what a loadable segment has in the file.
  template <class T>
  std::optional<T> at_address(uint64_t address) const {
    for (const Elf64_Phdr& s : segments) {
      if (s.p_type != PT_LOAD || address < s.p_vaddr) continue;
      const uint64_t within = address - s.p_vaddr;
      if (within < s.p_filesz && sizeof(T) <= s.p_filesz - within) return at<T>(s.p_offset + within);
    }
    return std::nullopt;
  }

 private:
  std::span<const std::byte> file_;
};

struct Dynamic {
  uint64_t symbols = 0, strings = 0, strings_bytes = 0, hash = 0, gnu_hash = 0;
  uint64_t rela = 0, rela_bytes = 0, jump = 0, jump_bytes = 0;
};

tl::unexpected<Error> torn() {
  return fail("the shared object is torn: a table points outside the file", "", "build it again");
}
tl::unexpected<Error> refused(const std::string& what) {
  return fail("refused: the shared object " + what, "", "hone's own artifacts never do");
}

Status read_segments(Reader& reader, const Elf64_Ehdr& header) {
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0) return torn();
  bool stack_said = false;
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    const auto s = reader.at<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!s) return torn();
    if (s->p_type == PT_LOAD && !reader.holds(s->p_offset, s->p_filesz)) return torn();
    if (s->p_type == PT_LOAD && (s->p_flags & PF_W) && (s->p_flags & PF_X))
      return refused("has memory that is writable and executable");
    if (s->p_type == PT_INTERP) return refused("names a program interpreter");
    if (s->p_type == PT_TLS) return refused("has thread-local storage");
    if (s->p_type == PT_GNU_STACK) {
      stack_said = true;
      if (s->p_flags & PF_X) return refused("asks for an executable stack");
    }
    reader.segments.push_back(*s);
  }
  if (!stack_said) return refused("does not say that its stack is not executable");
  return {};
}

Result<Dynamic> read_dynamic(const Reader& reader) {
  const Elf64_Phdr* dynamic = nullptr;
  for (const Elf64_Phdr& s : reader.segments)
    if (s.p_type == PT_DYNAMIC) dynamic = &s;
  if (dynamic == nullptr) return fail("no shared object: it has no dynamic section");
  Dynamic d;
  for (uint64_t i = 0;; ++i) {
    if ((i + 1) * sizeof(Elf64_Dyn) > dynamic->p_filesz) return torn();
    const auto entry = reader.at<Elf64_Dyn>(dynamic->p_offset + i * sizeof(Elf64_Dyn));
    if (!entry) return torn();
    const uint64_t value = entry->d_un.d_val;
    switch (entry->d_tag) {
      case DT_NULL:
        return d;
      case DT_NEEDED:
        return refused("needs other libraries");
      case DT_INIT:
      case DT_FINI:
        if (value != 0) return refused("has constructors or destructors");
        break;
      case DT_INIT_ARRAYSZ:
      case DT_FINI_ARRAYSZ:
      case DT_PREINIT_ARRAYSZ:
        if (value != 0) return refused("has constructors or destructors");
        break;
      case DT_AUXILIARY:
      case DT_FILTER:
        return refused("filters another library");
      case DT_TEXTREL:
        return refused("has relocations in its code");
      case DT_SYMTAB:
        d.symbols = value;
        break;
      case DT_STRTAB:
        d.strings = value;
        break;
      case DT_STRSZ:
        d.strings_bytes = value;
        break;
      case DT_HASH:
        d.hash = value;
        break;
      case DT_GNU_HASH:
        d.gnu_hash = value;
        break;
      case DT_RELA:
        d.rela = value;
        break;
      case DT_RELASZ:
        d.rela_bytes = value;
        break;
      case DT_JMPREL:
        d.jump = value;
        break;
      case DT_PLTRELSZ:
        d.jump_bytes = value;
        break;
      case DT_REL:
      case DT_RELR:
        return refused("has relocations of a kind that ours lack");
      default:
        break;
    }
  }
}

/// How many dynamic symbols there are: DT_HASH says so, DT_GNU_HASH is walked to its last chain.
std::optional<uint64_t> symbol_count(const Reader& reader, const Dynamic& d) {
  if (d.hash != 0) {
    const auto chains = reader.at_address<uint32_t>(d.hash + 4);
    return chains ? std::optional<uint64_t>(*chains) : std::nullopt;
  }
  if (d.gnu_hash == 0) return std::nullopt;
  const auto buckets = reader.at_address<uint32_t>(d.gnu_hash),
             first = reader.at_address<uint32_t>(d.gnu_hash + 4),
             bloom = reader.at_address<uint32_t>(d.gnu_hash + 8);
  if (!buckets || !first || !bloom || *buckets > kMaxSymbols || *bloom > kMaxSymbols) return std::nullopt;
  const uint64_t table = d.gnu_hash + 16 + 8ull * *bloom, chain = table + 4ull * *buckets;
  uint64_t last = 0;
  for (uint64_t b = 0; b < *buckets; ++b) {
    const auto start = reader.at_address<uint32_t>(table + 4 * b);
    if (!start) return std::nullopt;
    last = std::max<uint64_t>(last, *start);
  }
  if (last < *first) return *first;
  for (;; ++last) {
    if (last > kMaxSymbols) return std::nullopt;
    const auto link = reader.at_address<uint32_t>(chain + 4 * (last - *first));
    if (!link) return std::nullopt;
    if (*link & 1) return last + 1;
  }
}

std::string name_of(const Reader& reader, const Dynamic& d, uint32_t name) {
  std::string text;
  for (uint64_t i = name; i < d.strings_bytes && text.size() < 100; ++i) {
    const auto c = reader.at_address<char>(d.strings + i);
    if (!c || *c == '\0') break;
    text += (*c >= 0x20 && *c < 0x7f) ? *c : '?';
  }
  return text;
}

Status inspect_symbols(const Reader& reader, const Dynamic& d) {
  const auto count = symbol_count(reader, d);
  if (!count || *count > kMaxSymbols) return torn();
  for (uint64_t i = 1; i < *count; ++i) {
    const auto symbol = reader.at_address<Elf64_Sym>(d.symbols + i * sizeof(Elf64_Sym));
    if (!symbol) return torn();
    if (symbol->st_shndx == SHN_UNDEF)
      return refused("has the undefined symbol '" + name_of(reader, d, symbol->st_name) + "'");
    if (ELF64_ST_TYPE(symbol->st_info) == STT_GNU_IFUNC)
      return refused("has functions that are chosen when it is loaded");
  }
  return {};
}

Status inspect_relocations(const Reader& reader, uint64_t address, uint64_t bytes) {
  for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= bytes; at += sizeof(Elf64_Rela)) {
    const auto relocation = reader.at_address<Elf64_Rela>(address + at);
    if (!relocation) return torn();
    if (ELF64_R_TYPE(relocation->r_info) == kIrelative)
      return refused("has functions that are chosen when it is loaded");
  }
  return {};
}

}  // namespace

Status inspect_shared_object(std::span<const std::byte> shared_object) {
  Reader reader(shared_object);
  const auto header = reader.at<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return fail("no shared object: it does not begin as an ELF file does");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_type != ET_DYN)
    return fail("no 64-bit little-endian shared object");
  if (header->e_machine != kMachine)
    return fail(std::string("the shared object is for ") + machine_name(header->e_machine) +
                    ", this board is " + machine_name(kMachine),
                "", "build it with --target host, or run it on such a board");
  HONE_RETURN_IF_ERROR(read_segments(reader, *header));
  HONE_TRY(const Dynamic dynamic, read_dynamic(reader));
  HONE_RETURN_IF_ERROR(inspect_symbols(reader, dynamic));
  HONE_RETURN_IF_ERROR(inspect_relocations(reader, dynamic.rela, dynamic.rela_bytes));
  return inspect_relocations(reader, dynamic.jump, dynamic.jump_bytes);
}

}  // namespace hone
