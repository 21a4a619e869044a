// Bases of formulations: windows in blocked layout, and stages that the plain scheduler is good enough for.
#include "codegen/formulation/families.h"

#include <algorithm>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

namespace hone {
namespace {

int64_t columns_of(const Task& task) { return output_type(task).shape[3]; }

std::vector<int64_t> window(const Task& task) {
  const Node& node = task.anchor();
  if (node.op == Op::conv) return {conv_shape(task).kh, conv_shape(task).kw};
  return node.integers("kernel");
}

/// Tiles of columns: those without a rest, and the largest few with one.
std::vector<int64_t> column_tiles(const Task& task, const Target& target) {
  const int64_t limit = std::min<int64_t>({accumulator_budget(target), columns_of(task), 14});
  std::vector<int64_t> tiles;
  for (int64_t t = 1; t <= limit; ++t)
    if (columns_of(task) % t == 0 || t >= limit - 2 || t == 8 || t == 4) tiles.push_back(t);
  return tiles;
}

SearchSpace window_space(const Task& task, const Target& target, const Ports&) {
  std::vector<int64_t> unroll{0};
  if (window(task)[0] > 1 && window(task)[0] * window(task)[1] <= 25) unroll.push_back(1);
  return {{"ow_tile", column_tiles(task, target)}, {"unroll_rows", unroll}};
}

Parameters window_default(const Task& task, const Target& target, const Ports& ports) {
  const auto space = window_space(task, target, ports);
  int64_t best = 1;
  double best_cost = 1e30;
  for (const int64_t tile : space[0].choices) {
    // One pass per tile, each with some overhead; a rest is a tile too; more than 8 columns gain little.
    const int64_t tiles = (columns_of(task) + tile - 1) / tile;
    const double cost = static_cast<double>(tiles) + 0.1 * static_cast<double>(columns_of(task) % tile != 0) +
                        0.05 * static_cast<double>(tile);
    if (cost < best_cost) best = tile, best_cost = cost;
  }
  return {{"ow_tile", best}, {"unroll_rows", space[1].choices.back()}};
}

Result<Schedule> window_schedule(const Task& task, const Target& target, const Ports& ports,
                                 const Parameters& p) {
  for (const char* name : {"ow_tile", "unroll_rows"})
    if (!p.count(name)) return fail(std::string("parameter ") + name + " is missing", "window");
  const int64_t tile = p.at("ow_tile");
  if (tile < 1 || tile > accumulator_budget(target) || tile > columns_of(task))
    return fail("ow_tile " + std::to_string(tile) + " does not fit", "window");
  StageSchedule s{std::string(task.anchor().op == Op::conv ? "conv" : "pool"), {}};
  const int64_t block = block_of(ports.output.layout, 1);
  std::vector<std::string> outer{"n"};
  std::string vector;
  if (block > 1) {
    s.steps.push_back(steps::split("c", block, "c.b", "c.v"));
    outer.push_back("c.b");
    vector = "c.v";
  } else {
    outer.push_back("c");
  }
  outer.push_back("oh");
  const std::vector<std::string> divided = outer;
  std::vector<std::string> all = outer;
  if (tile > 1) {
    s.steps.push_back(
        steps::split("ow", tile, "ow.o", "ow.t", columns_of(task) % tile == 0 ? Tail::exact : Tail::peel));
    all.push_back("ow.o");
  } else {
    all.push_back("ow");
  }
  all.insert(all.end(), {"kh", "kw"});
  if (tile > 1) all.push_back("ow.t");
  if (!vector.empty()) all.push_back(vector);
  s.steps.push_back(steps::reorder(all));
  const auto k = window(task);
  if (k[1] > 1 && k[1] <= 11) s.steps.push_back(steps::unroll("kw", k[1]));
  if (p.at("unroll_rows") && k[0] > 1) s.steps.push_back(steps::unroll("kh", k[0]));
  if (tile > 1) s.steps.push_back(steps::tile({"ow.t"}));
  if (!vector.empty()) s.steps.push_back(steps::vectorize(vector));
  s.steps.push_back(steps::parallel(divided));
  return Schedule{{s}};
}

SearchSpace plain_space(const Task&, const Target&, const Ports&) { return {{"tile", {1, 4, 6}}}; }
Parameters plain_default(const Task&, const Target&, const Ports&) { return {{"tile", 6}}; }

}  // namespace

std::vector<HaloNeed> no_halo(const Task& task, const Target&) {
  return std::vector<HaloNeed>(task.graph.inputs.size());
}

Formulation window_formulation(std::string_view name) {
  Formulation f{};
  f.name = name;
  f.halo = no_halo;
  f.layouts = blocked_ports;
  f.space = window_space;
  f.default_parameters = window_default;
  f.schedule = window_schedule;
  return f;
}

Result<Schedule> schedule_plainly(const Computation& computation, const Target& target, const Parameters& p) {
  if (!p.count("tile") || p.at("tile") < 1) return fail("parameter tile is missing");
  return plain_schedule(computation, target, {p.at("tile")});
}

Formulation plain_base(std::string_view name) {
  Formulation f{};
  f.name = name;
  f.halo = no_halo;
  f.layouts = plain_ports;
  f.space = plain_space;
  f.default_parameters = plain_default;
  return f;
}

}  // namespace hone
