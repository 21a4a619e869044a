// Header and segments of a shared object, and what its image answers. Tables: elf_tables.cpp.
#include "codegen/runtime/host/elf_image.h"

#include <unistd.h>

#include <algorithm>

#include "codegen/runtime/host/elf_reader.h"

namespace hone {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "hone runs on x86-64 and aarch64"
#endif

constexpr uint16_t kMostHeaders = 64;
constexpr uint64_t kMostAlignment = 2u << 20;

const char* machine_name(uint16_t machine) {
  return machine == EM_X86_64 ? "x86-64" : machine == EM_AARCH64 ? "aarch64" : "another machine";
}

uint64_t page_bytes() {
  static const auto bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}
uint64_t page_floor(uint64_t address) { return address / page_bytes() * page_bytes(); }
uint64_t page_ceil(uint64_t address) { return page_floor(address + page_bytes() - 1); }

bool holds(uint64_t begin, uint64_t length, uint64_t address, uint64_t bytes) {
  return address >= begin && address - begin <= length && bytes <= length - (address - begin);
}

}  // namespace

tl::unexpected<Error> torn() {
  return fail("the shared object is torn: a table points outside the file", "", "build it again");
}
tl::unexpected<Error> refused(const std::string& what) {
  return fail("refused: the shared object " + what, "", "hone's own artifacts never do");
}

Result<ElfImage> ElfImage::parse(std::span<const std::byte> file, uint64_t most_bytes, ImageMachine machine) {
  return ElfReader(file).read(most_bytes, machine);
}

Result<ElfImage> ElfReader::read(uint64_t most_bytes, ImageMachine machine) {
  HONE_TRY(const Elf64_Ehdr ehdr, header(machine));
  const bool arm = ehdr.e_machine == EM_AARCH64;
  relative_ = arm ? R_AARCH64_RELATIVE : R_X86_64_RELATIVE;
  irelative_ = arm ? R_AARCH64_IRELATIVE : R_X86_64_IRELATIVE;
  HONE_RETURN_IF_ERROR(read_segments(ehdr, most_bytes));
  HONE_RETURN_IF_ERROR(place_dynamic());
  HONE_RETURN_IF_ERROR(place_relro());
  HONE_RETURN_IF_ERROR(read_notes());
  HONE_RETURN_IF_ERROR(read_dynamic());
  HONE_RETURN_IF_ERROR(check_tables());
  HONE_RETURN_IF_ERROR(read_symbols());
  HONE_RETURN_IF_ERROR(read_relocations(entries_.relocations, entries_.relocations_bytes));
  HONE_RETURN_IF_ERROR(read_relocations(entries_.jumps, entries_.jumps_bytes));
  if (entries_.jumps_bytes != 0) return refused("has relocations of a kind that ours lack");
  return std::move(image_);
}

Result<Elf64_Ehdr> ElfReader::header(ImageMachine machine) const {
  const auto header = in_file<Elf64_Ehdr>(0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
    return fail("no shared object: it does not begin as an ELF file does");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_type != ET_DYN)
    return fail("no 64-bit little-endian shared object");
  const bool known = header->e_machine == EM_X86_64 || header->e_machine == EM_AARCH64;
  if (header->e_machine != kMachine && !(machine == ImageMachine::any && known))
    return fail(std::string("the shared object is for ") + machine_name(header->e_machine) +
                    ", this board is " + machine_name(kMachine),
                "", "build it with --target host, or run it on such a board");
  return *header;
}

Status ElfReader::read_segments(const Elf64_Ehdr& header, uint64_t most_bytes) {
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 || header.e_phnum > kMostHeaders ||
      !holds(0, image_.file_.size(), header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)))
    return torn();
  bool stack_said = false;
  const auto once = [](std::optional<Elf64_Phdr>& kept, const Elf64_Phdr& segment) -> Status {
    if (kept) return refused("has two segments of a kind of which there can be one");
    kept = segment;
    return {};
  };
  for (uint64_t i = 0; i < header.e_phnum; ++i) {
    const auto s = in_file<Elf64_Phdr>(header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!s) return torn();
    switch (s->p_type) {
      case PT_LOAD:
        HONE_RETURN_IF_ERROR(add_segment(*s, most_bytes));
        break;
      case PT_DYNAMIC:
        HONE_RETURN_IF_ERROR(once(dynamic_, *s));
        break;
      case PT_GNU_RELRO:
        HONE_RETURN_IF_ERROR(once(relro_, *s));
        break;
      case PT_PHDR:
        HONE_RETURN_IF_ERROR(once(headers_, *s));
        if (s->p_offset != header.e_phoff || s->p_vaddr != header.e_phoff) return torn();
        break;
      case PT_INTERP:
        return refused("names a program interpreter");
      case PT_TLS:
        return refused("has thread-local storage");
      case PT_GNU_STACK:
        stack_said = true;
        if (s->p_flags & PF_X) return refused("asks for an executable stack");
        break;
      case PT_NOTE:
        notes_.push_back(*s);
        break;
      case PT_NULL:
      case PT_GNU_EH_FRAME:
      case PT_GNU_PROPERTY:
        break;  // read by nobody who loads
      default:
        return refused("has a segment of a kind that ours lack");
    }
  }
  if (!stack_said) return refused("does not say that its stack is not executable");
  if (image_.segments_.empty()) return torn();
  const ImageSegment& first = image_.segments_.front();
  if (headers_ && (first.address != 0 || first.file_offset != 0 ||
                   !holds(0, first.file_bytes, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr))))
    return torn();
  image_.bytes_ = page_ceil(image_.segments_.back().address + image_.segments_.back().bytes);
  return {};
}

