// The picture of a roofline: what a machine could do, and its operators below.
#pragma once

#include <string>
#include <vector>

#include "devices/roofline.h"

namespace hone::roofline {

/// One point of the picture.
struct RooflinePoint {
  std::string label;
  Work work;
  double share = 0;  ///< of the roof: bound over time
};
/// SVG text: operations per byte to the right, GFLOP/s upwards, both logarithmic; the roofs of the machine as
/// lines, an operator's area grows with its time; the points that would gain the most time at their roof have
/// labels.
std::string roofline_svg(const std::string& title, const Machine& machine, std::vector<RooflinePoint> points);

}  // namespace hone::roofline
