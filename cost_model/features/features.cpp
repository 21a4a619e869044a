// Works out the feature vector: the list at the end of this file is the order of the vector.
#include "cost_model/features/features.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "cost_model/features/estimate.h"
#include "cost_model/features/fitted.h"
#include "cost_model/features/footprints.h"
#include "cost_model/features/nest.h"

namespace hone {
namespace {

using features::depends_on;
using features::Estimate;
using features::estimate_of;
using features::Footprints;
using features::groups;
using features::lane_kind;
using features::LaneKind;
using features::Level;
using features::loads_per_point;
using features::Nest;
using features::registers_per_vector;
using features::unroll_of_reduce;

float log2_of(double value) { return static_cast<float>(std::log2(1 + std::max(0.0, value))); }

double registers_of(const Nest& nest, const Target& target) {
  return nest.copies * registers_per_vector(nest, target);
}

/// Loads and arithmetic of one reduce point for the whole register tile (of one element without a reduction).
double operations_per_point(const Nest& nest, const Target& target) {
  const double registers = registers_per_vector(nest, target);
  double operations = nest.copies * registers * std::max(1.0, nest.update_operations);
  for (const loop::Access& access : nest.tile->accesses)
    operations += loads_per_point(nest, access) * registers;
  return operations;
}

double code_of(const Nest& nest, const Target& target) {
  const double registers = registers_per_vector(nest, target);
  double surrounding = 1;
  for (size_t i = nest.parallel; i < nest.first_reduce; ++i) {
    surrounding *= static_cast<double>(std::max<int64_t>(1, nest.levels[i].unroll));
  }
  const double body =
      nest.tile->reduce.empty() ? 0 : operations_per_point(nest, target) * unroll_of_reduce(nest);
  return surrounding * (body + nest.copies * registers * (nest.value_operations + 1));
}

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

void push_memory(const Nest& nest, const Footprints& bytes, const CacheSizes& caches,
                 std::vector<float>& out) {
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
  for (int group = 0; group < groups; ++group) out.push_back(log2_of(bytes.reuse_distance(group)));
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

/// A nest with what is worked out of it.
struct Costed {
  Nest nest;
  Footprints bytes;
  Estimate cost;
};

/// What the tiles of one stage take together, and the one of them that takes most.
struct StageCost {
  double cycles = 0;
  const Costed* main = nullptr;
};

/// Dearest first.
std::vector<StageCost> stages_of(const std::vector<std::unique_ptr<Costed>>& nests) {
  std::map<std::string, StageCost> by_name;
  for (const auto& costed : nests) {
    StageCost& stage = by_name[costed->nest.tile->stage];
    stage.cycles += costed->cost.cycles();
    if (stage.main == nullptr || stage.main->cost.cycles() < costed->cost.cycles()) stage.main = costed.get();
  }
  std::vector<StageCost> stages;
  for (const auto& [name, stage] : by_name) stages.push_back(stage);
  std::ranges::stable_sort(stages, std::greater<>(), &StageCost::cycles);
  return stages;
}

float ratio_of(double part, double whole) { return static_cast<float>(whole > 0 ? part / whole : 0); }

/// Shares of the whole estimate, so that they mean the same for every shape.
void push_estimate(const Estimate& all, std::vector<float>& out) {
  const double cycles = all.cycles();
  for (const double part : {all.arithmetic, all.loads, all.latency, all.front, all.edges, all.epilogue,
                            all.l2, all.llc, all.memory})
    out.push_back(ratio_of(part, cycles));
}

/// A stage beside the dearest: a Winograd convolution transforms its input and its output in such ones.
void push_stage(const StageCost* stage, double cycles, const Target& target, std::vector<float>& out) {
  if (stage == nullptr) {
    out.insert(out.end(), 8, 0.0f);
    return;
  }
  const Costed& main = *stage->main;
  const Nest& nest = main.nest;
  double strided = 0, loads = 0;
  for (const loop::Access& access : nest.tile->accesses) {
    const double here = loads_per_point(nest, access);
    loads += here;
    if (lane_kind(nest, access) == LaneKind::strided) strided += here;
  }
  out.push_back(ratio_of(stage->cycles, cycles));
  out.push_back(ratio_of(main.cost.core(), main.cost.cycles()));
  out.push_back(static_cast<float>(registers_of(nest, target)));
  out.push_back(static_cast<float>(loads / nest.copies));
  out.push_back(ratio_of(strided, loads));
  out.push_back(lane_kind(nest, nest.tile->store) == LaneKind::contiguous ? 1.0f : 0.0f);
  out.push_back(log2_of(main.bytes.all(nest.first_reduce)));
  out.push_back(log2_of(main.bytes.all(std::min(nest.parallel, nest.first_reduce))));
}

/// What is paid beyond the vector arithmetic that the program cannot do without, in units of that arithmetic:
/// near 1 for every shape where a program is as fast as the nominal core can be.
void push_excess(const Estimate& all, double cycles, std::vector<float>& out) {
  const double ideal = std::max(1.0, all.arithmetic > 0 ? all.arithmetic : all.epilogue);
  for (const double part : {cycles, all.core(), all.loads, all.latency, all.front, all.edges, all.epilogue,
                            all.l2, all.llc, all.memory})
    out.push_back(static_cast<float>(std::log2(part / ideal + 1e-3)));
}

/// The tiles of the main stage beside its main one: what is left over where tiles do not divide.
void push_tails(const std::vector<std::unique_ptr<Costed>>& nests, const Costed& main, const Target& target,
                std::vector<float>& out) {
  double cycles = 0;
  const Costed* dearest = nullptr;
  for (const auto& costed : nests) {
    if (costed.get() == &main || costed->nest.tile->stage != main.nest.tile->stage) continue;
    cycles += costed->cost.cycles();
    if (dearest == nullptr || dearest->cost.cycles() < costed->cost.cycles()) dearest = costed.get();
  }
  const auto rate = [](const Costed& costed) { return costed.cost.cycles() / costed.nest.work(); };
  out.push_back(ratio_of(cycles, cycles + main.cost.cycles()));
  out.push_back(dearest == nullptr ? 0.0f : static_cast<float>(registers_of(dearest->nest, target)));
  out.push_back(dearest == nullptr ? 0.0f : ratio_of(rate(*dearest), rate(main)));
}

/// How fast the core's reads and the front end must be while the main tile runs.
void push_streams(const loop::Program& program, const Costed& main, const CacheSizes& caches,
                  std::vector<float>& out) {
  const Nest& nest = main.nest;
  double trips = 1;
  if (!nest.tile->reduce.empty()) {
    const loop::TileLoop& inner = nest.tile->reduce.back();
    trips = static_cast<double>(inner.extent) / static_cast<double>(std::max<int64_t>(1, inner.unroll));
  }
  out.push_back(log2_of(trips));
  for (const int64_t cache : {caches.l1d_bytes, caches.l2_bytes})
    for (const int group : {features::input_group, features::constant_group})
      out.push_back(ratio_of(main.bytes.traffic(static_cast<double>(cache), group), main.cost.core()));
  double in_one_set = 0, pages = 0;
  for (const loop::Access& access : nest.tile->accesses) {
    const features::Lines lines = features::lines_of(program, nest, access, nest.first_reduce);
    if (program.tensors[static_cast<size_t>(access.tensor)].role != Role::constant)
      in_one_set += lines.in_one_set;
    pages += lines.pages;
  }
  const features::Lines stored = features::lines_of(program, nest, nest.tile->store, nest.first_reduce);
  out.push_back(log2_of(in_one_set));
  out.push_back(log2_of(stored.in_one_set));
  out.push_back(log2_of(pages + stored.pages));
}

/// Largest number of bytes that one parallel iteration of a phase touches, all its tiles together; and the
/// phases' locals.
std::pair<double, double> grain_bytes(const loop::Program& program,
                                      const std::vector<std::unique_ptr<Costed>>& nests) {
  double most = 0, locals = 0;
  size_t at = 0;
  for (const loop::Phase& phase : program.phases) {
    const size_t count = features::tile_count(phase.body);
    double here = 0;
    for (size_t i = 0; i < count; ++i, ++at)
      here += nests[at]->bytes.all(std::min(nests[at]->nest.parallel, nests[at]->nest.first_reduce));
    most = std::max(most, here);
    for (const int local : phase.locals)
      locals += static_cast<double>(program.geometries[static_cast<size_t>(local)].elements) *
                size_of(program.tensors[static_cast<size_t>(local)].type.dtype);
  }
  return {most, locals};
}

}  // namespace

std::vector<float> features_of(const loop::Program& program, const Target& target, const CacheSizes& caches) {
  std::vector<std::unique_ptr<Costed>> nests;
  for (Nest& nest : features::nests_of(program)) {
    auto& costed = nests.emplace_back(new Costed{std::move(nest), {}, {}});
    costed->bytes = Footprints(program, costed->nest);
    costed->cost = estimate_of(costed->nest, costed->bytes, target, caches);
  }
  std::vector<float> out;
  out.reserve(feature_descriptions().size());
  if (nests.empty()) return std::vector<float>(feature_descriptions().size(), 0.0f);
  const Costed& main = **std::ranges::max_element(nests, {}, [](const auto& it) { return it->nest.work(); });
  double work = 0, stage_work = 0, code = 0;
  Estimate all;
  double cycles = 0;
  for (const auto& costed : nests) {
    const Nest& nest = costed->nest;
    work += nest.work();
    if (nest.tile->stage == main.nest.tile->stage) stage_work += nest.work();
    code += code_of(nest, target);
    all += costed->cost;
    cycles += costed->cost.cycles();
  }
  out.push_back(0);  // in the end
  out.push_back(static_cast<float>(std::log2(1 + cycles)));
  out.push_back(log2_of(work));
  out.push_back(static_cast<float>(program.phases.size()));
  out.push_back(static_cast<float>(nests.size()));
  out.push_back(static_cast<float>(main.nest.work() / work));
  out.push_back(static_cast<float>(1 - main.nest.work() / stage_work));
  out.push_back(log2_of(code));
  push_tile(main.nest, target, out);
  push_loops(main.nest, out);
  push_memory(main.nest, main.bytes, caches, out);
  push_estimate(all, out);
  out.push_back(ratio_of(main.cost.core(), main.cost.cycles()));
  const auto [grain, locals] = grain_bytes(program, nests);
  out.push_back(log2_of(grain));
  out.push_back(log2_of(locals));
  const std::vector<StageCost> stages = stages_of(nests);
  out.push_back(ratio_of(stages[0].cycles, cycles));
  for (size_t i = 1; i <= 2; ++i) push_stage(i < stages.size() ? &stages[i] : nullptr, cycles, target, out);
  double rest = 0;
  for (size_t i = 3; i < stages.size(); ++i) rest += stages[i].cycles;
  out.push_back(ratio_of(rest, cycles));
  push_excess(all, cycles, out);
  push_tails(nests, main, target, out);
  push_streams(program, main, caches, out);
  HONE_CHECK(out.size() == feature_descriptions().size());
  out[0] = features::fitted_of(out);
  return out;
}

namespace {

/// Registers of the operand that stays while the copies that share it are computed; the other is read from
/// memory by each.
double shared_registers(const Nest& nest, const Target& target) {
  double least = nest.copies;
  for (const loop::Access& access : nest.tile->accesses)
    if (depends_on(access.offset, nest.tile->reduce.back().variable))
      least = std::min(least, loads_per_point(nest, access));
  return least < nest.copies ? least * registers_per_vector(nest, target) : 0;
}

}  // namespace

StaticCost static_cost(const loop::Program& program, const Target& target) {
  StaticCost cost;
  for (const Nest& nest : features::nests_of(program)) {
    if (!nest.tile->reduce.empty()) {
      const double accumulators = registers_of(nest, target);
      cost.accumulator_registers = std::max(cost.accumulator_registers, static_cast<int64_t>(accumulators));
      cost.live_registers = std::max(cost.live_registers,
                                     static_cast<int64_t>(accumulators + shared_registers(nest, target) + 1));
    }
    cost.core_cycles += estimate_of(nest, Footprints(program, nest), target, {}).core();
    const double body = operations_per_point(nest, target) * unroll_of_reduce(nest);
    cost.body_operations = std::max(cost.body_operations, static_cast<int64_t>(body));
    cost.code_operations += static_cast<int64_t>(code_of(nest, target));
  }
  return cost;
}

}  // namespace hone
