// Works out the feature vector: the list at the end of this file is the order of the vector.
#include "cost_model/features/features.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cost_model/features/nest.h"

namespace hone {
namespace {

using features::footprint;
using features::lane_kind;
using features::LaneKind;
using features::Level;
using features::loads_per_point;
using features::Nest;

float log2_of(double value) { return static_cast<float>(std::log2(1 + std::max(0.0, value))); }

/// Roles as the features tell them apart.
enum { input_group, constant_group, output_group, groups };
int group_of(Role role) {
  if (role == Role::input) return input_group;
  return role == Role::constant ? constant_group : output_group;
}

double registers_of(const Nest& nest, const Target& target) {
  return nest.copies * std::ceil(static_cast<double>(nest.tile->lanes) / target.lanes());
}

double unroll_of_reduce(const Nest& nest) {
  double unroll = 1;
  for (const loop::TileLoop& reduce : nest.tile->reduce)
    unroll *= static_cast<double>(std::max<int64_t>(1, reduce.unroll));
  return unroll;
}

/// Loads and arithmetic of one reduce point for the whole register tile (of one element without a reduction).
double operations_per_point(const Nest& nest, const Target& target) {
  const double registers = std::ceil(static_cast<double>(nest.tile->lanes) / target.lanes());
  double operations = nest.copies * registers * std::max(1.0, nest.update_operations);
  for (const loop::Access& access : nest.tile->accesses)
    operations += loads_per_point(nest, access) * registers;
  return operations;
}

double code_of(const Nest& nest, const Target& target) {
  const double registers = std::ceil(static_cast<double>(nest.tile->lanes) / target.lanes());
  double surrounding = 1;
  for (size_t i = nest.parallel; i < nest.first_reduce; ++i) {
    surrounding *= static_cast<double>(std::max<int64_t>(1, nest.levels[i].unroll));
  }
  const double body =
      nest.tile->reduce.empty() ? 0 : operations_per_point(nest, target) * unroll_of_reduce(nest);
  return surrounding * (body + nest.copies * registers * (nest.value_operations + 1));
}

/// Everything the main tile touches, by role and by level.
class Footprints {
 public:
  Footprints(const loop::Program& program, const Nest& nest) : nest_(nest), bytes_(nest.levels.size() + 1) {
    for (size_t from = 0; from <= nest.levels.size(); ++from) {
      for (const loop::Access& access : nest.tile->accesses) add(program, access, from);
      add(program, nest.tile->store, from);
    }
  }

  double at(size_t from, int group) const { return bytes_[from][group]; }
  double all(size_t from) const { return bytes_[from][0] + bytes_[from][1] + bytes_[from][2]; }

  /// The outermost level inside which everything fits `cache`.
  size_t fitting_level(double cache) const {
    size_t from = nest_.levels.size();
    while (from > 0 && all(from - 1) <= cache) --from;
    return from;
  }

  /// Bytes of a role that come from beyond `cache`: what is touched inside the fitting level, once per
  /// iteration around it.
  double traffic(double cache, int group) const {
    const size_t from = fitting_level(cache);
    double iterations = 1;
    for (size_t i = 0; i < from; ++i) iterations *= static_cast<double>(nest_.levels[i].extent);
    return iterations * at(from, group);
  }

  /// Bytes touched between two uses of the same element: inside the innermost loop around the register tile
  /// that the role's accesses do not depend on; everything if there is none.
  double reuse_distance(const loop::Program& program, int group) const {
    for (size_t i = nest_.first_copy; i-- > 0;) {
      if (nest_.levels[i].extent > 1 && !touched(program, group, nest_.levels[i].variable)) return all(i + 1);
    }
    return all(0);
  }

 private:
  void add(const loop::Program& program, const loop::Access& access, size_t from) {
    bytes_[from][group_of(program.tensors[access.tensor].role)] += footprint(program, nest_, access, from);
  }
  bool touched(const loop::Program& program, int group, const std::string& variable) const {
    const auto uses = [&](const loop::Access& access) {
      return group_of(program.tensors[access.tensor].role) == group &&
             features::depends_on(access.offset, variable);
    };
    return uses(nest_.tile->store) ||
           std::any_of(nest_.tile->accesses.begin(), nest_.tile->accesses.end(), uses);
  }

