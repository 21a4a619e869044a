// Index arithmetic: everything is brought to one linear form first, and a quotient or remainder is split into
// the part that the divisor divides and a rest, which mostly vanishes once the ranges of its axes are known.
#include "codegen/expr/index.h"

#include <algorithm>
#include <numeric>

#include "codegen/base/result.h"

namespace hone {
namespace {

int64_t floor_quotient(int64_t a, int64_t b) {
  int64_t q = a / b;
  return q * b > a ? q - 1 : q;
}

std::string atom_key(const Atom& atom) {
  if (atom.kind == Atom::Kind::axis) return atom.axis;
  Index index;
  index.terms.push_back({1, atom});
  return to_text(index);
}

bool before(const Atom& a, const Atom& b) {
  if (a.kind == Atom::Kind::axis && b.kind == Atom::Kind::axis) return a.axis < b.axis;
  return atom_key(a) < atom_key(b);
}

Index from_atom(Atom atom) {
  Index index;
  index.terms.push_back({1, std::move(atom)});
  return index;
}

Index make_atom(Atom::Kind kind, Index operand, int64_t divisor) {
  return from_atom(Atom{kind, {}, std::make_shared<const Index>(std::move(operand)), divisor});
}

Interval range_of_atom(const Atom& atom, const AxisRanges& ranges) {
  if (atom.kind == Atom::Kind::axis) return ranges(atom.axis);
  Interval inner = range_of(*atom.operand, ranges);
  int64_t d = atom.divisor;
  switch (atom.kind) {
    case Atom::Kind::floor_div:
      return {floor_quotient(inner.lo, d), floor_quotient(inner.hi, d)};
    case Atom::Kind::modulo: {
      int64_t period = floor_quotient(inner.lo, d);
      if (period == floor_quotient(inner.hi, d)) return {inner.lo - period * d, inner.hi - period * d};
      return {0, d - 1};
    }
    case Atom::Kind::minimum:
      return {std::min(inner.lo, d), std::min(inner.hi, d)};
    default:
      return {std::max(inner.lo, d), std::max(inner.hi, d)};
  }
}

/// index = whole * divisor + rest, the coefficients and the constant of `rest` smaller than the divisor.
struct Divided {
  Index whole, rest;
};
Divided divide(const Index& index, int64_t divisor) {
  Divided result;
  result.whole.constant = floor_quotient(index.constant, divisor);
  result.rest.constant = index.constant - result.whole.constant * divisor;
  for (const Index::Term& term : index.terms) {
    int64_t q = term.coefficient / divisor, r = term.coefficient % divisor;
    if (q != 0) result.whole.terms.push_back({q, term.atom});
    if (r != 0) result.rest.terms.push_back({r, term.atom});
  }
  return result;
}

/// index = factor * multiple + rest with 0 <= rest < factor, for a factor of `divisor` that is as large as
/// possible: then the rest takes no part in a division. Factor 1 if there is none.
struct Factored {
  int64_t factor = 1;
  Index multiple, rest;
};
Factored factor_out(const Index& index, int64_t divisor, const AxisRanges& ranges) {
  Factored best;
  for (const Index::Term& candidate : index.terms) {
    int64_t g = std::gcd(candidate.coefficient, divisor);
    if (g <= best.factor) continue;
    Factored one{g, {}, {}};
    one.multiple.constant = floor_quotient(index.constant, g);
    one.rest.constant = index.constant - one.multiple.constant * g;
    for (const Index::Term& term : index.terms) {
      if (term.coefficient % g == 0) {
        one.multiple.terms.push_back({term.coefficient / g, term.atom});
      } else {
        one.rest.terms.push_back(term);
      }
    }
    Interval rest = range_of(one.rest, ranges);
    if (rest.lo >= 0 && rest.hi < g) best = std::move(one);
  }
  return best;
}

/// c * (e % d) + c * d * (e / d) is c * e: how the index of a fused axis becomes linear again.
bool recombine(Index& index) {
  for (size_t m = 0; m < index.terms.size(); ++m) {
    const Index::Term modulo_term = index.terms[m];
    if (modulo_term.atom.kind != Atom::Kind::modulo) continue;
    for (size_t q = 0; q < index.terms.size(); ++q) {
      const Index::Term& quotient = index.terms[q];
      if (quotient.atom.kind != Atom::Kind::floor_div || quotient.atom.divisor != modulo_term.atom.divisor)
        continue;
      if (quotient.coefficient != modulo_term.coefficient * modulo_term.atom.divisor) continue;
      if (!(*quotient.atom.operand == *modulo_term.atom.operand)) continue;
      index.terms.erase(index.terms.begin() + static_cast<std::ptrdiff_t>(std::max(m, q)));
      index.terms.erase(index.terms.begin() + static_cast<std::ptrdiff_t>(std::min(m, q)));
      index = index + *modulo_term.atom.operand * modulo_term.coefficient;
      return true;
    }
  }
  return false;
}

/// The atom that `index` consists of, or null.
const Atom* sole_atom(const Index& index, Atom::Kind kind) {
  bool sole = index.constant == 0 && index.terms.size() == 1 && index.terms[0].coefficient == 1;
  return sole && index.terms[0].atom.kind == kind ? &index.terms[0].atom : nullptr;
}

}  // namespace

bool Atom::operator==(const Atom& other) const {
  if (kind != other.kind || axis != other.axis || divisor != other.divisor) return false;
  if (!operand || !other.operand) return operand == other.operand;
  return *operand == *other.operand;
}

Index Index::axis(const std::string& name) { return from_atom(Atom{Atom::Kind::axis, name, nullptr, 0}); }

namespace {

/// What the remainder of `quotient`'s operand by its divisor is a remainder of: (x % 12) % 4 is kept as x
/// % 4 (and (6 * x) % 4 as (2 * x) % 4).
const Index& remainder_operand(const Atom& quotient) {
  const Index& operand = *quotient.operand;
  const Atom* inner = sole_atom(operand, Atom::Kind::modulo);
  return inner && inner->divisor % quotient.divisor == 0 ? *inner->operand : operand;
}

/// One pair d * (x / d) + x % d, times a factor, becomes x: what fused axes leave behind. False if there is
/// none.
bool rejoin_once(Index& index) {
  for (size_t i = 0; i < index.terms.size(); ++i) {
    const Index::Term quotient = index.terms[i];
    if (quotient.atom.kind != Atom::Kind::floor_div || quotient.coefficient % quotient.atom.divisor != 0)
      continue;
    const int64_t factor = quotient.coefficient / quotient.atom.divisor;
    for (size_t j = 0; j < index.terms.size(); ++j) {
      const Index::Term& rest = index.terms[j];
      if (rest.atom.kind != Atom::Kind::modulo || rest.coefficient != factor ||
          rest.atom.divisor != quotient.atom.divisor ||
          *rest.atom.operand != divide(remainder_operand(quotient.atom), rest.atom.divisor).rest)
        continue;
      index.terms.erase(index.terms.begin() + static_cast<std::ptrdiff_t>(std::max(i, j)));
      index.terms.erase(index.terms.begin() + static_cast<std::ptrdiff_t>(std::min(i, j)));
      index = index + *quotient.atom.operand * factor;
      return true;
    }
  }
  return false;
}

}  // namespace

Index operator+(const Index& a, const Index& b) {
  Index sum;
  sum.constant = a.constant + b.constant;
  sum.terms.reserve(a.terms.size() + b.terms.size());
  size_t i = 0, j = 0;
  while (i < a.terms.size() || j < b.terms.size()) {
    if (j == b.terms.size() || (i < a.terms.size() && before(a.terms[i].atom, b.terms[j].atom))) {
      sum.terms.push_back(a.terms[i++]);
    } else if (i == a.terms.size() || before(b.terms[j].atom, a.terms[i].atom)) {
      sum.terms.push_back(b.terms[j++]);
    } else {
      int64_t coefficient = a.terms[i].coefficient + b.terms[j].coefficient;
      if (coefficient != 0) sum.terms.push_back({coefficient, a.terms[i].atom});
      ++i, ++j;
    }
  }
  while (rejoin_once(sum)) {
  }
  recombine(sum);
  return sum;
}

Index operator*(const Index& a, int64_t factor) {
  if (factor == 0) return {};
  Index product = a;
  product.constant *= factor;
  for (Index::Term& term : product.terms) term.coefficient *= factor;
  return product;
}

Index operator-(const Index& a, const Index& b) { return a + b * -1; }

Interval range_of(const Index& index, const AxisRanges& ranges) {
  Interval sum{index.constant, index.constant};
  for (const Index::Term& term : index.terms) {
    Interval one = range_of_atom(term.atom, ranges);
    int64_t a = one.lo * term.coefficient, b = one.hi * term.coefficient;
    sum.lo += std::min(a, b);
    sum.hi += std::max(a, b);
  }
  return sum;
}

Index floor_div(const Index& index, int64_t divisor, const AxisRanges& ranges) {
  HONE_CHECK(divisor > 0);
  if (divisor == 1) return index;
  Divided parts = divide(index, divisor);
  Interval rest = range_of(parts.rest, ranges);
  int64_t quotient = floor_quotient(rest.lo, divisor);
  if (quotient == floor_quotient(rest.hi, divisor)) return parts.whole + quotient;
  if (Factored f = factor_out(parts.rest, divisor, ranges); f.factor > 1)
    return parts.whole + floor_div(f.multiple, divisor / f.factor, ranges);
  if (const Atom* inner = sole_atom(parts.rest, Atom::Kind::floor_div))
    return parts.whole + floor_div(*inner->operand, inner->divisor * divisor, ranges);
  return parts.whole + make_atom(Atom::Kind::floor_div, parts.rest, divisor);
}

Index modulo(const Index& index, int64_t divisor, const AxisRanges& ranges) {
  HONE_CHECK(divisor > 0);
  if (divisor == 1) return {};
  Index rest = divide(index, divisor).rest;
  Interval range = range_of(rest, ranges);
  int64_t quotient = floor_quotient(range.lo, divisor);
  if (quotient == floor_quotient(range.hi, divisor)) return rest - quotient * divisor;
  if (Factored f = factor_out(rest, divisor, ranges); f.factor > 1)
    return modulo(f.multiple, divisor / f.factor, ranges) * f.factor + f.rest;
  if (const Atom* inner = sole_atom(rest, Atom::Kind::modulo); inner && inner->divisor % divisor == 0)
    return modulo(*inner->operand, divisor, ranges);
  return make_atom(Atom::Kind::modulo, rest, divisor);
}

Index minimum(const Index& index, int64_t bound, const AxisRanges& ranges) {
  Interval range = range_of(index, ranges);
  if (range.hi <= bound) return index;
  if (range.lo >= bound) return bound;
  return make_atom(Atom::Kind::minimum, index, bound);
}

Index maximum(const Index& index, int64_t bound, const AxisRanges& ranges) {
  Interval range = range_of(index, ranges);
  if (range.lo >= bound) return index;
  if (range.hi <= bound) return bound;
  return make_atom(Atom::Kind::maximum, index, bound);
}

Index substitute(const Index& index, const std::function<const Index*(const std::string&)>& replacement,
                 const AxisRanges& ranges) {
  Index result = index.constant;
  for (const Index::Term& term : index.terms) {
    const Atom& atom = term.atom;
    if (atom.kind == Atom::Kind::axis) {
      const Index* other = replacement(atom.axis);
      result = result + (other ? *other : from_atom(atom)) * term.coefficient;
      continue;
    }
    Index operand = substitute(*atom.operand, replacement, ranges);
    Index value;
    switch (atom.kind) {
      case Atom::Kind::floor_div:
        value = floor_div(operand, atom.divisor, ranges);
        break;
      case Atom::Kind::modulo:
        value = modulo(operand, atom.divisor, ranges);
        break;
      case Atom::Kind::minimum:
        value = minimum(operand, atom.divisor, ranges);
        break;
      default:
        value = maximum(operand, atom.divisor, ranges);
    }
    result = result + value * term.coefficient;
  }
  return result;
}

Stride stride_of(const Index& index, const std::string& axis) {
  Stride stride{0, true};
  for (const Index::Term& term : index.terms) {
    if (term.atom.kind == Atom::Kind::axis) {
      if (term.atom.axis == axis) stride.value = term.coefficient;
      continue;
    }
    Stride inner = stride_of(*term.atom.operand, axis);
    if (inner.value != 0 || !inner.linear) stride.linear = false;
  }
  return stride;
}

int64_t evaluate(const Index& index, const std::function<int64_t(const std::string&)>& axis_value) {
  int64_t sum = index.constant;
  for (const Index::Term& term : index.terms) {
    const Atom& atom = term.atom;
    int64_t value =
        atom.kind == Atom::Kind::axis ? axis_value(atom.axis) : evaluate(*atom.operand, axis_value);
    switch (atom.kind) {
      case Atom::Kind::axis:
        break;
      case Atom::Kind::floor_div:
        value = floor_quotient(value, atom.divisor);
        break;
      case Atom::Kind::modulo:
        value -= floor_quotient(value, atom.divisor) * atom.divisor;
        break;
      case Atom::Kind::minimum:
        value = std::min(value, atom.divisor);
        break;
      case Atom::Kind::maximum:
        value = std::max(value, atom.divisor);
        break;
    }
    sum += term.coefficient * value;
  }
  return sum;
}

namespace {

std::string operand_text(const Index& index) {
  bool simple = index.terms.empty() ||
                (index.constant == 0 && index.terms.size() == 1 && index.terms[0].coefficient == 1 &&
                 index.terms[0].atom.kind == Atom::Kind::axis);
  return simple ? to_text(index) : "(" + to_text(index) + ")";
}

std::string atom_text(const Atom& atom) {
  std::string bound = std::to_string(atom.divisor);
  switch (atom.kind) {
    case Atom::Kind::axis:
      return atom.axis;
    case Atom::Kind::floor_div:
      return operand_text(*atom.operand) + "/" + bound;
    case Atom::Kind::modulo:
      return operand_text(*atom.operand) + "%" + bound;
    case Atom::Kind::minimum:
      return "min(" + to_text(*atom.operand) + ", " + bound + ")";
    default:
      return "max(" + to_text(*atom.operand) + ", " + bound + ")";
  }
}

}  // namespace

std::string to_text(const Index& index) {
  std::string text;
  for (const Index::Term& term : index.terms) {
    int64_t magnitude = std::abs(term.coefficient);
    if (text.empty()) {
      if (term.coefficient < 0) text += "-";
    } else {
      text += term.coefficient < 0 ? " - " : " + ";
    }
    std::string atom = atom_text(term.atom);
    bool infix = term.atom.kind == Atom::Kind::floor_div || term.atom.kind == Atom::Kind::modulo;
    if (magnitude != 1) atom = std::to_string(magnitude) + "*" + (infix ? "(" + atom + ")" : atom);
    text += atom;
  }
  if (text.empty()) return std::to_string(index.constant);
  if (index.constant > 0) text += " + " + std::to_string(index.constant);
  if (index.constant < 0) text += " - " + std::to_string(-index.constant);
  return text;
}

}  // namespace hone
