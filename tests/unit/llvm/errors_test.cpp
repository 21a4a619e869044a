// What emit and link_shared refuse, with which words; and what holds of every object and shared object they
// make.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/unit/llvm/compiled.h"

namespace hone::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

loop::Program negate() { return elementwise(16, 4, 1, make(ScalarOp::neg, {read_access(0)})); }

const Elf64_Ehdr& header(const std::vector<std::byte>& elf) {
  return *reinterpret_cast<const Elf64_Ehdr*>(elf.data());
}

/// Names of a shared object's sections.
std::vector<std::string> sections(const std::vector<std::byte>& elf) {
  const Elf64_Ehdr& head = header(elf);
  const auto* table = reinterpret_cast<const Elf64_Shdr*>(elf.data() + head.e_shoff);
  const char* names = reinterpret_cast<const char*>(elf.data() + table[head.e_shstrndx].sh_offset);
  std::vector<std::string> result;
  for (int k = 0; k < head.e_shnum; ++k) result.emplace_back(names + table[k].sh_name);
  return result;
}

/// How many entries of the dynamic section have this tag.
int dynamic_entries(const std::vector<std::byte>& elf, int64_t tag) {
  const Elf64_Ehdr& head = header(elf);
  const auto* table = reinterpret_cast<const Elf64_Phdr*>(elf.data() + head.e_phoff);
  int count = 0;
  for (int k = 0; k < head.e_phnum; ++k) {
    if (table[k].p_type != PT_DYNAMIC) continue;
    const auto* entry = reinterpret_cast<const Elf64_Dyn*>(elf.data() + table[k].p_offset);
    for (; entry->d_tag != DT_NULL; ++entry) count += entry->d_tag == tag ? 1 : 0;
  }
  return count;
}

TEST(Emit, RefusesATripleItHasNoBackendFor) {
  const loop::Program program = negate();
  Target target = sse2();
  target.triple = "vax-unknown-vms";
  auto code = emit({{"run", &program}}, target, {});
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().text(), AllOf(HasSubstr("vax-unknown-vms"), HasSubstr("x86_64-linux-gnu")));
}

TEST(Emit, RefusesAFeatureThatLlvmDoesNotKnow) {
  const loop::Program program = negate();
  Target target = sse2();
  target.features = "+sse2,+warp";
  auto code = emit({{"run", &program}}, target, {});
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().text(), HasSubstr("LLVM knows no feature '+warp'"));
}

TEST(Emit, RefusesArithmeticInIntegers) {
  loop::Program program = negate();
  program.arithmetic = DType::i32;
  auto code = emit({{"run", &program}}, sse2(), {});
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().text(), HasSubstr("arithmetic in i32"));
}

TEST(Emit, RefusesHalfPrecisionWhereTheTargetCannotConvert) {
  loop::Program program = negate();
  program.tensors[0].type.dtype = DType::f16;
  auto code = emit({{"run", &program}}, sse2(), {});
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().text(), HasSubstr("tensor x0 is f16"));
}

TEST(Emit, RefusesASymbolDefinedTwice) {
  const loop::Program program = negate();
  EmitOptions options;
  options.data = {{"run", "text"}};
  auto code = emit({{"run", &program}}, sse2(), options);
  ASSERT_FALSE(code);
  EXPECT_THAT(code.error().text(), HasSubstr("symbol run is defined twice"));
  EXPECT_FALSE(emit({{"run", &program}, {"run", &program}}, sse2(), {}));
}

TEST(Emit, MakesObjectsForBothArchitecturesOnAnyMachine) {
  const loop::Program program = negate();
  for (const Target& target : {sse2(), avx2(), avx512(), neon()}) {
    auto code = emit({{"run", &program}}, target, {});
    ASSERT_TRUE(code) << code.error().text();
    EXPECT_EQ(header(code->elf).e_machine, target.triple[0] == 'x' ? EM_X86_64 : EM_AARCH64);
    EXPECT_GT(code->code_bytes, 0);
    auto elf = link_shared({code->elf}, target, {"run"});
    ASSERT_TRUE(elf) << elf.error().text();
    EXPECT_EQ(header(*elf).e_type, ET_DYN);
    EXPECT_EQ(header(*elf).e_machine, target.triple[0] == 'x' ? EM_X86_64 : EM_AARCH64);
  }
}

