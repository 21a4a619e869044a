// Index expressions: integers made of axes. Kept in one canonical linear form, so that equal expressions compare equal
// and a division by a channel block vanishes once the axis is split by that block.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace hone {

struct Index;

/// What a term is a multiple of: an axis, or a quotient, remainder or clamp of another index that does not simplify.
struct Atom {
  enum class Kind : uint8_t { axis, floor_div, modulo, minimum, maximum } kind = Kind::axis;
  std::string axis;                      ///< for Kind::axis
  std::shared_ptr<const Index> operand;  ///< for the others
  int64_t divisor = 0;                   ///< divisor, modulus or bound
  bool operator==(const Atom& other) const;
};

/// constant + sum of coefficient * atom. Terms are sorted by text and have no zero coefficients.
struct Index {
  struct Term {
    int64_t coefficient;
    Atom atom;
    bool operator==(const Term&) const = default;
  };
  int64_t constant = 0;
  std::vector<Term> terms;
  bool operator==(const Index&) const = default;

  Index() = default;
  Index(int64_t value) : constant(value) {}  // NOLINT: integers are indices
  static Index axis(const std::string& name);
  bool is_constant() const { return terms.empty(); }
};

Index operator+(const Index& a, const Index& b);
Index operator-(const Index& a, const Index& b);
Index operator*(const Index& a, int64_t factor);

struct Interval {
  int64_t lo, hi;  ///< both included
};
/// The range of an axis by name: [0, extent).
using AxisRanges = std::function<Interval(const std::string& axis)>;

Interval range_of(const Index& index, const AxisRanges& ranges);
/// Simplified with what the ranges prove: (16 a + b) / 16 is a where 0 <= b < 16. divisor > 0, rounding down.
Index floor_div(const Index& index, int64_t divisor, const AxisRanges& ranges);
Index modulo(const Index& index, int64_t divisor, const AxisRanges& ranges);
Index minimum(const Index& index, int64_t bound, const AxisRanges& ranges);
Index maximum(const Index& index, int64_t bound, const AxisRanges& ranges);

/// Replaces axes (by name; those for which `replacement` gives nullptr stay) and simplifies again.
Index substitute(const Index& index, const std::function<const Index*(const std::string&)>& replacement,
                 const AxisRanges& ranges);
/// The coefficient of an axis if the index is linear in it; `linear` is false if it occurs inside an atom.
struct Stride {
  int64_t value;
  bool linear;
};
Stride stride_of(const Index& index, const std::string& axis);
int64_t evaluate(const Index& index, const std::function<int64_t(const std::string&)>& axis_value);
std::string to_text(const Index& index);  ///< "16*oc.b + oc.v - 1", "(ow + 1)/2 + 1", "ow%16", "min(h, 55)"

}  // namespace hone
