// Code that would run while an artifact is loaded, hidden in every way we know: refused before anything is
// mapped. Each file here but those of HiddenFromUs was loaded, and its function run, by the inspection that
// looked at the dynamic section by its place in the file and at the first of overlapping segments.
#include <gmock/gmock.h>

#include "codegen/runtime/host/host.h"
#include "tests/unit/runtime_host/elf_file.h"

namespace hone {
namespace {

using testing::HasSubstr;

std::string refusal(const ElfFile& file) {
  const auto artifact = LoadedArtifact::load(file.bytes);
  EXPECT_FALSE(read_signature(file.bytes));
  EXPECT_FALSE(inspect_shared_object(file.bytes));
  return artifact ? "" : artifact.error().text();
}

TEST(Hidden, NothingInTheFixtureItself) {
  ElfFile file("hidden");
  const auto artifact = LoadedArtifact::load(file.bytes);
  EXPECT_TRUE(artifact) << artifact.error().text();
}

TEST(Hidden, ConstructorWhereTheDynamicSectionIsMappedButNotWhereTheFileHasIt) {
  ElfFile file("hidden");
  const Elf64_Phdr dynamic = file.header(PT_DYNAMIC);
  const uint64_t harmless = file.append(dynamic.p_offset, dynamic.p_filesz, 8);
  file.add(DT_INIT, file.address("at_load"));
  file.header(PT_DYNAMIC, [&](Elf64_Phdr& s) { s.p_offset = harmless; });
  EXPECT_THAT(refusal(file), HasSubstr("dynamic section at another place in memory than in the file"));
}

TEST(Hidden, ResolverInTheSecondOfOverlappingSegments) {
  ElfFile file("hidden");
  const uint64_t table = file.address("variables"), target = table + 256;
  file.put(file.offset_of(table), relocation(target, kRelative, 0));
  file.add(DT_RELA, table);
  file.add(DT_RELASZ, sizeof(Elf64_Rela));
  file.add(DT_RELAENT, sizeof(Elf64_Rela));
  Elf64_Phdr over = file.header(PT_LOAD, 3);
  ASSERT_TRUE(over.p_flags & PF_W);
  const uint64_t page = over.p_offset / 4096 * 4096;
  over.p_offset += file.append(page, over.p_offset + over.p_filesz - page, 4096) - page;
  file.put(over.p_offset + (table - over.p_vaddr), relocation(target, kIrelative, file.address("at_load")));
  file.header(PT_GNU_EH_FRAME, [&](Elf64_Phdr& s) { s = over; });
  EXPECT_THAT(refusal(file), HasSubstr("segments that overlap"));
}

TEST(Hidden, ConstructorsThatARelocationCounts) {
  ElfFile file("hidden");
  const uint64_t array = file.address("variables"), table = file.address("constants");
  file.add(DT_INIT_ARRAY, array);
  const uint64_t count = file.add(DT_INIT_ARRAYSZ, 0);
  file.add(DT_RELA, table);
  file.add(DT_RELASZ, 2 * sizeof(Elf64_Rela));
  file.add(DT_RELAENT, sizeof(Elf64_Rela));
  const Elf64_Phdr dynamic = file.header(PT_DYNAMIC);
  file.put(file.offset_of(table), relocation(array, kRelative, file.address("at_load")));
  file.put(file.offset_of(table) + sizeof(Elf64_Rela),
           relocation(dynamic.p_vaddr + (count - dynamic.p_offset) + 8, kRelative, 0));
  EXPECT_THAT(refusal(file), HasSubstr("has constructors or destructors"));
}

TEST(Hidden, ResolverThatEarlierRelocationsWrite) {
  ElfFile file("hidden");
  const uint64_t table = file.address("variables"), at_load = file.address("at_load");
  // The image begins at a page, so the lowest byte of what a relocation writes is its addend's: sixteen of
  // them, each a byte further, make type, symbol and addend of the last.
  const uint64_t last = table + 16 * sizeof(Elf64_Rela);
  ASSERT_LE(17 * sizeof(Elf64_Rela), 64 * sizeof(uint64_t));
  for (uint64_t i = 0; i < 16; ++i) {
    const uint64_t byte =
        i < 8 ? (uint64_t{kIrelative} >> (8 * i)) & 0xff : (at_load >> (8 * (i - 8))) & 0xff;
    file.put(file.offset_of(table) + i * sizeof(Elf64_Rela), relocation(last + 8 + i, kRelative, byte));
  }
  file.put(file.offset_of(last), relocation(table + 480, kRelative, 0));
  file.add(DT_RELA, table);
  file.add(DT_RELASZ, 17 * sizeof(Elf64_Rela));
  file.add(DT_RELAENT, sizeof(Elf64_Rela));
  EXPECT_THAT(refusal(file), HasSubstr("torn"));
}

TEST(Hidden, ResolverOfAFunctionThatASecondHashTableLacks) {
  ElfFile file("hidden");
  const uint64_t place = file.symbol_entry("hone_run"), table = file.address("constants");
  auto symbol = file.at<Elf64_Sym>(place);
  symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC);
  symbol.st_value = file.address("at_load");
  file.put(place, symbol);
  file.put(file.offset_of(table), std::array<uint32_t, 4>{1, 1, 0, 0});
  file.add(DT_HASH, table);
  EXPECT_THAT(refusal(file), HasSubstr("entry in its dynamic section that ours lack (0x4)"));
  file.put(file.entry(DT_HASH), Elf64_Dyn{DT_NULL, {0}});
  EXPECT_THAT(refusal(file), HasSubstr("functions that are chosen when it is loaded"));
}

TEST(Hidden, ResolverInARelocationOfWhichTheTableCountsAPart) {
  ElfFile file("hidden");
  const uint64_t table = file.address("constants");
  file.put(file.offset_of(table), relocation(file.address("variables"), kIrelative, file.address("at_load")));
  file.add(DT_RELA, table);
  const uint64_t size = file.add(DT_RELASZ, 8);
  file.add(DT_RELAENT, sizeof(Elf64_Rela));
  EXPECT_THAT(refusal(file), HasSubstr("torn"));
  file.put(size, Elf64_Dyn{DT_RELASZ, {sizeof(Elf64_Rela)}});
  EXPECT_THAT(refusal(file), HasSubstr("functions that are chosen when it is loaded"));
}

// Refused although no loader we know runs anything of it, or only some do.

TEST(HiddenFromUs, SecondDynamicSection) {
  ElfFile file("hidden");
  const Elf64_Phdr dynamic = file.header(PT_DYNAMIC);
  file.header(PT_GNU_EH_FRAME, [&](Elf64_Phdr& s) { s = dynamic; });
  EXPECT_THAT(refusal(file), HasSubstr("two segments of a kind of which there can be one"));
}

TEST(HiddenFromUs, ConstructorAtTheBeginningOfTheImage) {
  ElfFile file("hidden");
  file.add(DT_INIT, 0);
  EXPECT_THAT(refusal(file), HasSubstr("has constructors or destructors"));
}

TEST(HiddenFromUs, DestructorsOfAnySort) {
  for (const int64_t tag : {DT_FINI, DT_INIT_ARRAY, DT_FINI_ARRAY, DT_FINI_ARRAYSZ, DT_PREINIT_ARRAY}) {
    ElfFile file("hidden");
    file.add(tag, 0);
    EXPECT_THAT(refusal(file), HasSubstr("has constructors or destructors")) << tag;
  }
}

struct Wrong {
  std::string what, message;
  std::function<void(ElfFile&)> change;
};

TEST(HiddenFromUs, RelocationsOfOtherKindsOrElsewhere) {
  const auto with = [](uint32_t type, const char* target, uint64_t more, uint64_t addend) {
    return [=](ElfFile& file) {
      const uint64_t table = file.address("constants");
      file.put(file.offset_of(table), relocation(file.address(target) + more, type, addend));
      file.add(DT_RELA, table);
      file.add(DT_RELASZ, sizeof(Elf64_Rela));
      file.add(DT_RELAENT, sizeof(Elf64_Rela));
    };
  };
  const std::vector<Wrong> cases{
      {"absolute", "relocations of a kind that ours lack", with(kAbsolute, "variables", 0, 0)},
      {"code", "relocation that writes where no data lies", with(kRelative, "hone_run", 0, 0)},
      {"constants", "relocation that writes where no data lies", with(kRelative, "constants", 0, 0)},
      {"across the end", "relocation that writes where no data lies", with(kRelative, "variables", 505, 0)},
      {"far away", "relocation that writes where no data lies", with(kRelative, "variables", 1ull << 40, 0)},
      {"wrapped", "relocation that writes where no data lies", with(kRelative, "variables", ~0xffffull, 0)},
      {"addend", "relocation that points outside", with(kRelative, "variables", 0, 1ull << 30)},
      {"addend below", "relocation that points outside", with(kRelative, "variables", 0, ~0ull)},
      {"dynamic", "relocation that changes its dynamic section",
       [](ElfFile& file) {
         const uint64_t table = file.address("constants");
         file.put(file.offset_of(table), relocation(file.header(PT_DYNAMIC).p_vaddr + 8, kRelative, 0));
         file.add(DT_RELA, table);
         file.add(DT_RELASZ, sizeof(Elf64_Rela));
         file.add(DT_RELAENT, sizeof(Elf64_Rela));
       }},
      {"jumps", "relocations of a kind that ours lack",
       [&](ElfFile& file) {
         with(kRelative, "variables", 0, 0)(file);
         const uint64_t table = file.address("constants");
         file.put(file.entry(DT_RELA), Elf64_Dyn{DT_JMPREL, {table}});
         file.put(file.entry(DT_RELASZ), Elf64_Dyn{DT_PLTRELSZ, {sizeof(Elf64_Rela)}});
       }},
      {"rel", "relocations of a kind that ours lack", [](ElfFile& file) { file.add(DT_REL, 0); }},
      {"relr", "relocations of a kind that ours lack", [](ElfFile& file) { file.add(DT_RELR, 0); }},
      {"text", "relocations in its code", [](ElfFile& file) { file.add(DT_TEXTREL, 0); }},
      {"text by flag", "relocations in its code", [](ElfFile& file) { file.add(DT_FLAGS, DF_TEXTREL); }},
  };
  for (const Wrong& one : cases) {
    ElfFile file("hidden");
    one.change(file);
    EXPECT_THAT(refusal(file), HasSubstr(one.message)) << one.what;
  }
}

TEST(HiddenFromUs, SegmentsThatCouldBeReadInTwoWays) {
  const auto segment = [](int which, const std::function<void(Elf64_Phdr&)>& change) {
    return [=](ElfFile& file) { file.header(PT_LOAD, change, which); };
  };
  const auto type = [](uint32_t new_type) {
    return [=](ElfFile& file) { file.header(PT_GNU_EH_FRAME, [&](Elf64_Phdr& s) { s.p_type = new_type; }); };
  };
  const std::vector<Wrong> cases{
      {"writable code", "memory that is writable and executable",
       segment(3, [](auto& s) { s.p_flags |= PF_X; })},
      {"unreadable", "memory that cannot be read", segment(1, [](auto& s) { s.p_flags = PF_X; })},
      {"shifted", "whose address does not fit its place", segment(1, [](auto& s) { s.p_offset += 8; })},
      {"tiny pages", "whose address does not fit its place", segment(1, [](auto& s) { s.p_align = 16; })},
      {"no pages", "whose address does not fit its place", segment(1, [](auto& s) { s.p_align = 0; })},
      {"backwards", "out of order", segment(2, [](auto& s) { s.p_vaddr = 0x1000; })},
      {"shared bytes", "segments that share bytes of the file",
       segment(2, [](auto& s) { s.p_offset -= 0x1000; })},
      {"not at 0", "do not begin at address 0", segment(0, [](auto& s) { s.p_vaddr = s.p_align; })},
      {"huge", "more than 256 MiB", segment(3, [](auto& s) { s.p_memsz = 1ull << 40; })},
      {"wrapping", "more than 256 MiB", segment(3, [](auto& s) { s.p_vaddr = ~0xfffull; })},
      {"zero constants", "constants that are not in the file", segment(2, [](auto& s) { s.p_memsz += 64; })},
      {"more in the file", "torn", segment(3, [](auto& s) { s.p_memsz = 8; })},
      {"beyond the file", "torn", segment(3, [](auto& s) { s.p_filesz = s.p_memsz = 1 << 20; })},
      {"interpreter", "names a program interpreter", type(PT_INTERP)},
      {"thread-local", "has thread-local storage", type(PT_TLS)},
      {"unknown", "segment of a kind that ours lack", type(0x65000000)},
      {"no dynamic", "has no dynamic section",
       [](ElfFile& file) { file.header(PT_DYNAMIC, [](auto& s) { s.p_type = PT_NULL; }); }},
      {"dynamic in a gap", "torn",
       [](ElfFile& file) { file.header(PT_DYNAMIC, [](auto& s) { s.p_vaddr = 0x900000; }); }},
      {"relro on code", "protects memory after relocation",
       [](ElfFile& file) { file.header(PT_GNU_RELRO, [](auto& s) { s.p_vaddr = 0x1000; }); }},
      {"library", "needs other libraries", [](ElfFile& file) { file.add(DT_NEEDED, 1); }},
      {"filter", "filters another library", [](ElfFile& file) { file.add(DT_FILTER, 1); }},
      {"name", "entry in its dynamic section that ours lack (0xe)",
       [](ElfFile& file) { file.add(DT_SONAME, 1); }},
      {"audit", "entry in its dynamic section that ours lack (0x6ffffefc)",
       [](ElfFile& file) { file.add(0x6ffffefc, 1); }},
      {"kept for ever", "entry in its dynamic section that ours lack (0x6ffffffb)",
       [](ElfFile& file) { file.add(DT_FLAGS_1, DF_1_NODELETE); }},
      {"twice", "says the same twice", [](ElfFile& file) { file.add(DT_STRSZ, 8); }},
  };
  for (const Wrong& one : cases) {
    ElfFile file("hidden");
    one.change(file);
    const auto artifact = LoadedArtifact::load(file.bytes);
    EXPECT_THAT(artifact ? "" : artifact.error().text(), HasSubstr(one.message)) << one.what;
  }
}

TEST(HiddenFromUs, SymbolsOfOtherKinds) {
  const auto change = [](uint8_t type, uint16_t section) {
    ElfFile file("hidden");
    const uint64_t place = file.symbol_entry("variables");
    auto symbol = file.at<Elf64_Sym>(place);
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, type);
    symbol.st_shndx = section;
    file.put(place, symbol);
    return refusal(file);
  };
  EXPECT_THAT(change(STT_TLS, 1), HasSubstr("has thread-local storage"));
  EXPECT_THAT(change(STT_SECTION, 1), HasSubstr("symbol of a kind that ours lack"));
  EXPECT_THAT(change(STT_OBJECT, SHN_ABS), HasSubstr("symbol of a kind that ours lack"));
  EXPECT_THAT(change(STT_OBJECT, SHN_UNDEF), HasSubstr("undefined symbol 'variables'"));
}

