// Points as text.
#include "codegen/task/point.h"

namespace hone {

std::string to_text(const Point& point) {
  const std::string parameters = to_text(point.parameters);
  return parameters.empty() ? point.formulation : point.formulation + " " + parameters;
}

Result<Point> parse_point(std::string_view text) {
  const size_t space = text.find(' ');
  Point point{std::string(text.substr(0, space)), {}};
  if (point.formulation.empty() || point.formulation.find('=') != std::string::npos) {
    return fail("a point begins with the name of a formulation", std::string(text));
  }
  if (space != std::string_view::npos) {
    HONE_TRY(point.parameters, parse_parameters(text.substr(space + 1)));
  }
  return point;
}

}  // namespace hone
