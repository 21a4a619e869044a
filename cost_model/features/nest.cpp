// Flattens phases, loops and tiles into nests and counts operations and bytes in them.
#include "cost_model/features/nest.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <utility>

namespace hone::features {
namespace {

struct Operations {
  double all = 0, transcendental = 0;
};

void count(const Scalar& scalar, Operations& operations) {
  switch (scalar.op) {
    case ScalarOp::constant:
    case ScalarOp::read:
    case ScalarOp::from_index:
    case ScalarOp::accumulator:
      break;
    case ScalarOp::exp:
    case ScalarOp::log:
    case ScalarOp::tanh:
    case ScalarOp::sigmoid:
    case ScalarOp::sqrt:
    case ScalarOp::div:
      operations.transcendental += 1;
      operations.all += 1;
      break;
    default:
      operations.all += 1;
  }
  for (const ScalarPtr& argument : scalar.args) count(*argument, operations);
}

Nest nest_of(const loop::Tile& tile, const std::vector<Level>& around, size_t parallel) {
  Nest nest;
  nest.tile = &tile;
  nest.levels = around;
  nest.parallel = parallel;
  for (const Level& level : around) nest.outer_iterations *= static_cast<double>(level.extent);
  nest.first_reduce = nest.levels.size();
  for (const loop::TileLoop& reduce : tile.reduce) {
    nest.levels.push_back({reduce.variable, reduce.extent, reduce.unroll});
    nest.reduce_points *= static_cast<double>(reduce.extent);
  }
  nest.first_copy = nest.levels.size();
  for (const loop::TileLoop& copy : tile.copies) {
    nest.levels.push_back({copy.variable, copy.extent, copy.extent});
    nest.copies *= static_cast<double>(copy.extent);
  }
  if (!tile.vector_variable.empty()) nest.levels.push_back({tile.vector_variable, tile.active_lanes, 1});
  Operations update, value;
  if (tile.update) {
    count(*tile.update, update);
    nest.update_operations = update.all + 1;
  }
  if (tile.value) count(*tile.value, value);
  nest.value_operations = value.all;
  nest.transcendentals = update.transcendental + value.transcendental;
  return nest;
}

void collect(const std::vector<loop::Statement>& body, std::vector<Level>& around, size_t parallel,
             std::vector<Nest>& nests) {
  for (const loop::Statement& statement : body) {
    for (const loop::Tile& tile : statement.tile) nests.push_back(nest_of(tile, around, parallel));
    for (const loop::Loop& loop : statement.loop) {
      around.push_back({loop.variable, loop.extent, loop.unroll});
      collect(loop.body, around, parallel, nests);
      around.pop_back();
    }
  }
}

/// Range of `index` while the levels from `from` inwards run and the others stay at 0.
Interval range_inside(const Nest& nest, const Index& index, size_t from) {
  return range_of(index, [&](const std::string& variable) -> Interval {
    for (size_t i = from; i < nest.levels.size(); ++i) {
      if (nest.levels[i].variable == variable) return {0, nest.levels[i].extent - 1};
    }
    return {0, 0};
  });
}

}  // namespace

double Nest::work() const {
  const double elements = outer_iterations * copies * static_cast<double>(tile->active_lanes);
  // A plain copy does no arithmetic, but is work all the same: one operation an element.
  return elements * std::max(1.0, reduce_points * update_operations + value_operations);
}

std::vector<Nest> nests_of(const loop::Program& program) {
  std::vector<Nest> nests;
  for (const loop::Phase& phase : program.phases) {
    std::vector<Level> around;
    for (const loop::TileLoop& parallel : phase.parallel)
      around.push_back({parallel.variable, parallel.extent, 1});
    collect(phase.body, around, phase.parallel.size(), nests);
  }
  return nests;
}

size_t tile_count(const std::vector<loop::Statement>& body) {
  size_t count = 0;
  for (const loop::Statement& statement : body) {
    count += statement.tile.size();
    for (const loop::Loop& loop : statement.loop) count += tile_count(loop.body);
  }
  return count;
}

bool depends_on(const Index& index, const std::string& variable) {
  return std::any_of(index.terms.begin(), index.terms.end(), [&](const Index::Term& term) {
    if (term.atom.kind == Atom::Kind::axis) return term.atom.axis == variable;
    return depends_on(*term.atom.operand, variable);
  });
}

std::vector<Dimension> dimensions_of(const Nest& nest, const loop::Access& access, size_t from) {
  std::vector<Dimension> dimensions;
  for (const Index::Term& term : access.offset.terms) {
    Index atom;
    atom.terms.push_back({1, term.atom});
    const Interval range = range_inside(nest, atom, from);
    const int64_t extent = range.hi - range.lo + 1;
    if (extent > 1) dimensions.push_back({std::abs(term.coefficient), extent});
  }
  std::ranges::sort(dimensions, {}, [](const Dimension& d) { return std::pair(d.stride, d.extent); });
  return dimensions;
}

double footprint(const loop::Program& program, const Nest& nest, const loop::Access& access, size_t from) {
  const auto element = static_cast<double>(size_of(program.tensors[access.tensor].type.dtype));
  // Dimensions whose stride lies within what the inner ones span join that run of elements; others repeat the
  // run.
  double run = 1, runs = 1;
  for (const auto& [stride, extent] : dimensions_of(nest, access, from)) {
    if (static_cast<double>(stride) * element <= std::max(run * element, 64.0)) {
      run += static_cast<double>(stride) * static_cast<double>(extent - 1);
    } else {
      runs *= static_cast<double>(extent);
    }
  }
  const double bytes = runs * std::ceil(run * element / 64) * 64;
  const double whole =
      std::ceil(static_cast<double>(program.geometries[access.tensor].elements) * element / 64) * 64;
  return std::min(bytes, whole);
}

Lines lines_of(const loop::Program& program, const Nest& nest, const loop::Access& access, size_t from) {
  constexpr size_t most = 4096, sets = 64;
  const int64_t element = size_of(program.tensors[access.tensor].type.dtype);
  std::vector<int64_t> bytes{0};
  for (const auto& [stride, extent] : dimensions_of(nest, access, from)) {
    std::vector<int64_t> next;
    for (int64_t i = 0; i < extent && next.size() < most; ++i)
      for (const int64_t at : bytes) next.push_back(at + i * stride * element);
    bytes = std::move(next);
    // Elements of one line are one from here on: their least stands for all.
    std::ranges::sort(bytes);
    const auto same = std::ranges::unique(bytes, {}, [](int64_t at) { return at / 64; });
    bytes.erase(same.begin(), same.end());
    if (bytes.size() > most) bytes.resize(most);
  }
  Lines lines;
  std::array<double, sets> in_set = {};
  int64_t page = -1;
  for (const int64_t at : bytes) {
    lines.in_one_set = std::max(lines.in_one_set, ++in_set[static_cast<size_t>(at / 64) % sets]);
    if (at / 4096 != page) lines.pages += 1;
    page = at / 4096;
  }
  return lines;
}

LaneKind lane_kind(const Nest& nest, const loop::Access& access) {
  const std::string& variable = nest.tile->vector_variable;
  if (variable.empty() || !depends_on(access.offset, variable)) return LaneKind::broadcast;
  const Stride stride = stride_of(access.offset, variable);
  return stride.linear && stride.value == 1 ? LaneKind::contiguous : LaneKind::strided;
}

double loads_per_point(const Nest& nest, const loop::Access& access) {
  double loads = 1;
  for (const loop::TileLoop& copy : nest.tile->copies) {
    if (depends_on(access.offset, copy.variable)) loads *= static_cast<double>(copy.extent);
  }
  return loads;
}

}  // namespace hone::features
