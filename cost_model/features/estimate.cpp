// The nominal core in a few lines of arithmetic.
#include "cost_model/features/estimate.h"

#include <algorithm>
#include <cmath>

namespace hone::features {

double registers_per_vector(const Nest& nest, const Target& target) {
  return std::ceil(static_cast<double>(nest.tile->lanes) / target.lanes());
}

double unroll_of_reduce(const Nest& nest) {
  double unroll = 1;
  for (const loop::TileLoop& reduce : nest.tile->reduce)
    unroll *= static_cast<double>(std::max<int64_t>(1, reduce.unroll));
  return unroll;
}

double Estimate::core() const { return std::max({arithmetic, loads, latency, front}) + edges + epilogue; }

double Estimate::cycles() const {
  const double traffic = l2 + llc + memory;
  return std::max(core(), traffic) + 0.3 * std::min(core(), traffic);
}

Estimate& Estimate::operator+=(const Estimate& other) {
  arithmetic += other.arithmetic, loads += other.loads, latency += other.latency, front += other.front;
  edges += other.edges, epilogue += other.epilogue;
  l2 += other.l2, llc += other.llc, memory += other.memory;
  return *this;
}

Estimate estimate_of(const Nest& nest, const Footprints& bytes, const Target& target,
                     const CacheSizes& caches) {
  const double registers = registers_per_vector(nest, target), vectors = nest.copies * registers;
  const double passes = vector_passes(target, std::min<int64_t>(target.vector_bits, 32 * nest.tile->lanes));
  double vector_loads = 0, all_loads = 0;
  for (const loop::Access& access : nest.tile->accesses) {
    const double loads = loads_per_point(nest, access);
    const LaneKind kind = lane_kind(nest, access);
    if (kind == LaneKind::contiguous) vector_loads += loads * registers;
    all_loads += kind == LaneKind::contiguous ? loads * registers * passes
                 : kind == LaneKind::strided  ? loads * static_cast<double>(nest.tile->active_lanes)
                                              : loads;
  }
  Estimate cost;
  const double tiles = nest.outer_iterations, points = tiles * nest.reduce_points;
  const double transcendental = 10 * nest.transcendentals;
  if (!nest.tile->reduce.empty()) {
    // A multiplication and the sum it goes into are one instruction.
    const double instructions = vectors * std::max(1.0, nest.update_operations / 2);
    cost.arithmetic = points * instructions * passes / 2;
    cost.loads = points * all_loads / 2;
    cost.latency = points * 4;
    cost.front = points * ((instructions + vector_loads) / 6 + 0.5 / unroll_of_reduce(nest));
    double entries = tiles;
    for (const loop::TileLoop& reduce : nest.tile->reduce) {
      cost.edges += entries * 8;
      entries *= static_cast<double>(reduce.extent);
    }
    cost.edges += tiles * vectors / 4;
    cost.epilogue = tiles * vectors * passes * (1 + (nest.value_operations + transcendental) / 2);
  } else {
    cost.epilogue =
        tiles * (vectors * passes * (1 + (nest.value_operations + transcendental) / 2) + all_loads / 2 + 2);
  }
  cost.l2 = bytes.traffic(static_cast<double>(caches.l1d_bytes)) / 32;
  cost.llc = bytes.traffic(static_cast<double>(caches.l2_bytes)) / 12;
  cost.memory = bytes.traffic(static_cast<double>(caches.llc_bytes)) / 6;
  return cost;
}

}  // namespace hone::features
