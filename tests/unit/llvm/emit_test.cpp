// What `emit` makes of programs written by hand: loops, tiles, guards, conversions, phases.
#include "codegen/llvm/emit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "tests/unit/llvm/compiled.h"

namespace hone::test {
namespace {

using loop::Access;
using loop::Loop;
using loop::Program;
using loop::Tile;

/// y[m, n] = sum over k of a[m, k] * b[k, n]: rows of the tile are copies, n is the vector; k is unrolled
/// with a rest.
struct MatMul {
  int64_t rows = 12, columns, depth = 23, tile_rows = 4, lanes, unroll = 4;
  bool shares = false;  ///< b packed by vectors of columns, and rows inside the loop over those

  Program program() const {
    Program p;
    const int a = add_tensor(p, "a", Role::input, {rows, depth});
    const int b = add_tensor(p, "b", Role::constant, {depth, columns});
    const int y = add_tensor(p, "y", Role::output, {rows, columns});
    const Index m = var("m.o") * tile_rows + var("m.i");
    const Index n = var("n.o") * lanes + var("n.v");
    Tile tile;
    tile.stage = "matmul";
    tile.copies = {{"m.i", tile_rows, 1}};
    tile.vector_variable = "n.v";
    tile.lanes = tile.active_lanes = lanes;
    tile.reduce = {{"k", depth, unroll}};
    const Index packed = var("n.o") * (depth * lanes) + var("k") * lanes + var("n.v");
    tile.accesses = {{a, m * depth + var("k"), {}, 0}, {b, shares ? packed : var("k") * columns + n, {}, 0}};
    tile.update = make(ScalarOp::mul, {read_access(0), read_access(1)});
    tile.value = make(ScalarOp::accumulator);
    tile.store = {y, m * columns + n, {}, 0};
    if (shares) {
      Loop rows_loop{"m.o", rows / tile_rows, 1, {statement(tile)}};
      p.phases.push_back(phase({{"n.o", columns / lanes, 1}}, columns / lanes, {statement(rows_loop)}));
      return p;
    }
    Loop columns_loop{"n.o", columns / lanes, 1, {statement(tile)}};
    p.phases.push_back(phase({{"m.o", rows / tile_rows, 1}}, rows / tile_rows, {statement(columns_loop)}));
    return p;
  }
};

float sample(int64_t k) { return static_cast<float>((k * 37 + 11) % 29) / 7 - 2; }

class EveryTarget : public testing::TestWithParam<Target> {
 protected:
  void SetUp() override {
    if (!runs(GetParam())) GTEST_SKIP() << "this machine does not run " << GetParam().features;
  }
  std::unique_ptr<Library> compiled(const Program& program) {
    auto library = compile(program, GetParam());
    EXPECT_TRUE(library.has_value()) << (library ? "" : library.error().text());
    return library ? std::move(*library) : nullptr;
  }
};

TEST_P(EveryTarget, MultipliesMatricesInRegisterTiles) {
  for (int64_t lanes :
       {int64_t{1}, int64_t{4}, int64_t{GetParam().lanes()}, int64_t{2 * GetParam().lanes()}}) {
    for (int64_t unroll : {1, 4, 23, 64}) {
      MatMul m{.columns = lanes * 3, .lanes = lanes, .unroll = unroll};
      auto library = compiled(m.program());
      ASSERT_TRUE(library);
      Array<float> a(m.rows * m.depth), b(m.depth * m.columns), y(m.rows * m.columns, -1e9f);
      for (size_t k = 0; k < a.size(); ++k) a[k] = sample(k);
      for (size_t k = 0; k < b.size(); ++k) b[k] = sample(k + 5);
      ASSERT_TRUE(library->run({a.view(), b.view(), y.view()}, 0, 0, m.rows / m.tile_rows));
      for (int64_t i = 0; i < m.rows; ++i) {
        for (int64_t j = 0; j < m.columns; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < m.depth; ++k) sum += double(a[i * m.depth + k]) * b[k * m.columns + j];
          ASSERT_NEAR(y[i * m.columns + j], sum, 1e-4)
              << "row " << i << " column " << j << " lanes " << lanes;
        }
      }
    }
  }
}

/// The assembly of y = a b emitted for a target.
std::string assembly(const MatMul& m, const Target& target) {
  const std::string prefix = testing::TempDir() + "hone_emit_" + std::to_string(getpid());
  const Program program = m.program();
  EXPECT_TRUE(emit({{"run", &program}}, target, {.dump_prefix = prefix}).has_value());
  std::ifstream file(prefix + ".s");
  std::stringstream text;
  text << file.rdbuf();
  for (const char* ending : {".ll", ".opt.ll", ".s"}) std::filesystem::remove(prefix + ending);
  return text.str();
}

TEST(Weights, ThatSeveralPassesReadAreAskedForIntoTheSecondLevelCacheAShareAhead) {
  MatMul m{.rows = 12, .columns = 64, .depth = 32, .tile_rows = 4, .lanes = 16};
  m.shares = true;
  const std::string again = assembly(m, avx512());
  EXPECT_NE(again.find("prefetcht1"), std::string::npos);
  EXPECT_EQ(again.find("prefetcht0"), std::string::npos);
  m.rows = 4;  // one pass: the same run, further on
  const std::string once = assembly(m, avx512());
  EXPECT_EQ(once.find("prefetcht1"), std::string::npos);
  EXPECT_NE(once.find("prefetcht0"), std::string::npos);
  m.rows = 12, m.depth = 8192;  // a share of 512 KB
  EXPECT_EQ(assembly(m, avx512()).find("prefetcht1"), std::string::npos);
}

TEST_P(EveryTarget, ComputesExactlyTheParallelIndicesAskedFor) {
  Program p = elementwise(64, 4, 1, make(ScalarOp::neg, {read_access(0)}));
  auto library = compiled(p);
  ASSERT_TRUE(library);
  Array<float> x(64, 3), y(64, 7);
  ASSERT_TRUE(library->run({x.view(), y.view()}, 0, 5, 5));
  ASSERT_TRUE(library->run({x.view(), y.view()}, 0, 7, 3));
  ASSERT_TRUE(library->run({x.view(), y.view()}, 1, 0, 16));  // there is no phase 1
  for (size_t k = 0; k < 64; ++k) ASSERT_EQ(y[k], 7) << k;
  ASSERT_TRUE(library->run({x.view(), y.view()}, 0, 3, 6));
  for (size_t k = 0; k < 64; ++k) ASSERT_EQ(y[k], k >= 12 && k < 24 ? -3 : 7) << k;
}

TEST_P(EveryTarget, DecodesParallelIndicesRowMajor) {
  Program p;
  const int y = add_tensor(p, "y", Role::output, {3, 1, 5, 7});
  Tile tile;
  tile.stage = "s";
  tile.value = std::make_shared<Scalar>(
      Scalar{ScalarOp::from_index, 0, -1, {var("a") * 100 + var("b") * 10 + var("c")}, {}, {}});
  tile.store = {y, var("a") * 35 + var("b") * 7 + var("c") + var("one"), {}, 0};
  p.phases.push_back(phase({{"a", 3, 1}, {"one", 1, 1}, {"b", 5, 1}, {"c", 7, 1}}, 105, {statement(tile)}));
  auto library = compiled(p);
  ASSERT_TRUE(library);
  Array<float> out(105, -1);
  ASSERT_TRUE(library->run({out.view()}, 0, 0, 105));
  for (int k = 0; k < 105; ++k) ASSERT_EQ(out[k], k / 35 * 100 + k / 7 % 5 * 10 + k % 7);
}

TEST_P(EveryTarget, ReadsGuardedElementsOutsideAsStated) {
  // y[i] = x[i - 3] with i - 3 outside giving 9.5; as scalars, as vectors and with strides.
  for (int64_t lanes : {1, 4, 8}) {
    for (int64_t stride : {1, 2}) {
      Program p;
      const int x = add_tensor(p, "x", Role::input, {stride * 40});
      const int y = add_tensor(p, "y", Role::output, {48});
      const Index i = var("i") * lanes + (lanes > 1 ? var("v") : Index(0));
      Tile tile;
      tile.stage = "s";
      if (lanes > 1) tile.vector_variable = "v";
      tile.lanes = tile.active_lanes = lanes;
      tile.accesses = {{x, (i - 3) * stride, {{i - 3, 0, 40}}, 9.5}};
      tile.value = read_access(0);
      tile.store = {y, i, {}, 0};
      p.phases.push_back(phase({{"i", 48 / lanes, 1}}, 48 / lanes, {statement(tile)}));
      auto library = compiled(p);
      ASSERT_TRUE(library);
      Array<float> in(stride * 40), out(48);
      for (size_t k = 0; k < in.size(); ++k) in[k] = static_cast<float>(k);
      ASSERT_TRUE(library->run({in.view(), out.view()}, 0, 0, 48 / lanes));
      for (int k = 0; k < 48; ++k)
        ASSERT_EQ(out[k], k < 3 || k >= 43 ? 9.5f : (k - 3) * stride) << lanes << " " << k;
    }
  }
}

TEST_P(EveryTarget, GuardsWholeVectorsByOneCondition) {
  // y[r, v] = x[r - 1, v], rows outside give 2: the guard does not depend on the vector variable. With one
  // row of 8 there is no room to read elsewhere.
  for (int64_t rows : {1, 6}) {
    Program p;
    const int x = add_tensor(p, "x", Role::input, {rows, 8});
    const int y = add_tensor(p, "y", Role::output, {rows + 2, 8});
    Tile tile;
    tile.stage = "s";
    tile.vector_variable = "v";
    tile.lanes = tile.active_lanes = 8;
    tile.accesses = {{x, (var("r") - 1) * 8 + var("v"), {{var("r") - 1, 0, rows}}, 2}};
    tile.value = read_access(0);
    tile.store = {y, var("r") * 8 + var("v"), {}, 0};
    p.phases.push_back(phase({{"r", rows + 2, 1}}, rows + 2, {statement(tile)}));
    auto library = compiled(p);
    ASSERT_TRUE(library);
    Array<float> in(rows * 8), out((rows + 2) * 8);
    for (size_t k = 0; k < in.size(); ++k) in[k] = static_cast<float>(k) + 100;
    ASSERT_TRUE(library->run({in.view(), out.view()}, 0, 0, rows + 2));
    for (int64_t k = 0; k < (rows + 2) * 8; ++k) {
      ASSERT_EQ(out[k], k < 8 || k >= (rows + 1) * 8 ? 2.0f : 100 + k - 8) << k;
    }
  }
}

TEST_P(EveryTarget, StoresOnlyGuardedAndActiveLanes) {
  for (int64_t lanes : {4, 8, 16}) {
    for (int64_t stride : {1, 3}) {
      for (bool guarded : {false, true}) {
        Program p;
        const int x = add_tensor(p, "x", Role::input, {16});
        const int y = add_tensor(p, "y", Role::output, {16 * stride});
        Tile tile;
        tile.stage = "s";
        tile.vector_variable = "v";
        tile.lanes = lanes;
        tile.active_lanes = lanes - 1;
        tile.accesses = {{x, var("v"), {}, 0}};
        tile.value = read_access(0);
        tile.store = {y, var("v") * stride, {}, 0};
        if (guarded) tile.store.guards = {{var("v"), 1, 100}};
        p.phases.push_back(phase({}, 1, {statement(tile)}));
        auto library = compiled(p);
        ASSERT_TRUE(library);
        Array<float> in(16, 5), out(16 * stride, -1);
        ASSERT_TRUE(library->run({in.view(), out.view()}, 0, 0, 1));
        for (int64_t k = 0; k < 16 * stride; ++k) {
          const int64_t lane = k / stride;
          const bool written = k % stride == 0 && lane < lanes - 1 && (!guarded || lane >= 1);
          ASSERT_EQ(out[k], written ? 5.0f : -1.0f)
              << "lanes " << lanes << " stride " << stride << " at " << k;
        }
      }
    }
  }
}

TEST_P(EveryTarget, FollowsQuotientsAndRemaindersInOffsets) {
  // y[i] = x[(i - 5) % 4 + (i - 5) / 4 + min(i, 3) + max(i, 2)], rounding down, along vectors and along
  // loops.
  for (int64_t lanes : {1, 4}) {
    Program p;
    const int x = add_tensor(p, "x", Role::input, {64});
    const int y = add_tensor(p, "y", Role::output, {16});
    const Index i = var("i") * lanes + (lanes > 1 ? var("v") : Index(0));
    Tile tile;
    tile.stage = "s";
    if (lanes > 1) tile.vector_variable = "v";
    tile.lanes = tile.active_lanes = lanes;
    const auto atom = [&](Atom::Kind kind, const Index& operand, int64_t divisor) {
      Index index;
      index.terms = {{1, {kind, "", std::make_shared<Index>(operand), divisor}}};
      return index;
    };
    const Index offset = atom(Atom::Kind::modulo, i - 5, 4) + atom(Atom::Kind::floor_div, i - 5, 4) +
                         atom(Atom::Kind::minimum, i, 3) + atom(Atom::Kind::maximum, i, 2) + 2;
    tile.accesses = {{x, offset, {}, 0}};
    tile.value = read_access(0);
    tile.store = {y, i, {}, 0};
    p.phases.push_back(phase({{"i", 16 / lanes, 1}}, 16 / lanes, {statement(tile)}));
    auto library = compiled(p);
    ASSERT_TRUE(library);
    Array<float> in(64), out(16);
    for (size_t k = 0; k < 64; ++k) in[k] = static_cast<float>(k);
    ASSERT_TRUE(library->run({in.view(), out.view()}, 0, 0, 16 / lanes));
    for (int k = 0; k < 16; ++k) {
      const int quotient = static_cast<int>(std::floor((k - 5) / 4.0));
      ASSERT_EQ(out[k], (k - 5) - quotient * 4 + quotient + std::min(k, 3) + std::max(k, 2) + 2) << k;
    }
  }
}

TEST_P(EveryTarget, ReducesByMaximumAndKeepsNaN) {
  Program p;
  const int x = add_tensor(p, "x", Role::input, {9, 4});
  const int y = add_tensor(p, "y", Role::output, {4});
  Tile tile;
  tile.stage = "s";
  tile.vector_variable = "v";
  tile.lanes = tile.active_lanes = 4;
  tile.reduce = {{"k", 9, 2}};
  tile.combiner = Combiner::maximum;
  tile.accesses = {{x, var("k") * 4 + var("v"), {}, 0}};
  tile.update = read_access(0);
  tile.value = make(ScalarOp::accumulator);
  tile.store = {y, var("v"), {}, 0};
  p.phases.push_back(phase({}, 1, {statement(tile)}));
  auto library = compiled(p);
  ASSERT_TRUE(library);
  Array<float> in(36), out(4);
  for (size_t k = 0; k < 36; ++k) in[k] = -100 + sample(k);
  in[1] = std::nanf("");          // the first
  in[8 * 4 + 2] = std::nanf("");  // the last
  ASSERT_TRUE(library->run({in.view(), out.view()}, 0, 0, 1));
  for (int lane : {0, 3}) {
    float most = in[lane];
    for (int k = 0; k < 9; ++k) most = std::max(most, in[k * 4 + lane]);
    EXPECT_EQ(out[lane], most);
  }
  EXPECT_TRUE(std::isnan(out[1]));
  EXPECT_TRUE(std::isnan(out[2]));
}

TEST_P(EveryTarget, ConvertsElementTypesOnLoadAndStore) {
  for (DType from : {DType::f32, DType::f64, DType::i8, DType::u8, DType::i32, DType::i64}) {
    for (int64_t lanes : {1, 8}) {
      Program p;
      p.arithmetic = DType::f64;
      const int x = add_tensor(p, "x", Role::input, {8}, from);
      const int y = add_tensor(p, "y", Role::output, {8}, DType::f64);
      const int z = add_tensor(p, "z", Role::output, {8}, from);
      const Index i = lanes > 1 ? var("v") : var("i");
      Tile tile;
      tile.stage = "s";
      if (lanes > 1) tile.vector_variable = "v";
      tile.lanes = tile.active_lanes = lanes;
      tile.accesses = {{x, i, {}, 0}};
      tile.value = make(ScalarOp::add, {read_access(0), make(ScalarOp::constant, {}, 1)});
      tile.store = {y, i, {}, 0};
      Tile back = tile;
      back.store.tensor = z;
      p.phases.push_back(phase({{"i", 8 / lanes, 1}}, 8 / lanes, {statement(tile), statement(back)}));
      auto library = compiled(p);
      ASSERT_TRUE(library) << to_text(from);
      Array<double> in(8), wide(8), narrow(8);
      for (int k = 0; k < 8; ++k) {
        const int value = from == DType::u8 ? 200 + k : 3 * k - 10;
        switch (from) {
          case DType::f32:
            reinterpret_cast<float*>(in.data())[k] = static_cast<float>(value);
            break;
          case DType::f64:
            in[k] = value;
            break;
          case DType::i32:
            reinterpret_cast<int32_t*>(in.data())[k] = value;
            break;
          case DType::i64:
            reinterpret_cast<int64_t*>(in.data())[k] = value;
            break;
          default:
            reinterpret_cast<int8_t*>(in.data())[k] = static_cast<int8_t>(value);
        }
      }
      ASSERT_TRUE(library->run({in.view(), wide.view(), narrow.view()}, 0, 0, 8 / lanes));
      for (int k = 0; k < 8; ++k) {
        const double expected = (from == DType::u8 ? 200 + k : 3 * k - 10) + 1;
        EXPECT_EQ(wide[k], expected) << to_text(from) << " " << k;
        double stored = 0;
        switch (from) {
          case DType::f32:
            stored = reinterpret_cast<float*>(narrow.data())[k];
            break;
          case DType::f64:
            stored = narrow[k];
            break;
          case DType::i32:
            stored = reinterpret_cast<int32_t*>(narrow.data())[k];
            break;
          case DType::i64:
            stored = static_cast<double>(reinterpret_cast<int64_t*>(narrow.data())[k]);
            break;
          case DType::u8:
            stored = reinterpret_cast<uint8_t*>(narrow.data())[k];
            break;
          default:
            stored = reinterpret_cast<int8_t*>(narrow.data())[k];
        }
        EXPECT_EQ(stored, expected) << to_text(from) << " " << k;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Targets, EveryTarget, testing::Values(sse2(), avx2(), avx512(), neon()),
                         [](const auto& info) {
                           return (info.param.triple[0] == 'x' ? "x86_" : "arm_") +
                                  std::to_string(info.param.vector_bits);
                         });

}  // namespace
}  // namespace hone::test