  const Nest& nest_;
  std::vector<std::array<double, groups>> bytes_;
};

/// Extents of the `count` levels that end before `end`, innermost first; 1 where there are fewer.
void push_extents(const Nest& nest, size_t begin, size_t end, size_t count, std::vector<float>& out) {
  for (size_t i = 0; i < count; ++i) {
    out.push_back(end > begin + i ? log2_of(static_cast<double>(nest.levels[end - 1 - i].extent))
                                  : log2_of(1));
  }
}

void push_tile(const Nest& nest, const Target& target, std::vector<float>& out) {
  const loop::Tile& tile = *nest.tile;
  const double registers = registers_of(nest, target);
  const auto copy_from_inside = [&](size_t i) {
    return i < tile.copies.size() ? static_cast<float>(tile.copies[tile.copies.size() - 1 - i].extent) : 1.0f;
  };
  out.push_back(static_cast<float>(registers));
  out.push_back(static_cast<float>(registers / target.vector_registers));
  out.push_back(copy_from_inside(0));
  out.push_back(copy_from_inside(1));
  out.push_back(static_cast<float>(static_cast<double>(tile.lanes) / target.lanes()));
  out.push_back(static_cast<float>(static_cast<double>(tile.active_lanes) / static_cast<double>(tile.lanes)));
  double loads[3] = {0, 0, 0}, guarded = 0;
  for (const loop::Access& access : tile.accesses) {
    loads[static_cast<int>(lane_kind(nest, access))] += loads_per_point(nest, access) / nest.copies;
    if (!access.guards.empty()) guarded += loads_per_point(nest, access) / nest.copies;
  }
  out.insert(out.end(),
             {static_cast<float>(loads[static_cast<int>(LaneKind::contiguous)]),
              static_cast<float>(loads[static_cast<int>(LaneKind::broadcast)]),
              static_cast<float>(loads[static_cast<int>(LaneKind::strided)]), static_cast<float>(guarded)});
  out.push_back(static_cast<float>(nest.transcendentals));
  out.push_back(lane_kind(nest, tile.store) == LaneKind::contiguous ? 1.0f : 0.0f);
  out.push_back(log2_of(operations_per_point(nest, target) * unroll_of_reduce(nest)));
  out.push_back(static_cast<float>(unroll_of_reduce(nest)));
}

void push_loops(const Nest& nest, std::vector<float>& out) {
  double parallel = 1;
  for (size_t i = 0; i < nest.parallel; ++i) parallel *= static_cast<double>(nest.levels[i].extent);
  out.push_back(log2_of(nest.reduce_points));
  push_extents(nest, nest.first_reduce, nest.first_copy, 3, out);
  out.push_back(log2_of(nest.outer_iterations));
  push_extents(nest, 0, nest.first_reduce, 4, out);
  out.push_back(log2_of(parallel));
  out.push_back(static_cast<float>(nest.first_reduce));
}

void push_memory(const loop::Program& program, const Nest& nest, const CacheSizes& caches,
                 std::vector<float>& out) {
  const Footprints bytes(program, nest);
  const double work = nest.work();
  for (int group = 0; group < groups; ++group) out.push_back(log2_of(bytes.at(nest.first_reduce, group)));
  out.push_back(log2_of(bytes.all(nest.first_reduce)));
  // One iteration of the loop around the tile, and of the innermost reduce loop.
  out.push_back(log2_of(bytes.all(nest.first_reduce > 0 ? nest.first_reduce - 1 : 0)));
  out.push_back(
      log2_of(bytes.all(nest.first_copy > nest.first_reduce ? nest.first_copy - 1 : nest.first_copy)));
  for (const int64_t cache : {caches.l1d_bytes, caches.l2_bytes, caches.llc_bytes}) {
    for (int group = 0; group < groups; ++group) {
      const double per_operation = bytes.traffic(static_cast<double>(cache), group) / work;
      out.push_back(static_cast<float>(std::log2(per_operation + 1e-6)));
    }
  }
  for (int group = 0; group < groups; ++group) out.push_back(log2_of(bytes.reuse_distance(program, group)));
  for (const int64_t cache : {caches.l1d_bytes, caches.l2_bytes}) {
    const size_t from = bytes.fitting_level(static_cast<double>(cache));
    double iterations = 1;
    for (size_t i = from; i < nest.levels.size(); ++i)
      iterations *= static_cast<double>(nest.levels[i].extent);
    out.push_back(log2_of(iterations));
  }
  for (int group = 0; group < groups; ++group) out.push_back(log2_of(bytes.at(0, group)));
  out.push_back(static_cast<float>(std::log2(work / std::max(64.0, bytes.all(0)))));
}

const Nest& main_nest(const std::vector<Nest>& nests) {
  return *std::max_element(nests.begin(), nests.end(),
                           [](const Nest& a, const Nest& b) { return a.work() < b.work(); });
}

}  // namespace

std::vector<float> features_of(const loop::Program& program, const Target& target, const CacheSizes& caches) {
  const std::vector<Nest> nests = features::nests_of(program);
  std::vector<float> out;
  out.reserve(feature_descriptions().size());
  if (nests.empty()) return std::vector<float>(feature_descriptions().size(), 0.0f);
  const Nest& main = main_nest(nests);
  double work = 0, stage_work = 0, code = 0;
  for (const Nest& nest : nests) {
    work += nest.work();
    if (nest.tile->stage == main.tile->stage) stage_work += nest.work();
    code += code_of(nest, target);
  }
  out.push_back(log2_of(work));
  out.push_back(static_cast<float>(program.phases.size()));
  out.push_back(static_cast<float>(nests.size()));
  out.push_back(static_cast<float>(main.work() / work));
  out.push_back(static_cast<float>(1 - main.work() / stage_work));
  out.push_back(log2_of(code));
  push_tile(main, target, out);
  push_loops(main, out);
  push_memory(program, main, caches, out);
  HONE_CHECK(out.size() == feature_descriptions().size());
  return out;
}

StaticCost static_cost(const loop::Program& program, const Target& target) {
  StaticCost cost;
  for (const Nest& nest : features::nests_of(program)) {
    if (!nest.tile->reduce.empty()) {
      cost.accumulator_registers =
          std::max(cost.accumulator_registers, static_cast<int64_t>(registers_of(nest, target)));
    }
    const double body = operations_per_point(nest, target) * unroll_of_reduce(nest);
    cost.body_operations = std::max(cost.body_operations, static_cast<int64_t>(body));
    cost.code_operations += static_cast<int64_t>(code_of(nest, target));
  }
  return cost;
}

}  // namespace hone
