// Points as vectors of choices.
#include "tuner/search/points.h"

#include <algorithm>
#include <cmath>

namespace hone {

int64_t point_count(const std::vector<PointSpace>& spaces) {
  constexpr int64_t most = int64_t{1} << 40;
  int64_t sum = 0;
  for (const PointSpace& space : spaces) sum = std::min(most, sum + search::point_count(space));
  return sum;
}

namespace search {

uint64_t Random::next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

int64_t point_count(const PointSpace& space) {
  constexpr int64_t most = int64_t{1} << 40;
  int64_t product = 1;
  for (const ParameterRange& range : space.space) {
    if (range.choices.empty()) return 0;
    product = std::min(most, product * static_cast<int64_t>(range.choices.size()));
  }
  return product;
}

Point point_at(const PointSpace& space, int64_t i) {
  Point point{space.formulation, {}};
  for (auto range = space.space.rbegin(); range != space.space.rend(); ++range) {
    const auto choices = static_cast<int64_t>(range->choices.size());
    point.parameters[range->name] = range->choices[i % choices];
    i /= choices;
  }
  return point;
}

Point random_point(const std::vector<PointSpace>& spaces, Random& random) {
  // Each formulation equally often, or a large space would hide a small one.
  const PointSpace& space = spaces[random.below(static_cast<int64_t>(spaces.size()))];
  Point point{space.formulation, {}};
  for (const ParameterRange& range : space.space) {
    point.parameters[range.name] = range.choices[random.below(static_cast<int64_t>(range.choices.size()))];
  }
  return point;
}

bool contains(const PointSpace& space, const Point& point) {
  if (point.formulation != space.formulation || point.parameters.size() != space.space.size()) return false;
  return std::all_of(space.space.begin(), space.space.end(), [&](const ParameterRange& range) {
    const auto found = point.parameters.find(range.name);
    return found != point.parameters.end() && std::ranges::count(range.choices, found->second) > 0;
  });
}

Point fitted(const PointSpace& space, const Point& point) {
  Point result{space.formulation, {}};
  for (const ParameterRange& range : space.space) {
    const auto given = point.parameters.find(range.name);
    const auto first = space.first.find(range.name);
    const int64_t wanted = given != point.parameters.end() ? given->second
                           : first != space.first.end()    ? first->second
                                                           : range.choices.front();
    // Choices like 0 (off) and -1 are met exactly or not at all.
    const auto distance = [&](int64_t choice) {
      if (choice == wanted) return -1.0;
      if (choice <= 0 || wanted <= 0) return 1e3 + std::abs(static_cast<double>(choice - wanted));
      return std::abs(std::log2(static_cast<double>(choice) / static_cast<double>(wanted)));
    };
    result.parameters[range.name] = *std::ranges::min_element(range.choices, {}, distance);
  }
  return result;
}

const PointSpace* find_space(const std::vector<PointSpace>& spaces, const std::string& formulation) {
  const auto found = std::ranges::find(spaces, formulation, &PointSpace::formulation);
  return found == spaces.end() ? nullptr : &*found;
}

Point mutate(const PointSpace& space, Point point, Random& random) {
  if (space.space.empty()) return point;
  do {
    const ParameterRange& range = space.space[random.below(static_cast<int64_t>(space.space.size()))];
    const auto size = static_cast<int64_t>(range.choices.size());
    if (size < 2) continue;
    int64_t& value = point.parameters[range.name];
    const int64_t at = std::ranges::find(range.choices, value) - range.choices.begin();
    int64_t to = random.below(size);
    if (random.unit() < 0.5) to = std::clamp<int64_t>(at + (random.unit() < 0.5 ? 1 : -1), 0, size - 1);
    value = range.choices[to];
  } while (random.unit() < 0.35);
  return point;
}

std::vector<Point> neighbours(const PointSpace& space, const Point& point) {
  std::vector<Point> points;
  for (const ParameterRange& range : space.space) {
    const auto at = std::ranges::find(range.choices, point.parameters.at(range.name));
    const auto step = [&](auto to) {
      Point next = point;
      next.parameters[range.name] = *to;
      points.push_back(std::move(next));
    };
    if (at != range.choices.begin()) step(at - 1);
    if (at + 1 < range.choices.end()) step(at + 1);
  }
  return points;
}

Point cross(const Point& a, const Point& b, Random& random) {
  Point child = a;
  for (auto& [name, value] : child.parameters) {
    if (random.unit() < 0.5) value = b.parameters.at(name);
  }
  return child;
}

}  // namespace search
}  // namespace hone
