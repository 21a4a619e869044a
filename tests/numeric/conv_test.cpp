// Convolutions of random shapes and random parameters give what the float64 reference gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/numeric/task_texts.h"

namespace hone::testing {
namespace {

using ::testing::IsEmpty;

void report(const char* name, const Sweep& s) {
  std::printf("%s: %d checked, worst factor %.3g, worst L2 %.3g\n", name, s.checked, s.worst_factor,
              s.worst_l2);
}

TEST(Conv, DirectMatchesTheReferenceOnRandomShapesAndParameters) {
  const Sweep s = sweep("direct", 40, 1, [](std::mt19937& random) { return random_conv(random).text(); });
  report("direct", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, FirstLayerMatchesTheReference) {
  const Sweep s = sweep("first_layer", 20, 2, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.in = pick<int64_t>(random, {1, 2, 3, 4});
    c.kernel = pick<int64_t>(random, {3, 5, 7});
    c.h = c.w = pick<int64_t>(random, {17, 32, 35});
    c.dilation = 1;
    c.pad = pick<int64_t>(random, {0, c.kernel / 2});
    return c.text();
  });
  report("first_layer", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, GroupsMatchTheReference) {
  const Sweep s = sweep("grouped", 15, 3, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.groups = pick<int64_t>(random, {2, 3, 5});
    c.in = c.groups * pick<int64_t>(random, {1, 4, 7});
    c.out = c.groups * pick<int64_t>(random, {1, 2, 8});
    return c.text();
  });
  report("grouped", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, GroupsOfWholeBlocksMatchTheReference) {
  const Sweep s = sweep("direct", 10, 4, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.groups = pick<int64_t>(random, {2, 3});
    c.in = c.groups * pick<int64_t>(random, {16, 32});
    c.out = c.groups * pick<int64_t>(random, {16, 48});
    return c.text();
  });
  report("direct groups", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

/// 3x3, stride 1, with sizes that tiles divide and that they hang over.
std::string winograd_conv(std::mt19937& random) {
  ConvText c = random_conv(random);
  c.in = pick<int64_t>(random, {16, 20, 32, 48});
  c.out = pick<int64_t>(random, {16, 24, 32, 64});
  c.kernel = 3;
  c.stride = c.dilation = 1;
  c.pad = pick<int64_t>(random, {0, 1, 1});
  c.h = pick<int64_t>(random, {12, 13, 14, 16, 17, 28});
  c.w = pick<int64_t>(random, {12, 13, 14, 16, 17, 35});
  return c.text();
}

TEST(Conv, WinogradOfFourByFourMatchesTheReference) {
  const Sweep s = sweep("winograd4", 25, 6, winograd_conv);
  report("winograd4", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, WinogradOfTwoByTwoMatchesTheReference) {
  const Sweep s = sweep("winograd2", 25, 7, winograd_conv);
  report("winograd2", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, DepthwiseMatchesTheReference) {
  const Sweep s = sweep("depthwise", 25, 5, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.in = c.out = c.groups = pick<int64_t>(random, {3, 5, 16, 20, 24, 32, 100});
    c.kernel = pick<int64_t>(random, {3, 3, 5, 7});
    c.pad = pick<int64_t>(random, {1, c.kernel / 2});
    c.dilation = c.kernel == 3 ? pick<int64_t>(random, {1, 1, 2}) : 1;
    return c.text();
  });
  report("depthwise", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

}  // namespace
}  // namespace hone::testing
