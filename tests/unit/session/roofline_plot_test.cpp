// The picture of the roofline.
#include "tuner/session/roofline_plot.h"

#include <gmock/gmock.h>

namespace hone::roofline {
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
}  // namespace hone::roofline
