// Toom and Cook's construction. With M(x) = x (x^2 - p^2) (x^2 - q^2) ...: the row of B^T for the point t
// holds the coefficients of M(x) / (x - t), the row for infinity those of M(x); G holds the powers of t over
// M'(t); A^T the powers of t. For a pair +-p, M / (x -+ p) = x Q +- p Q with Q = M / (x^2 - p^2): one half of
// even, one of odd elements.
#include "codegen/formulation/winograd_transform.h"

#include <array>
#include <cmath>

#include "codegen/base/result.h"

namespace hone::winograd {
namespace {

ScalarPtr plus(const ScalarPtr& a, const ScalarPtr& b) { return scalar::binary(ScalarOp::add, a, b); }
ScalarPtr minus(const ScalarPtr& a, const ScalarPtr& b) { return scalar::binary(ScalarOp::sub, a, b); }
ScalarPtr times(double factor, const ScalarPtr& a) {
  return factor == 1 ? a : scalar::binary(ScalarOp::mul, a, scalar::constant(factor));
}
/// sum + factor * a; `sum` may be null.
ScalarPtr add_multiple(const ScalarPtr& sum, double factor, const ScalarPtr& a) {
  if (factor == 0) return sum;
  if (!sum) return times(factor, a);
  if (factor == -1) return minus(sum, a);
  return plus(sum, times(factor, a));
}

/// Coefficients, lowest power first, of the product of (z - p^2) over all pairs but number `without`.
std::vector<double> square_polynomial(const std::vector<double>& pairs, size_t without) {
  std::vector<double> result{1};
  for (size_t k = 0; k < pairs.size(); ++k) {
    if (k == without) continue;
    result.push_back(0);
    for (size_t i = result.size(); i-- > 0;)
      result[i] = (i > 0 ? result[i - 1] : 0) - pairs[k] * pairs[k] * result[i];
  }
  return result;
}

/// sum of coefficients[i] * d(first + 2 i), from the highest, whose coefficient is 1.
ScalarPtr alternate(const std::vector<double>& coefficients, int first, const Elements& d) {
  ScalarPtr sum;
  for (size_t i = coefficients.size(); i-- > 0;)
    sum = add_multiple(sum, coefficients[i], d(first + 2 * static_cast<int>(i)));
  return sum;
}

/// Elements are asked for once each, so that all rows share them.
std::vector<ScalarPtr> all(int64_t count, const Elements& elements) {
  std::vector<ScalarPtr> result;
  for (int64_t i = 0; i < count; ++i) result.push_back(elements(static_cast<int>(i)));
  return result;
}

}  // namespace

std::vector<double> pairs_for(int64_t points) {
  switch (points) {
    case 4:
      return {1};
    case 6:
      return {1, 2};
    case 8:
      return {1, 2, 0.5};
    case 10:
      return {1, 2, 0.5, 0.75};
    case 12:
      return {1, 2, 0.5, 1.5, 0.75};
    default:
      HONE_CHECK(false);
      return {};
  }
}

std::vector<ScalarPtr> input_rows(int64_t m, int64_t r, const Elements& elements) {
  const auto pairs = pairs_for(m + r - 1);
  const auto d = all(m + r - 1, elements);
  const auto at = [&](int i) { return d[static_cast<size_t>(i)]; };
  const auto whole = square_polynomial(pairs, pairs.size());
  std::vector<ScalarPtr> rows{alternate(whole, 0, at)};
  for (size_t k = 0; k < pairs.size(); ++k) {
    const auto quotient = square_polynomial(pairs, k);
    const ScalarPtr even = alternate(quotient, 2, at), odd = times(pairs[k], alternate(quotient, 1, at));
    rows.push_back(plus(even, odd));
    rows.push_back(minus(even, odd));
  }
  rows.push_back(alternate(whole, 1, at));
  return rows;
}

std::vector<ScalarPtr> output_rows(int64_t m, int64_t r, const Elements& elements) {
  const auto pairs = pairs_for(m + r - 1);
  const auto e = all(m + r - 1, elements);
  std::vector<ScalarPtr> sums, differences, rows;
  for (size_t k = 0; k < pairs.size(); ++k) {
    sums.push_back(plus(e[2 * k + 1], e[2 * k + 2]));
    differences.push_back(minus(e[2 * k + 1], e[2 * k + 2]));
  }
  for (int64_t i = 0; i < m; ++i) {
    ScalarPtr row = i == 0 ? e.front() : nullptr;
    for (size_t k = 0; k < pairs.size(); ++k)
      row = add_multiple(row, std::pow(pairs[k], static_cast<double>(i)),
                         i % 2 == 0 ? sums[k] : differences[k]);
    if (i == m - 1) row = plus(row, e.back());
    rows.push_back(row);
  }
  return rows;
}

std::vector<ScalarPtr> weight_rows(int64_t m, int64_t r, const Elements& elements) {
  const auto pairs = pairs_for(m + r - 1);
  const auto g = all(r, elements);
  std::vector<double> points{0};
  for (const double p : pairs) points.insert(points.end(), {p, -p});
  std::vector<ScalarPtr> rows;
  for (const double point : points) {
    double scale = 1;
    for (const double other : points)
      if (other != point) scale *= point - other;
    ScalarPtr row = times(1 / scale, g[0]);
    for (int64_t k = 1; k < r; ++k)
      row = add_multiple(row, std::pow(point, static_cast<double>(k)) / scale, g[static_cast<size_t>(k)]);
    rows.push_back(row);
  }
  rows.push_back(g.back());
  return rows;
}

ScalarPtr pick(const Index& number, const std::vector<ScalarPtr>& rows) {
  ScalarPtr result = rows.back();
  for (size_t k = rows.size() - 1; k-- > 0;)
    result = scalar::select_less(scalar::from_index(number), scalar::constant(static_cast<double>(k + 1)),
                                 rows[k], result);
  return result;
}

}  // namespace hone::winograd
