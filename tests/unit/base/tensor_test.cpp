#include "codegen/base/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace hone {
namespace {

using testing::HasSubstr;

TEST(Layout, PrintsAndParsesBack) {
  for (const char* text : {"abcd", "aBcd16b", "ABcd16b16a", "ba", "scalar", "aBcd4b"})
    EXPECT_EQ(to_text(parse_layout(text).value()), text);
}

TEST(Layout, RejectsWhatIsNoPermutationOrHasABadBlock) {
  EXPECT_THAT(parse_layout("aacd").error().text(), HasSubstr("does not name each dimension once"));
  EXPECT_THAT(parse_layout("aBcd").error().text(), HasSubstr("capital letter without a block"));
  EXPECT_THAT(parse_layout("abcd16b").error().text(), HasSubstr("bad block"));
  EXPECT_THAT(parse_layout("aBcd16").error().text(), HasSubstr("ends in a number"));
}

TEST(Placement, PrintsAndParsesBack) {
  const Placement placement{{0, 0, 1, 1}, {0, 0, 1, 2}, 64, 16};
  EXPECT_EQ(to_text(placement), "halo 0,0,1,1:0,0,1,2 channels 64+16");
  EXPECT_EQ(parse_placement(to_text(placement)).value(), placement);
  EXPECT_EQ(parse_placement("").value(), Placement{});
  EXPECT_FALSE(parse_placement("halo 1,1"));
}

TEST(Sizes, ThatOverflowAreTheLargestNumberAndNotASmallOne) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  constexpr int64_t kBillions = int64_t{1} << 32;
  EXPECT_EQ(element_count({kBillions, kBillions}), kMost);  // as a plain product it is 0
  EXPECT_EQ(element_count({kMost, kMost, 0}), 0);
  EXPECT_EQ(byte_count({DType::f64, {int64_t{1} << 61}}), kMost);
  EXPECT_EQ(byte_count({DType::f32, {1000, 1000}}), 4000000);
  EXPECT_EQ(geometry({kBillions, kBillions}, Layout::plain(2), {}).elements, kMost);
  EXPECT_EQ(geometry({1, 8, 4, 4}, Layout::plain(4), {{0, 0, kMost, 0}, {0, 0, kMost, 0}, 0, 0}).elements,
            kMost);
}

TEST(Sizes, OfTensorsThatCannotBeHadAreRefused) {
  EXPECT_THAT(verify(TensorType{DType::f32, {int64_t{1} << 32, int64_t{1} << 32}}).error().text(),
              HasSubstr("shape 4294967296x4294967296 is empty or too large"));
  EXPECT_THAT(verify(TensorType{DType::f32, {3, 0}}).error().text(), HasSubstr("empty or too large"));
  EXPECT_THAT(verify(TensorType{DType::f32, Shape(9, 1)}).error().text(),
              HasSubstr("more than 8 dimensions"));
  EXPECT_TRUE(verify(TensorType{DType::f32, {int64_t{1} << 18, int64_t{1} << 18}}));
}

TEST(Geometry, OfPlainTensorIsRowMajor) {
  const Geometry g = geometry({2, 3, 4}, Layout::plain(3), {});
  EXPECT_EQ(g.elements, 24);
  EXPECT_EQ(element_offset(g, {1, 2, 3}), 23);
}

TEST(Geometry, PadsChannelsUpToTheBlock) {
  const Geometry g = geometry({1, 20, 5, 7}, Layout::channel_blocked(16), {});
  EXPECT_EQ(g.elements, 2 * 5 * 7 * 16);
  EXPECT_EQ(element_offset(g, {0, 17, 2, 3}), ((1 * 5 + 2) * 7 + 3) * 16 + 1);
}

TEST(Geometry, ReachesEveryHaloElementOnceAndStaysInside) {
  const Placement halo{{0, 0, 1, 2}, {0, 0, 3, 1}, 0, 0};
  const Geometry g = geometry({1, 8, 3, 5}, Layout::channel_blocked(4), halo);
  std::set<int64_t> seen;
  for (int64_t c = 0; c < 8; ++c)
    for (int64_t h = -1; h < 6; ++h)
      for (int64_t w = -2; w < 6; ++w) seen.insert(element_offset(g, {0, c, h, w}));
  EXPECT_EQ(static_cast<int64_t>(seen.size()), g.elements);
  EXPECT_EQ(*seen.begin(), 0);
  EXPECT_EQ(*seen.rbegin(), g.elements - 1);
}

TEST(Geometry, PlacesARangeOfChannelsInAWiderBuffer) {
  const Geometry whole = geometry({2, 64, 3, 3}, Layout::channel_blocked(16), {});
  const Geometry part = geometry({2, 16, 3, 3}, Layout::channel_blocked(16), {{}, {}, 64, 32});
  EXPECT_EQ(part.elements, whole.elements);
  EXPECT_EQ(element_offset(part, {1, 5, 2, 1}), element_offset(whole, {1, 37, 2, 1}));
}

TEST(TensorType, PrintsAndParsesBack) {
  const TensorType type{DType::f32, {1, 3, 224, 224}};
  EXPECT_EQ(to_text(type), "f32[1x3x224x224]");
  EXPECT_EQ(parse_tensor_type("f32[1x3x224x224]").value(), type);
  EXPECT_EQ(parse_tensor_type("i64[scalar]").value(), (TensorType{DType::i64, {}}));
  EXPECT_FALSE(parse_tensor_type("f32[1x-3]"));
  EXPECT_FALSE(parse_tensor_type("f17[1]"));
}

}  // namespace
}  // namespace hone