TEST(HiddenFromUs, FunctionsAndTextsWhereTheyMayNotLie) {
  const auto moved = [](const char* symbol, uint64_t address, uint64_t bytes) {
    ElfFile file("hidden");
    const uint64_t place = file.symbol_entry(symbol);
    auto changed = file.at<Elf64_Sym>(place);
    changed.st_value = address;
    changed.st_size = bytes;
    file.put(place, changed);
    const auto artifact = LoadedArtifact::load(file.bytes);
    return artifact ? "" : artifact.error().text();
  };
  ElfFile file("hidden");
  const std::string lacks = "lacks hone_signature or hone_run";
  EXPECT_THAT(moved("hone_run", file.address("variables"), 16), HasSubstr(lacks));
  EXPECT_THAT(moved("hone_run", file.address("hone_run"), 1 << 20), HasSubstr(lacks));
  EXPECT_THAT(moved("hone_run", 1ull << 50, 16), HasSubstr(lacks));
  EXPECT_THAT(moved("hone_prepare", file.address("constants"), 16), HasSubstr("no such symbol"));
  EXPECT_THAT(moved("hone_signature", file.address("variables"), 16), HasSubstr(lacks));
  EXPECT_THAT(moved("hone_signature", ~0ull, 16), HasSubstr(lacks));
  ElfFile endless("hidden");
  const Elf64_Phdr constants = endless.header(PT_LOAD, 2);
  for (uint64_t i = endless.offset_of(endless.address("hone_signature"));
       i < constants.p_offset + constants.p_filesz; ++i)
    endless.put(i, 'x');
  const auto artifact = LoadedArtifact::load(endless.bytes);
  EXPECT_THAT(artifact ? "" : artifact.error().text(), HasSubstr(lacks));
}

}  // namespace
}  // namespace hone
