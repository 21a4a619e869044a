// Convolutions of random shapes and random parameters give what the float64 reference gives.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/numeric/checking.h"

namespace hone::testing {
namespace {

using ::testing::IsEmpty;

struct ConvText {
  int64_t in, out, h, w, kernel, stride = 1, pad = 0, dilation = 1, groups = 1;
  std::string chain = "relu";
  bool bias = true;

  int64_t extent(int64_t size) const { return (size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1; }
  std::string text() const {
    std::string s = fmt::format("%x = input f32[1x{}x{}x{}]\n", in, h, w);
    if (chain == "add") s += fmt::format("%r = input f32[1x{}x{}x{}]\n", out, extent(h), extent(w));
    if (chain == "mul") s += fmt::format("%r = input f32[1x{}x1x1]\n", out);
    s += fmt::format("%w = constant f32[{}x{}x{}x{}]\n", out, in / groups, kernel, kernel);
    if (bias) s += fmt::format("%b = constant f32[{}]\n", out);
    s += fmt::format("%0 = conv %x %w{} {{strides=[{},{}] pads=[{},{},{},{}] dilations=[{},{}] groups={}}}\n",
                     bias ? " %b" : "", stride, stride, pad, pad, pad, pad, dilation, dilation, groups);
    if (chain == "none") return s + "output %0\n";
    if (chain == "add") return s + "%1 = add %0 %r\n%2 = relu %1\noutput %2\n";
    if (chain == "mul") return s + "%1 = mul %0 %r\n%2 = hard_swish %1\noutput %2\n";
    if (chain == "clip") return s + "%1 = clip %0 {min=0.0 max=6.0}\noutput %1\n";
    return s + "%1 = " + chain + " %0\noutput %1\n";
  }
};

ConvText random_conv(std::mt19937& random) {
  ConvText c{};
  c.in = pick<int64_t>(random, {5, 8, 16, 20, 24, 32, 100});
  c.out = pick<int64_t>(random, {1, 3, 5, 16, 20, 24, 32, 64, 100});
  c.h = pick<int64_t>(random, {7, 9, 13});
  c.w = pick<int64_t>(random, {7, 13, 14, 17, 28, 35, 55});
  c.kernel = pick<int64_t>(random, {1, 1, 3, 3, 5});
  c.stride = pick<int64_t>(random, {1, 1, 2});
  c.pad = pick<int64_t>(random, {0, c.kernel / 2});
  c.dilation = c.kernel == 3 ? pick<int64_t>(random, {1, 1, 2}) : 1;
  c.bias = random() % 2;
  c.chain = pick<std::string>(random, {"none", "relu", "clip", "add", "mul", "sigmoid"});
  return c;
}

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
