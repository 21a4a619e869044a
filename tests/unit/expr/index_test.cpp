// Index arithmetic: the canonical form, what ranges prove, and random expressions against plain integers.
#include "codegen/expr/index.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "tests/support/properties.h"

namespace hone {
namespace {

Index ax(const char* name) { return Index::axis(name); }

AxisRanges extents(std::map<std::string, int64_t> of) {
  return [of = std::move(of)](const std::string& name) { return Interval{0, of.at(name) - 1}; };
}

TEST(Index, EqualExpressionsCompareEqual) {
  EXPECT_EQ(ax("a") + ax("b") * 2 - 1, ax("b") + Index(-1) + ax("a") + ax("b"));
  EXPECT_EQ(ax("a") - ax("a"), Index(0));
  EXPECT_NE(ax("a"), ax("b"));
}

TEST(Index, PrintsAsTheHeaderSays) {
  AxisRanges ranges = extents({{"oc.b", 4}, {"oc.v", 16}, {"ow", 55}, {"h", 60}});
  EXPECT_EQ(to_text(ax("oc.b") * 16 + ax("oc.v") - 1), "16*oc.b + oc.v - 1");
  EXPECT_EQ(to_text(floor_div(ax("ow") + 3, 2, ranges)), "(ow + 1)/2 + 1");
  EXPECT_EQ(to_text(floor_div(ax("ow") + 1, 2, ranges) * 3), "3*((ow + 1)/2)");
  EXPECT_EQ(to_text(modulo(ax("ow"), 16, ranges)), "ow%16");
  EXPECT_EQ(to_text(minimum(ax("h"), 55, ranges)), "min(h, 55)");
  EXPECT_EQ(to_text(ax("h") * -1), "-h");
  EXPECT_EQ(to_text(Index(0)), "0");
}

TEST(Index, DividingByTheBlockOfASplitAxisVanishes) {
  AxisRanges ranges = extents({{"ic.o", 4}, {"ic.v", 16}});
  Index channel = ax("ic.o") * 16 + ax("ic.v");
  EXPECT_EQ(floor_div(channel, 16, ranges), ax("ic.o"));
  EXPECT_EQ(modulo(channel, 16, ranges), ax("ic.v"));
}

TEST(Index, ASmallerTileOfTheBlockStillSimplifies) {
  AxisRanges ranges = extents({{"o", 4}, {"t", 2}, {"v", 8}});
  Index channel = ax("o") * 16 + ax("t") * 8 + ax("v");
  EXPECT_EQ(floor_div(channel, 16, ranges), ax("o"));
  EXPECT_EQ(modulo(channel, 16, ranges), ax("t") * 8 + ax("v"));
  EXPECT_EQ(floor_div(ax("o") * 24, 16, ranges), ax("o") + floor_div(ax("o"), 2, ranges));
}

TEST(Index, AnUnsplitAxisKeepsItsQuotient) {
  AxisRanges ranges = extents({{"c", 64}});
  EXPECT_EQ(to_text(floor_div(ax("c"), 16, ranges)), "c/16");
  EXPECT_EQ(floor_div(floor_div(ax("c"), 4, ranges), 4, ranges), floor_div(ax("c"), 16, ranges));
  EXPECT_EQ(modulo(modulo(ax("c"), 16, ranges), 4, ranges), modulo(ax("c"), 4, ranges));
}

TEST(Index, ATileThatDividesTheRowKeepsItsPlaceInAFusedAxis) {
  AxisRanges ranges = extents({{"o", 224}, {"t", 14}});
  Index fused = ax("o") * 14 + ax("t");
  EXPECT_EQ(floor_div(fused, 56, ranges), floor_div(ax("o"), 4, ranges));
  EXPECT_EQ(modulo(fused, 56, ranges), modulo(ax("o"), 4, ranges) * 14 + ax("t"));
}

TEST(Index, RowsAndColumnsOfAFusedAxisRecombine) {
  AxisRanges ranges = extents({{"o", 224}, {"t", 14}});
  Index fused = ax("o") * 14 + ax("t");
  for (int64_t width : {7, 13, 28, 55, 56, 112})
    EXPECT_EQ(floor_div(fused, width, ranges) * width + modulo(fused, width, ranges), fused) << width;
  EXPECT_NE(floor_div(fused, 55, ranges) * 57 + modulo(fused, 55, ranges), fused);
}

TEST(Index, ThreeFusedAxesRecombineAlsoWhereATileSharesADivisorWithARow) {
  // 272 x 14 x 14 in vectors of 16 and tiles of 4: 16 and 64 are no multiples of 14, but have parts of it.
  AxisRanges ranges = extents({{"o", 833}, {"t", 4}, {"v", 16}});
  const Index whole = ax("o") * 64 + ax("t") * 16 + ax("v");
  const Index plane = modulo(whole, 196, ranges);
  EXPECT_EQ(
      floor_div(whole, 196, ranges) * 196 + floor_div(plane, 14, ranges) * 14 + modulo(plane, 14, ranges),
      whole);
}

TEST(Index, ClampsVanishWhereRangesProveThem) {
  AxisRanges ranges = extents({{"h", 10}});
  EXPECT_EQ(minimum(ax("h"), 9, ranges), ax("h"));
  EXPECT_EQ(minimum(ax("h") + 9, 9, ranges), Index(9));
  EXPECT_EQ(maximum(ax("h") - 12, 0, ranges), Index(0));
}

TEST(Index, SubstitutionSimplifiesAgain) {
  AxisRanges ranges = extents({{"c", 64}, {"o", 4}, {"v", 16}});
  Index split = ax("o") * 16 + ax("v");
  auto replacement = [&](const std::string& name) { return name == "c" ? &split : nullptr; };
  EXPECT_EQ(substitute(floor_div(ax("c"), 16, ranges), replacement, ranges), ax("o"));
}

TEST(Index, StridesAreLinearOnlyOutsideOfAtoms) {
  AxisRanges ranges = extents({{"c", 64}, {"w", 9}});
  Index index = floor_div(ax("c"), 16, ranges) * 8 + ax("w") * 3;
  EXPECT_EQ(stride_of(index, "w").value, 3);
  EXPECT_TRUE(stride_of(index, "w").linear);
  EXPECT_FALSE(stride_of(index, "c").linear);
  EXPECT_EQ(stride_of(index, "other").value, 0);
}

/// A random index over a, b, c of the extents, built from every operation.
Index random_index(int depth, const AxisRanges& ranges) {
  int64_t pick = *rc::gen::inRange(0, depth == 0 ? 2 : 7);
  if (pick == 0) return *rc::gen::inRange(-20, 20);
  if (pick == 1) return Index::axis(*rc::gen::element<std::string>("a", "b", "c"));
  Index one = random_index(depth - 1, ranges);
  if (pick == 2) return one + random_index(depth - 1, ranges);
  if (pick == 3) return one * *rc::gen::inRange(-4, 20);
  int64_t divisor = *rc::gen::element<int64_t>(1, 2, 3, 4, 6, 8, 16);
  if (pick == 4) return floor_div(one, divisor, ranges);
  if (pick == 5) return modulo(one, divisor, ranges);
  return minimum(maximum(one, -divisor, ranges), divisor, ranges);
}

TEST(Index, SimplificationKeepsTheValueAtEveryPoint) {
  test::check_property("simplification", [] {
    std::map<std::string, int64_t> of = {
        {"a", *rc::gen::inRange(1, 6)}, {"b", *rc::gen::inRange(1, 18)}, {"c", 3}};
    AxisRanges ranges = extents(of);
    Index index = random_index(4, ranges);
    int64_t divisor = *rc::gen::inRange(1, 20);
    Index quotient = floor_div(index, divisor, ranges), rest = modulo(index, divisor, ranges);
    Interval reach = range_of(index, ranges);
    for (int64_t a = 0; a < of["a"]; ++a)
      for (int64_t b = 0; b < of["b"]; ++b)
        for (int64_t c = 0; c < of["c"]; ++c) {
          std::map<std::string, int64_t> at = {{"a", a}, {"b", b}, {"c", c}};
          auto value = [&](const std::string& name) { return at.at(name); };
          int64_t v = evaluate(index, value), r = evaluate(rest, value);
          RC_ASSERT(reach.lo <= v && v <= reach.hi);
          RC_ASSERT(0 <= r && r < divisor);
          RC_ASSERT(evaluate(quotient, value) * divisor + r == v);
        }
  });
}

}  // namespace
}  // namespace hone
