// Bounds inference: each read's index is taken apart into a part over the fixed variables and a range of the
// rest.
#include "codegen/loop/region.h"

#include <fmt/format.h>

namespace hone::loop {
namespace {

/// index = origin (over fixed variables) + something in `rest`.
struct Parted {
  Index origin;
  Interval rest;
};

bool mentions(const Index& index, const std::set<std::string>& names) {
  for (const Index::Term& term : index.terms) {
    bool inside = term.atom.kind == Atom::Kind::axis ? names.count(term.atom.axis) > 0
                                                     : mentions(*term.atom.operand, names);
    if (inside) return true;
  }
  return false;
}

Parted part(const Index& index, const std::set<std::string>& outer, const AxisRanges& ranges) {
  Index origin, inner;
  inner.constant = index.constant;
  for (const Index::Term& term : index.terms) {
    bool fixed = term.atom.kind == Atom::Kind::axis && outer.count(term.atom.axis);
    (fixed ? origin : inner).terms.push_back(term);
  }
  return {origin, range_of(inner, ranges)};
}

int64_t block_of(const Tensor& tensor, size_t dimension) {
  int64_t block = 1;
  for (const Layout::Block& b : tensor.layout.blocks)
    if (b.dimension == static_cast<int>(dimension)) block *= b.size;
  return block;
}

bool multiple_of(const Index& index, int64_t block) {
  for (const Index::Term& term : index.terms)
    if (term.coefficient % block != 0) return false;
  return true;
}

/// One dimension: the union over all reads.
struct Bounds {
  bool any = false, same_origin = true;
  Index origin;
  Interval rest{0, 0}, whole{0, 0};

  void add(const Parted& read, const AxisRanges& ranges) {
    Interval origin_range = range_of(read.origin, ranges);
    Interval total{origin_range.lo + read.rest.lo, origin_range.hi + read.rest.hi};
    if (!any) {
      any = true, origin = read.origin, rest = read.rest, whole = total;
      return;
    }
    same_origin = same_origin && origin == read.origin;
    rest = {std::min(rest.lo, read.rest.lo), std::max(rest.hi, read.rest.hi)};
    whole = {std::min(whole.lo, total.lo), std::max(whole.hi, total.hi)};
  }
};

int64_t round_down(int64_t value, int64_t block) {
  int64_t rest = value % block;
  return value - (rest < 0 ? rest + block : rest);
}

}  // namespace

Result<Region> region_read(const Computation& computation, int tensor, const std::vector<Reader>& readers,
                           const std::set<std::string>& outer) {
  const Tensor& t = computation.tensors[tensor];
  std::vector<Bounds> bounds(t.type.shape.size());
  for (const Reader& reader : readers) {
    AxisRanges ranges = ranges_in(reader.scope.ranges);
    auto value = [&](const std::string& axis) {
      auto found = reader.scope.axes.find(axis);
      return found == reader.scope.axes.end() ? nullptr : &found->second;
    };
    auto visit = [&](const Scalar& s) {
      if (s.op != ScalarOp::read || s.tensor != tensor) return;
      for (size_t d = 0; d < bounds.size(); ++d) {
        Index index = substitute(s.index[d], value, ranges);
        Parted parted = part(index, outer, ranges);
        if (mentions(index - parted.origin, outer)) parted = {Index(0), range_of(index, ranges)};
        bounds[d].add(parted, ranges);
      }
    };
    for_each_node(reader.stage->value, visit);
    if (reader.stage->reduction) for_each_node(reader.stage->reduction->update, visit);
  }
  Region region;
  for (size_t d = 0; d < bounds.size(); ++d) {
    Bounds& b = bounds[d];
    HONE_CHECK(b.any);
    int64_t block = block_of(t, d);
    bool affine = b.same_origin && multiple_of(b.origin, block);
    Index origin = affine ? b.origin : Index(0);
    Interval reach = affine ? b.rest : b.whole;
    int64_t first = round_down(reach.lo, block);
    region.origin.push_back(origin + first);
    region.extent.push_back(reach.hi - first + 1);
  }
  return region;
}

}  // namespace hone::loop
