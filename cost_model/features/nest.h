// The loop nest around each tile as a flat list of levels, and how many bytes an access touches inside a
// level. Private to cost_model/features.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/loop/loop.h"

namespace hone::features {

/// One loop around or inside a tile.
struct Level {
  std::string variable;
  int64_t extent = 1;
  int64_t unroll = 1;
};

/// A tile with everything around it.
struct Nest {
  const loop::Tile* tile = nullptr;
  std::vector<Level> levels;    ///< outermost first: parallel, loops, reduce, copies, lanes
  size_t first_reduce = 0;      ///< levels before it are outside the tile
  size_t first_copy = 0;        ///< levels from here on are the register tile
  size_t parallel = 0;          ///< how many of the outermost are divided among threads
  double outer_iterations = 1;  ///< product of the levels outside the tile
  double reduce_points = 1;
  double copies = 1;
  double update_operations = 0;  ///< arithmetic per reduce point and element, combiner included
  double value_operations = 0;   ///< arithmetic per stored element
  double transcendentals = 0;    ///< exp, log, tanh, sigmoid, sqrt, div per element (update and value)
  double work() const;           ///< operations in total
};
/// In the order of the program: phase by phase.
std::vector<Nest> nests_of(const loop::Program& program);
size_t tile_count(const std::vector<loop::Statement>& body);

/// One term of an access's offset while some levels run: `extent` positions, `stride` elements apart.
struct Dimension {
  int64_t stride, extent;
};
/// Those of more than one position, smallest stride first.
std::vector<Dimension> dimensions_of(const Nest& nest, const loop::Access& access, size_t from);

/// Unique bytes, in whole 64-byte lines, that `access` touches while the levels from `from` inwards run once.
double footprint(const loop::Program& program, const Nest& nest, const loop::Access& access, size_t from);

/// Where the lines fall that `access` touches while the levels from `from` inwards run once; the first 4,096
/// of them.
struct Lines {
  double in_one_set = 0;  ///< most lines that share one of 64 sets of a first-level cache
  double pages = 0;       ///< of 4 KiB
};
Lines lines_of(const loop::Program& program, const Nest& nest, const loop::Access& access, size_t from);

/// How an access behaves along the lanes of the tile.
enum class LaneKind { broadcast, contiguous, strided };
LaneKind lane_kind(const Nest& nest, const loop::Access& access);
bool depends_on(const Index& index, const std::string& variable);

/// Loads of `access` at one reduce point: copies that share an address are loaded once.
double loads_per_point(const Nest& nest, const loop::Access& access);

}  // namespace hone::features
