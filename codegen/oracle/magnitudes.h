// Private header. Numbers with the magnitude that their rounding errors pass through: those of
// codegen/CONTRACTS.md (checks), one function each. Formulations obey the same rules when they write reference artifacts
// (formulation/magnitude.cpp).
#pragma once

#include <algorithm>
#include <cmath>

#include "codegen/oracle/oracle.h"

namespace hone::oracle {

using Element = Oracle::Element;

/// Bounds that stand for "none" (the lowest float) carry no rounding error.
inline Element constant(double c) { return {c, std::abs(c) > 1e30 ? 0 : std::abs(c)}; }
inline Element exact(double x) { return {x, std::abs(x)}; }

inline Element plus(Element a, Element b) { return {a.value + b.value, a.magnitude + b.magnitude}; }
inline Element minus(Element a, Element b) { return {a.value - b.value, a.magnitude + b.magnitude}; }
inline Element times(Element a, Element b) {
  return {a.value * b.value, std::abs(a.value) * b.magnitude + std::abs(b.value) * a.magnitude};
}
inline Element over(Element a, Element b) {
  return {a.value / b.value,
          a.magnitude / std::abs(b.value) + std::abs(a.value) * b.magnitude / (b.value * b.value)};
}

/// NaN if either is.
inline double larger(double a, double b) { return std::isnan(a) || a > b ? a : b; }
inline double smaller(double a, double b) { return std::isnan(a) || a < b ? a : b; }
inline Element maximum(Element a, Element b) {
  return {larger(a.value, b.value), larger(a.magnitude, b.magnitude)};
}
inline Element minimum(Element a, Element b) {
  return {smaller(a.value, b.value), larger(a.magnitude, b.magnitude)};
}
inline Element clamp(Element x, double lo, double hi) {
  return minimum(maximum(x, constant(lo)), constant(hi));
}

inline Element negative(Element a) { return {-a.value, a.magnitude}; }
inline Element absolute(Element a) { return {std::abs(a.value), a.magnitude}; }
inline Element power_of_e(Element a) {
  const double e = std::exp(a.value);
  return {e, e * (1 + a.magnitude)};
}
inline Element logarithm(Element a) {
  const double l = std::log(a.value);
  return {l, std::abs(l) + a.magnitude / std::abs(a.value)};
}
inline Element hyperbolic_tangent(Element a) {
  const double t = std::tanh(a.value);
  return {t, std::abs(t) + a.magnitude};
}
inline Element sigmoid(Element a) {
  const double s = 1 / (1 + std::exp(-a.value));
  return {s, s + 0.25 * a.magnitude};
}
/// Near 0 the derivative has no bound; the error of a root is at most the root of the error there.
inline Element root(Element a) {
  const double r = std::sqrt(a.value);
  return {r, r + 0.5 * a.magnitude / larger(r, 1e-6)};
}

}  // namespace hone::oracle
