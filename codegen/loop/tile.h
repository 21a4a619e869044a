// One place in a loop nest becomes a Tile: logical indices become offsets, and what ranges do not prove becomes guards.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "codegen/loop/axes.h"
#include "codegen/loop/loop.h"

namespace hone::loop {

/// The box of a tensor that one iteration of the loops around it needs.
struct Region {
  std::vector<Index> origin;  ///< per dimension, over the variables of the loops around it
  Shape extent;
};
using Regions = std::map<int, Region>;  ///< by tensor, of those that are local here

/// A stage at one place: its schedule, and where its axes begin if it is computed inside another stage.
struct Instance {
  const Computation& computation;
  const ScheduledStage& scheduled;
  std::string prefix = {};                       ///< of its variables
  std::map<std::string, Index> begin = {};       ///< of its spatial axes; absent: 0
  std::map<std::string, Interval> enclosing = {};///< variables of the stage around it
  Regions locals = {};                           ///< tensors it accesses relative to a region

  const Stage& stage() const { return computation.stages[scheduled.stage]; }
};

/// Values and ranges of all axes of an instance in one state.
struct Scope {
  std::map<std::string, Index> axes;         ///< spatial and reduce axes
  std::map<std::string, Interval> ranges;    ///< of every variable they may name
};
Scope scope_of(const Instance& instance, const AxisState& state);

/// The tile of all loops from `first_loop` on: reduce loops, copies and the vector.
Result<Tile> make_tile(const Instance& instance, const AxisState& state, size_t first_loop,
                       const std::vector<Geometry>& geometries);

}  // namespace hone::loop