TEST(Emit, NeedsNoLibraryForAnyOperationOnAnyTarget) {
  using enum ScalarOp;
  ScalarPtr all = read_access(0);
  for (ScalarOp op : {neg, abs, exp, log, tanh, sigmoid, sqrt, floor})
    all = make(add, {make(op, {all}), all});
  for (ScalarOp op : {div, maximum, minimum}) all = make(op, {all, read_access(1)});
  for (const Target& target : {sse2(), avx2(), avx512(), neon()}) {
    for (DType dtype : {DType::f32, DType::f64}) {
      for (int64_t lanes : {1, 16}) {
        const loop::Program program = elementwise(64, lanes, 2, all, dtype);
        auto code = emit({{"run", &program}}, target, {});
        ASSERT_TRUE(code) << code.error().text();
        auto elf = link_shared({code->elf}, target, {"run"});
        EXPECT_TRUE(elf) << elf.error().text();
      }
    }
  }
}

TEST(Emit, ZeroesLargeArraysWithoutMemset) {
  const loop::Program program = elementwise(1 << 16, 1, 0, make(ScalarOp::constant, {}, 0));
  for (const Target& target : {sse2(), avx512(), neon()}) {
    auto code = emit({{"run", &program}}, target, {});
    ASSERT_TRUE(code);
    EXPECT_TRUE(link_shared({code->elf}, target, {"run"}));
  }
}

TEST(Emit, CopiesLargeArraysWithoutMemcpy) {
  const loop::Program program = elementwise(1 << 16, 1, 1, read_access(0));
  auto code = emit({{"run", &program}}, sse2(), {});
  ASSERT_TRUE(code);
  EXPECT_TRUE(link_shared({code->elf}, sse2(), {"run"}));
}

TEST(Emit, GivesTheSameBytesEveryTimeAndFromEveryThread) {
  const loop::Program program = negate();
  const auto first = emit({{"run", &program}}, avx2(), {});
  ASSERT_TRUE(first);
  std::vector<Result<ObjectCode>> codes(4);
  {
    std::vector<std::jthread> threads;
    for (size_t k = 0; k < codes.size(); ++k) {
      threads.emplace_back([&, k] {
        for (int round = 0; round < 5; ++round) codes[k] = emit({{"run", &program}}, avx2(), {});
      });
    }
  }
  for (const auto& code : codes) {
    ASSERT_TRUE(code);
    EXPECT_EQ(code->elf, first->elf);
  }
}

TEST(Emit, CountsSpillsWhereAccumulatorsExceedRegisters) {
  const auto tile_of = [](int64_t copies) {
    loop::Program program;
    const int x = add_tensor(program, "x", Role::input, {64, 64});
    const int w = add_tensor(program, "w", Role::constant, {64, 4});
    const int y = add_tensor(program, "y", Role::output, {64, 4});
    loop::Tile tile;
    tile.stage = "s";
    tile.copies = {{"c", copies, 1}};
    tile.vector_variable = "v";
    tile.lanes = tile.active_lanes = 4;
    tile.reduce = {{"k", 64, 1}};
    tile.accesses = {{x, var("c") * 64 + var("k"), {}, 0}, {w, var("k") * 4 + var("v"), {}, 0}};
    tile.update = make(ScalarOp::mul, {read_access(0), read_access(1)});
    tile.value = make(ScalarOp::accumulator);
    tile.store = {y, var("c") * 4 + var("v"), {}, 0};
    program.phases.push_back(phase({}, 1, {statement(tile)}));
    return program;
  };
  const loop::Program small = tile_of(8), large = tile_of(40);
  auto few = emit({{"run", &small}}, sse2(), {});
  auto many = emit({{"run", &large}}, sse2(), {});
  ASSERT_TRUE(few);
  ASSERT_TRUE(many);
  EXPECT_EQ(few->spills, 0);
  EXPECT_GT(many->spills, 20);
}

