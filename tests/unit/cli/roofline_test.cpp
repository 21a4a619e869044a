// The roofline: bounds of an operator, what is measured, and the picture.
#include "tuner/cli/roofline.h"

#include <gmock/gmock.h>

namespace hone::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

Machine machine() {
  Machine m;
  m.flops = 200e9;
  m.l2_bytes = 200e9;
  m.llc_bytes = 100e9;
  m.dram_bytes = 20e9;
  m.l2_size = 1 << 20;
  m.llc_size = 32 << 20;
  return m;
}

TEST(Roofline, BoundsArithmeticByThePeak) {
  const Bound bound = bound_of({.arithmetic = 2e9, .other_bytes = 1000, .seconds = 1}, 0, machine());
  EXPECT_DOUBLE_EQ(bound.compute, 0.01);
  EXPECT_DOUBLE_EQ(bound.seconds(), 0.01);
}

TEST(Roofline, BoundsActivationsByTheLevelThatHoldsThem) {
  const auto memory = [](double bytes) { return bound_of({.other_bytes = bytes}, 0, machine()).memory; };
  EXPECT_DOUBLE_EQ(memory(2e5), 2e5 / 200e9);
  EXPECT_DOUBLE_EQ(memory(2e6), 2e6 / 100e9);
  EXPECT_DOUBLE_EQ(memory(1e8), 1e8 / 20e9);
}

TEST(Roofline, ReadsConstantsFromMemoryOnceAllOfThemOutgrowTheCache) {
  const Work work{.constant_bytes = 1e6};
  EXPECT_DOUBLE_EQ(bound_of(work, 1e6, machine()).memory, 1e6 / 100e9);
  EXPECT_DOUBLE_EQ(bound_of(work, 1e8, machine()).memory, 1e6 / 20e9);
}

TEST(Roofline, MeasuresSpeedsThatFallFromArithmeticToMemory) {
  const Machine found = measure_machine(1);
  EXPECT_EQ(found.threads, 1);
  EXPECT_GT(found.flops, 0);
  EXPECT_GT(found.l2_bytes, 0);
  EXPECT_GT(found.llc_bytes, 0);
  EXPECT_GT(found.dram_bytes, 0);
}

TEST(Roofline, DrawsEveryOperatorAndLabelsThoseWithMostToGain) {
  std::vector<RooflinePoint> points;
  for (int i = 0; i < 20; ++i) points.push_back({"good " + std::to_string(i), {1e6, 1e4, 1e4, 6e-6}, 0.9});
  points.push_back({"bad <one>", {1e6, 1e4, 1e4, 1e-3}, 0.1});
  const std::string svg = roofline_svg("a & b", machine(), points);
  EXPECT_THAT(svg, testing::StartsWith("<svg"));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  size_t circles = 0;
  for (size_t at = 0; (at = svg.find("<circle", at)) != std::string::npos; ++at) ++circles;
  EXPECT_EQ(circles, points.size());
  EXPECT_THAT(svg, HasSubstr(">bad &lt;one&gt; (10 %)<"));
  EXPECT_THAT(svg, HasSubstr("a &amp; b"));
  EXPECT_THAT(svg, HasSubstr("memory 20 GB/s"));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(Roofline, LeavesOutWhatComputesNothing) {
  const std::string svg = roofline_svg("empty", machine(), {{"copy", {0, 0, 1e4, 1e-6}, 0.5}});
  EXPECT_THAT(svg, Not(HasSubstr("<circle")));
}

}  // namespace
}  // namespace hone::cli