/// One that is loaded: its bytes lie in the file, its pages behind those of the one before, and offset and
/// address agree about where in a page it begins, so that mapping the file gives the same as copying its
/// bytes.
Status ElfReader::add_segment(const Elf64_Phdr& s, uint64_t most_bytes) {
  if (s.p_filesz > s.p_memsz || s.p_memsz == 0 || !holds(0, image_.file_.size(), s.p_offset, s.p_filesz))
    return torn();
  if ((s.p_flags & PF_W) && (s.p_flags & PF_X)) return refused("has memory that is writable and executable");
  if (!(s.p_flags & PF_R)) return refused("has memory that cannot be read");
  if (!(s.p_flags & PF_W) && s.p_filesz != s.p_memsz)
    return refused("has constants that are not in the file");
  if (!holds(0, most_bytes, s.p_vaddr, s.p_memsz))
    return refused("takes more than " + std::to_string(most_bytes >> 20) + " MiB of memory");
  if (s.p_align < page_bytes() || s.p_align > kMostAlignment || (s.p_align & (s.p_align - 1)) != 0 ||
      (s.p_vaddr - s.p_offset) % s.p_align != 0)
    return refused("has a segment whose address does not fit its place in the file");
  const uint64_t end = image_.segments_.empty()
                           ? 0
                           : page_ceil(image_.segments_.back().address + image_.segments_.back().bytes);
  if (page_floor(s.p_vaddr) < end || (image_.segments_.empty() && page_floor(s.p_vaddr) != 0))
    return refused("has segments that overlap, are out of order or do not begin at address 0");
  if (s.p_filesz != 0 && s.p_offset < file_end_) return refused("has segments that share bytes of the file");
  file_end_ = std::max(file_end_, s.p_offset + s.p_filesz);
  image_.segments_.push_back(
      {s.p_vaddr, s.p_memsz, s.p_offset, s.p_filesz, (s.p_flags & PF_W) != 0, (s.p_flags & PF_X) != 0});
  image_.alignment_ = std::max<uint64_t>(image_.alignment_, s.p_align);
  return {};
}

Status ElfReader::place_dynamic() {
  if (!dynamic_) return fail("no shared object: it has no dynamic section");
  const ImageSegment* segment = segment_of(dynamic_->p_vaddr, dynamic_->p_filesz, /*from_file=*/true);
  if (segment == nullptr || dynamic_->p_vaddr % alignof(Elf64_Dyn) != 0 ||
      dynamic_->p_memsz != dynamic_->p_filesz)
    return torn();
  if (dynamic_->p_offset != segment->file_offset + (dynamic_->p_vaddr - segment->address))
    return refused("has its dynamic section at another place in memory than in the file");
  return {};
}

Status ElfReader::place_relro() {
  if (!relro_ || relro_->p_memsz == 0) return {};
  for (const ImageSegment& s : image_.segments_)
    if (s.writable &&
        holds(s.address, page_ceil(s.address + s.bytes) - s.address, relro_->p_vaddr, relro_->p_memsz)) {
      image_.relro_begin_ = page_floor(relro_->p_vaddr);
      image_.relro_end_ = page_floor(relro_->p_vaddr + relro_->p_memsz);
      return {};
    }
  return refused("protects memory after relocation that is not writable before");
}

const ImageSegment* ElfReader::segment_of(uint64_t address, uint64_t bytes, bool from_file) const {
  for (const ImageSegment& s : image_.segments_)
    if (holds(s.address, from_file ? s.file_bytes : s.bytes, address, bytes)) return &s;
  return nullptr;
}

const std::byte* ElfReader::constant(uint64_t address, uint64_t bytes) const {
  const ImageSegment* s = segment_of(address, bytes, /*from_file=*/true);
  if (s == nullptr || s->writable) return nullptr;
  return image_.file_.data() + s->file_offset + (address - s->address);
}

const ElfImage::Symbol* ElfImage::find(std::string_view name) const {
  for (const Symbol& symbol : symbols_)
    if (symbol.name == name) return &symbol;
  return nullptr;
}

bool ElfImage::runs(const Symbol& symbol) const {
  return symbol.is_function && std::any_of(segments_.begin(), segments_.end(), [&](const ImageSegment& s) {
           return s.executable &&
                  holds(s.address, s.bytes, symbol.address, std::max<uint64_t>(symbol.bytes, 1));
         });
}

std::optional<uint64_t> ElfImage::function(std::string_view name) const {
  const Symbol* symbol = find(name);
  return symbol != nullptr && runs(*symbol) ? std::optional(symbol->address) : std::nullopt;
}

std::vector<std::pair<std::string_view, uint64_t>> ElfImage::functions() const {
  std::vector<std::pair<std::string_view, uint64_t>> found;
  for (const Symbol& symbol : symbols_)
    if (runs(symbol)) found.emplace_back(symbol.name, symbol.address);
  return found;
}

std::optional<std::string_view> ElfImage::text(std::string_view name, uint64_t most_bytes) const {
  const Symbol* symbol = find(name);
  if (symbol == nullptr || symbol->is_function) return std::nullopt;
  for (const ImageSegment& s : segments_) {
    if (s.writable || !holds(s.address, s.file_bytes, symbol->address, 1)) continue;
    const uint64_t within = symbol->address - s.address;
    const auto* first = reinterpret_cast<const char*>(file_.data() + s.file_offset + within);
    const size_t most = std::min(most_bytes, s.file_bytes - within);
    const void* end = std::memchr(first, 0, most);
    if (end == nullptr) return std::nullopt;
    return std::string_view(first, static_cast<size_t>(static_cast<const char*>(end) - first));
  }
  return std::nullopt;
}

}  // namespace hone