/// The direct convolution's tile: `columns` x 2 vectors, the input broadcast, four steps per iteration, 24
/// blocks.
loop::Program convolution_tile(int64_t lanes, int64_t columns) {
  loop::Program program;
  const int64_t blocks = 24, width = columns * 14, step = blocks * lanes * lanes;
  const int x = add_tensor(program, "x", Role::input, {blocks, width, lanes});
  const int w = add_tensor(program, "w", Role::constant, {4, blocks * lanes, lanes});
  const int z = add_tensor(program, "z", Role::input, {4, width, lanes});
  const int y = add_tensor(program, "y", Role::output, {4, width, lanes});
  const Index column = var("ow.o") * columns + var("ow.i"), block = var("oc.o") * 2 + var("oc.t");
  loop::Tile tile;
  tile.stage = "conv";
  tile.copies = {{"oc.t", 2, 1}, {"ow.i", columns, 1}};
  tile.vector_variable = "oc.v";
  tile.lanes = tile.active_lanes = lanes;
  tile.reduce = {{"ic.o", blocks, 1}, {"ic.v", lanes, 4}};
  tile.accesses = {
      {x, var("ic.o") * (width * lanes) + column * lanes + var("ic.v"), {}, 0},
      {w, block * step + var("ic.o") * (lanes * lanes) + var("ic.v") * lanes + var("oc.v"), {}, 0},
      {z, block * (width * lanes) + column * lanes + var("oc.v"), {}, 0}};
  tile.update = make(ScalarOp::mul, {read_access(0), read_access(1)});
  tile.value = make(ScalarOp::add, {make(ScalarOp::accumulator), read_access(2)});
  tile.store = {y, block * (width * lanes) + column * lanes + var("oc.v"), {}, 0};
  program.phases.push_back(phase({{"oc.o", 2, 1}, {"ow.o", 14, 1}}, 28, {statement(tile)}));
  return program;
}

TEST(Emit, KeepsTheAccumulatorsOfAFullTileInRegisters) {
  for (const auto& [target, columns] : {std::pair(avx512(), 14), {avx2(), 6}, {neon(), 12}, {sse2(), 4}}) {
    const loop::Program program = convolution_tile(target.lanes(), columns);
    auto code = emit({{"run", &program}}, target, {});
    ASSERT_TRUE(code);
    EXPECT_EQ(code->spills, 0) << to_text(target);
  }
}

TEST(Link, RefusesToExportWhatNoObjectDefines) {
  const loop::Program program = negate();
  auto code = emit({{"run", &program}}, sse2(), {});
  ASSERT_TRUE(code);
  auto elf = link_shared({code->elf}, sse2(), {"run", "prepare"});
  ASSERT_FALSE(elf);
  EXPECT_THAT(elf.error().text(), AllOf(HasSubstr("the linker refused"), HasSubstr("prepare")));
}

TEST(Link, RefusesWhatIsNoObject) {
  const char text[] = "this is no object file, only some text that is long enough to look at";
  std::vector<std::byte> bytes(sizeof text);
  std::memcpy(bytes.data(), text, sizeof text);
  auto elf = link_shared({bytes}, sse2(), {"run"});
  ASSERT_FALSE(elf);
  EXPECT_THAT(elf.error().text(), HasSubstr("no ELF object"));
}

