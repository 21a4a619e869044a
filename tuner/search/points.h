// Drawing, changing and joining points of search spaces, with a random generator that is the same everywhere.
// Private to tuner/search.
#pragma once

#include <cstdint>

#include "tuner/search/search.h"

namespace hone::search {

/// splitmix64: the standard library's distributions differ between implementations.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next();
  int64_t below(int64_t bound) { return static_cast<int64_t>(next() % static_cast<uint64_t>(bound)); }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }

 private:
  uint64_t state_;
};

int64_t point_count(const PointSpace& space);
/// The i-th point in row-major order of the choices.
Point point_at(const PointSpace& space, int64_t i);
Point random_point(const std::vector<PointSpace>& spaces, Random& random);
/// Whether every parameter has one of the space's values, and no other parameter is there.
bool contains(const PointSpace& space, const Point& point);
/// The point of `space` that is nearest to one of another space: each parameter's nearest choice on a
/// logarithmic scale; the space's first value where `point` does not say.
Point fitted(const PointSpace& space, const Point& point);
const PointSpace* find_space(const std::vector<PointSpace>& spaces, const std::string& formulation);
/// Changes one parameter, now and then more: to a neighbouring value as often as to any.
Point mutate(const PointSpace& space, Point point, Random& random);
/// All points that are one step of one parameter away.
std::vector<Point> neighbours(const PointSpace& space, const Point& point);
/// Each parameter from either parent; both lie in `space`.
Point cross(const Point& a, const Point& b, Random& random);

}  // namespace hone::search
