// Convolutions of any groups in plain layouts, vectors over columns; 1x1 ones are a product of matrices for
// each group, over all pixels.
#include <algorithm>
#include <set>

#include "codegen/formulation/conv.h"
#include "codegen/formulation/direct.h"
#include "codegen/formulation/direct_shape.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

namespace hone {
namespace {

bool grouped_applies(const Task& task, const Target&) { return is_plain_conv(task); }

/// Whether all pixels are one axis of at least a vector: a product of matrices for each group.
bool grouped_product(const Task& task, const Target& target, const Ports& ports) {
  const DirectShape d = direct_shape(task, ports);
  return d.fused && d.unit == 1 && d.output_block == 1 && d.columns >= target.lanes();
}

/// Estimated cycles per reduce step of one group with tiles of `channels` x `vectors`.
double product_cost(const DirectShape& d, int64_t lanes, int64_t channels, int64_t vectors) {
  const auto pieces = [](int64_t extent, int64_t tile) {
    std::vector<std::pair<int64_t, int64_t>> result{{tile, extent / tile}};
    if (extent % tile > 0) result.emplace_back(extent % tile, 1);
    return result;
  };
  auto wide = pieces(d.columns / lanes, vectors);
  if (d.columns % lanes > 0) wide.emplace_back(1, 1);
  double cost = 0;
  for (const auto& [c, times] : pieces(d.conv.out, channels))
    for (const auto& [v, repeated] : wide)
      cost += static_cast<double>(times * repeated) *
              (std::max<double>(5, static_cast<double>(c * v) / 2) + 0.05 * static_cast<double>(c + v));
  return cost;
}

/// Tiles that fit the registers, the cheapest first.
std::vector<std::pair<int64_t, int64_t>> product_tiles(const Task& task, const Target& target,
                                                       const Ports& ports) {
  const DirectShape d = direct_shape(task, ports);
  const int64_t lanes = target.lanes();
  std::vector<std::pair<int64_t, int64_t>> tiles;
  for (int64_t channels = 1; channels <= std::min<int64_t>(8, d.conv.out); ++channels)
    for (int64_t vectors = 1; vectors <= std::min<int64_t>(8, d.columns / lanes); ++vectors)
      if (fits_registers(target, {vectors, 1, channels})) tiles.emplace_back(channels, vectors);
  std::ranges::stable_sort(tiles, {},
                           [&](const auto& tile) { return product_cost(d, lanes, tile.first, tile.second); });
  return tiles;
}

SearchSpace grouped_space(const Task& task, const Target& target, const Ports& ports) {
  if (!grouped_product(task, target, ports)) return plain_base("grouped").space(task, target, ports);
  std::set<int64_t> channels, vectors;
  auto tiles = product_tiles(task, target, ports);
  if (tiles.size() > 12) tiles.resize(12);
  for (const auto& [c, v] : tiles) {
    channels.insert(c);
    vectors.insert(v);
  }
  return {{"hw_tile", {vectors.begin(), vectors.end()}}, {"oc_tile", {channels.begin(), channels.end()}}};
}

Parameters grouped_default(const Task& task, const Target& target, const Ports& ports) {
  if (!grouped_product(task, target, ports))
    return plain_base("grouped").default_parameters(task, target, ports);
  const auto tile = product_tiles(task, target, ports).front();
  return {{"hw_tile", tile.second}, {"oc_tile", tile.first}};
}

Result<Schedule> grouped_schedule(const Task& task, const Target& target, const Ports& ports,
                                  const Parameters& p) {
  if (!grouped_product(task, target, ports)) {
    const Formulated formulated = formulate_conv(task, target, ports);
    return schedule_plainly(formulated.run, target, p);
  }
  const DirectShape d = direct_shape(task, ports);
  for (const char* name : {"hw_tile", "oc_tile"})
    if (!p.count(name)) return fail(std::string("parameter ") + name + " is missing", "grouped");
  const int64_t channels = p.at("oc_tile"), vectors = p.at("hw_tile"), lanes = target.lanes();
  if (channels < 1 || vectors < 1 || !fits_registers(target, {vectors, 1, channels}))
    return fail("a tile of " + std::to_string(channels * vectors) + " accumulators does not fit", "grouped");
  const auto tail = [](int64_t extent, int64_t factor) {
    return extent % factor == 0 ? Tail::exact : Tail::peel;
  };
  StageSchedule s{"conv", {steps::fuse("oh", "ow", "hw")}};
  s.steps.push_back(
      steps::split("hw", lanes, "hw.b", "hw.v", d.columns % lanes == 0 ? Tail::exact : Tail::guard));
  std::vector<std::string> outer{"n"}, tile;
  if (d.conv.groups > 1) outer.push_back("g");
  std::vector<std::string> divided = outer;
  const auto tiled = [&](const std::string& axis, int64_t extent, int64_t factor) {
    if (factor == 1) return outer.push_back(axis);
    s.steps.push_back(steps::split(axis, factor, axis + ".o", axis + ".t", tail(extent, factor)));
    outer.push_back(axis + ".o");
    tile.push_back(axis + ".t");
  };
  tiled("oc", d.conv.out, std::min(channels, d.conv.out));
  if (d.conv.out % std::min(channels, d.conv.out) == 0) divided = outer;
  tiled("hw.b", d.columns / lanes, std::min(vectors, d.columns / lanes));
  outer.insert(outer.end(), {"ic", "kh", "kw"});
  outer.insert(outer.end(), tile.begin(), tile.end());
  outer.push_back("hw.v");
  s.steps.push_back(steps::reorder(outer));
  s.steps.push_back(steps::unroll("ic", std::min<int64_t>(4, d.conv.in)));
  if (!tile.empty()) s.steps.push_back(steps::tile(tile));
  s.steps.push_back(steps::vectorize("hw.v"));
  s.steps.push_back(steps::parallel(divided));
  return Schedule{{s}};
}

}  // namespace

Formulation grouped_formulation() {
  Formulation f = direct_base("grouped");
  f.applies = grouped_applies;
  f.layouts = plain_ports;
  f.space = grouped_space;
  f.default_parameters = grouped_default;
  f.schedule = grouped_schedule;
  f.space_version = 2;
  return f;
}

}  // namespace hone
