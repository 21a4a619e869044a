// Tiles: rewrites the scalars of a stage so that they read Accesses, each with its element offset.
#include "codegen/loop/tile.h"

#include <fmt/format.h>

namespace hone::loop {
namespace {

using Mark = ScheduledLoop::Mark;

struct Rewriter {
  const Instance& instance;
  const Scope& scope;
  const std::vector<Geometry>& geometries;
  std::vector<Access>* accesses;
  std::map<const Scalar*, ScalarPtr> done = {};

  Index placed(const Index& index) const {
    auto find = [&](const std::string& axis) {
      auto found = scope.axes.find(axis);
      return found == scope.axes.end() ? nullptr : &found->second;
    };
    return substitute(index, find, ranges_in(scope.ranges));
  }

  /// The element offset of a logical index: each physical dimension divides it as far as the ranges do not
  /// prove it.
  Result<Access> access(int tensor, const std::vector<Index>& logical, std::optional<double> outside) const {
    const Tensor& t = instance.computation.tensors[tensor];
    AxisRanges ranges = ranges_in(scope.ranges);
    auto local = instance.locals.find(tensor);
    Access result{tensor, geometries[tensor].origin, {}, outside.value_or(0)};
    std::vector<Index> index;
    for (size_t d = 0; d < logical.size(); ++d) {
      Index at = placed(logical[d]);
      Interval reach = range_of(at, ranges);
      Interval inside = addressable(t, static_cast<int>(d));
      if (outside && (reach.lo < 0 || reach.hi >= t.type.shape[d])) {
        result.guards.push_back({at, 0, t.type.shape[d]});
      } else if (reach.lo < inside.lo || reach.hi > inside.hi) {
        return fail(
            fmt::format(
                "{} dimension {} is accessed at {}, which reaches {} to {}, but its buffer holds {} to {}",
                t.name, d, to_text(at), reach.lo, reach.hi, inside.lo, inside.hi),
            "stage " + instance.stage().name);
      }
      if (local != instance.locals.end()) at = at - local->second.origin[d];
      index.push_back(std::move(at));
    }
    for (const PhysicalDim& dim : geometries[tensor].dims) {
      Index position = floor_div(index[dim.dimension], dim.divisor, ranges);
      if (dim.modulus > 0) position = modulo(position, dim.modulus, ranges);
      result.offset = result.offset + position * dim.stride;
    }
    return result;
  }

  Result<ScalarPtr> rewrite(const ScalarPtr& scalar) {
    if (auto found = done.find(scalar.get()); found != done.end()) return found->second;
    Scalar copy = *scalar;
    for (ScalarPtr& arg : copy.args) {
      HONE_TRY(arg, rewrite(arg));
    }
    if (copy.op == ScalarOp::from_index) copy.index[0] = placed(copy.index[0]);
    if (copy.op == ScalarOp::read) {
      HONE_TRY(Access one, access(copy.tensor, copy.index, copy.outside));
      copy.index = {one.offset};
      copy.outside.reset();  // the access has it
      size_t at = 0;
      while (at < accesses->size() && !same((*accesses)[at], one)) ++at;
      if (at == accesses->size()) accesses->push_back(std::move(one));
      copy.tensor = static_cast<int>(at);
    }
    ScalarPtr result = std::make_shared<const Scalar>(std::move(copy));
    done[scalar.get()] = result;
    return result;
  }

  static bool same(const Access& a, const Access& b) {
    if (a.tensor != b.tensor || a.offset != b.offset || a.outside != b.outside) return false;
    if (a.guards.size() != b.guards.size()) return false;
    for (size_t i = 0; i < a.guards.size(); ++i)
      if (a.guards[i].index != b.guards[i].index || a.guards[i].hi != b.guards[i].hi) return false;
    return true;
  }
};

void add_loops(const Instance& instance, const AxisState& state, size_t first_loop, Tile& tile) {
  const std::vector<ScheduledLoop>& loops = instance.scheduled.loops;
  for (size_t i = first_loop; i < loops.size(); ++i) {
    const ScheduledLoop& loop = loops[i];
    if (state.dropped.count(loop.axis) || state.values.count(loop.axis)) continue;
    int64_t extent = state.extents.at(loop.axis);
    if (extent == 1) continue;
    TileLoop one{instance.prefix + loop.axis, extent, std::min(loop.unroll, extent)};
    if (loop.mark == Mark::vector) {
      auto lanes = state.lanes.find(loop.axis);
      tile.vector_variable = one.variable;
      tile.lanes = lanes == state.lanes.end() ? extent : lanes->second;
      tile.active_lanes = extent;
    } else {
      (loop.reduce ? tile.reduce : tile.copies).push_back(one);
    }
  }
  const std::optional<Reduction>& reduction = instance.stage().reduction;
  if (reduction && tile.reduce.empty())
    tile.reduce.push_back({instance.prefix + reduction->axes[0].name, 1, 1});
}

}  // namespace

Scope scope_of(const Instance& instance, const AxisState& state) {
  AxisValues values(instance.scheduled, state, instance.prefix);
  Scope scope{{}, values.ranges()};
  scope.ranges.insert(instance.enclosing.begin(), instance.enclosing.end());
  for (const Axis& axis : instance.stage().axes) {
    Index value = values.value(axis.name);
    auto begin = instance.begin.find(axis.name);
    scope.axes[axis.name] = begin == instance.begin.end() ? value : value + begin->second;
  }
  if (instance.stage().reduction)
    for (const Axis& axis : instance.stage().reduction->axes) scope.axes[axis.name] = values.value(axis.name);
  return scope;
}

Result<Tile> make_tile(const Instance& instance, const AxisState& state, size_t first_loop,
                       const std::vector<Geometry>& geometries) {
  const Stage& stage = instance.stage();
  Tile tile;
  tile.stage = stage.name;
  add_loops(instance, state, first_loop, tile);
  Scope scope = scope_of(instance, state);
  Rewriter rewriter{instance, scope, geometries, &tile.accesses};
  if (stage.reduction) {
    tile.combiner = stage.reduction->combiner;
    HONE_TRY(tile.update, rewriter.rewrite(stage.reduction->update));
  }
  HONE_TRY(tile.value, rewriter.rewrite(stage.value));
  HONE_TRY(tile.store, rewriter.access(stage.output, stage.store_index, {}));
  return tile;
}

}  // namespace hone::loop
