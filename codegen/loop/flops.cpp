// Counts arithmetic: what thresholds for threads and GFLOP/s figures go by.
#include "codegen/loop/passes.h"

namespace hone::loop {
namespace {

double operations(const ScalarPtr& scalar) {
  double count = 0;
  for_each_node(scalar, [&](const Scalar& s) { count += is_arithmetic(s.op); });
  return count;
}

double flops_of(const Tile& tile) {
  double points = static_cast<double>(tile.active_lanes), steps = 1;
  for (const TileLoop& loop : tile.copies) points *= static_cast<double>(loop.extent);
  for (const TileLoop& loop : tile.reduce) steps *= static_cast<double>(loop.extent);
  double reduction = tile.update ? steps * (operations(tile.update) + 1) : 0;
  return points * (reduction + operations(tile.value));
}

double flops_of(const std::vector<Statement>& body) {
  double sum = 0;
  for (const Statement& s : body) {
    for (const Loop& loop : s.loop) sum += static_cast<double>(loop.extent) * flops_of(loop.body);
    for (const Tile& tile : s.tile) sum += flops_of(tile);
  }
  return sum;
}

}  // namespace

double count_flops(const Phase& phase) { return static_cast<double>(phase.extent) * flops_of(phase.body); }

}  // namespace hone::loop