TEST(Link, RefusesAnUndefinedSymbolAndNamesIt) {
  std::ifstream file(HONE_UNDEFINED_OBJECT, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::byte> object(text.size());
  std::memcpy(object.data(), text.data(), text.size());
  auto elf = link_shared({object}, host_baseline(), {"run"});
  ASSERT_FALSE(elf);
  EXPECT_THAT(elf.error().text(), HasSubstr("undefined symbol: function_that_is_nowhere"));
}

TEST(Link, RefusesATornObjectAndWorksAfterwards) {
  const loop::Program program = negate();
  auto code = emit({{"run", &program}}, sse2(), {});
  ASSERT_TRUE(code);
  for (size_t bytes : {size_t{0}, size_t{10}, size_t{70}, code->elf.size() / 2, code->elf.size() - 1}) {
    std::vector<std::byte> torn(code->elf.begin(), code->elf.begin() + static_cast<long>(bytes));
    EXPECT_FALSE(link_shared({torn}, sse2(), {"run"})) << bytes;
  }
  EXPECT_TRUE(link_shared({code->elf}, sse2(), {"run"}));
}

TEST(Link, RefusesAnObjectOfAnotherArchitecture) {
  const loop::Program program = negate();
  auto code = emit({{"run", &program}}, neon(), {});
  ASSERT_TRUE(code);
  auto elf = link_shared({code->elf}, sse2(), {"run"});
  ASSERT_FALSE(elf);
  EXPECT_THAT(elf.error().text(), HasSubstr("another architecture: elf64-littleaarch64"));
}

TEST(Link, RefusesNothingAtAll) {
  auto elf = link_shared({}, sse2(), {});
  ASSERT_FALSE(elf);
  EXPECT_THAT(elf.error().text(), HasSubstr("nothing to link"));
}

TEST(Link, RefusesTwoObjectsThatDefineTheSameSymbol) {
  const loop::Program program = negate();
  auto code = emit({{"run", &program}}, sse2(), {});
  ASSERT_TRUE(code);
  auto elf = link_shared({code->elf, code->elf}, sse2(), {"run"});
  ASSERT_FALSE(elf);
  EXPECT_THAT(elf.error().text(), HasSubstr("duplicate symbol: run"));
}

TEST(Link, LeavesNothingNeededAndNothingToRunAtLoading) {
  const loop::Program program = negate();
  for (const Target& target : {sse2(), avx512(), neon()}) {
    auto code = emit({{"run", &program}}, target, {});
    ASSERT_TRUE(code);
    auto elf = link_shared({code->elf}, target, {"run"});
    ASSERT_TRUE(elf);
    EXPECT_EQ(dynamic_entries(*elf, DT_NEEDED), 0);
    EXPECT_EQ(dynamic_entries(*elf, DT_INIT), 0);
    EXPECT_EQ(dynamic_entries(*elf, DT_INIT_ARRAY), 0);
    EXPECT_EQ(dynamic_entries(*elf, DT_TEXTREL), 0);
    EXPECT_THAT(sections(*elf), testing::Not(testing::Contains(".eh_frame")));
  }
}

TEST(Link, ExportsExactlyWhatIsAskedFor) {
  const loop::Program program = negate();
  EmitOptions options;
  options.data = {{"signature", std::string("{\"a\": 1}\0", 9)}, {"hidden", "secret"}};
  const Target target = host_baseline();
  auto code = emit({{"run", &program}, {"prepare", &program}}, target, options);
  ASSERT_TRUE(code) << code.error().text();
  auto elf = link_shared({code->elf}, target, {"run", "signature"});
  ASSERT_TRUE(elf) << elf.error().text();
  const Library library(*elf);
  ASSERT_EQ(library.error(), "");
  EXPECT_NE(library.symbol("run"), nullptr);
  EXPECT_STREQ(static_cast<const char*>(library.symbol("signature")), "{\"a\": 1}");
  EXPECT_EQ(library.symbol("prepare"), nullptr);
  EXPECT_EQ(library.symbol("hidden"), nullptr);
}

TEST(Link, WorksFromSeveralThreadsAtOnce) {
  const loop::Program program = negate();
  auto code = emit({{"run", &program}}, avx2(), {});
  ASSERT_TRUE(code);
  std::vector<Result<std::vector<std::byte>>> results(4);
  {
    std::vector<std::jthread> threads;
    for (auto& result : results) {
      threads.emplace_back([&] {
        for (int round = 0; round < 10; ++round) {
          result = link_shared({code->elf}, avx2(), {"run"});
          if (!result || !emit({{"run", &program}}, avx2(), {})) return;
        }
      });
    }
  }
  for (const auto& result : results) {
    ASSERT_TRUE(result) << result.error().text();
    EXPECT_EQ(*result, *results[0]);
  }
}

}  // namespace
}  // namespace hone::test
