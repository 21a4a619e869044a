// Points: one way to compute a task, by name and parameters, and the spaces that they lie in.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/formulation/formulation.h"

namespace hone {

/// One point of the spaces of a task: a formulation and its parameter vector.
struct Point {
  std::string formulation;
  Parameters parameters;
  bool operator==(const Point&) const = default;
};
std::string to_text(const Point& point);  ///< "direct oc_tile=2 ow_tile=14": as in Round.seen; parses back
Result<Point> parse_point(std::string_view text);

/// The space of one formulation that covers the task.
struct PointSpace {
  std::string formulation;
  SearchSpace space;
  Parameters first;  ///< what the target alone implies
  int version = 1;   ///< rises whenever the same parameters come to mean something else
};

}  // namespace hone
