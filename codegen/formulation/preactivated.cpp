// Elementwise nodes with per-channel constants, and a 1x1 convolution of what they make (the batch
// normalisation and relu before DenseNet's convolutions). Rows are activated block by block where the
// convolution needs them, all their channels, so that what is activated stays in a core's cache.
#include <algorithm>
#include <set>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/direct.h"
#include "codegen/formulation/direct_shape.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

namespace hone {
namespace {

constexpr int64_t kMostBytes = 512 << 10;   // of activated rows: half of a large cache of a core
constexpr int64_t kUsualBytes = 192 << 10;  // by default: room for weights too

int64_t row_bytes(const ConvShape& c) { return 4 * c.w * c.in; }

/// Tiles within a block of `rows` rows.
TileProblem tile_problem(const DirectShape& d, int64_t rows) { return {d.blocks, rows, d.conv.ow, 4, d.in}; }

int64_t usual_rows(const ConvShape& c) {
  int64_t rows = 1;
  for (const int64_t r : divisors(c.oh, c.oh / 2))
    if (r * row_bytes(c) <= kUsualBytes) rows = r;
  return rows;
}

bool preactivated_applies(const Task& task, const Target&) {
  return is_preactivated(task) && row_bytes(conv_shape(task)) <= kMostBytes;
}

SearchSpace preactivated_space(const Task& task, const Target& target, const Ports& ports) {
  const DirectShape d = direct_shape(without_preactivation(task), ports);
  std::set<int64_t> blocks, tall, wide;
  std::vector<int64_t> rows, unroll;
  for (const int64_t r : divisors(d.conv.oh, d.conv.oh)) {
    if (r > 1 && r * row_bytes(d.conv) > kMostBytes) break;
    rows.push_back(r);
    for (const RegisterTile& tile : good_tiles(target, tile_problem(d, r))) {
      blocks.insert(tile.channels);
      tall.insert(tile.rows);
      wide.insert(tile.columns);
    }
  }
  for (int64_t u = 1; u <= d.unit; u *= 2) unroll.push_back(u);
  return {{"oc_tile", {blocks.begin(), blocks.end()}},
          {"oh_tile", {tall.begin(), tall.end()}},
          {"order", {0, 1}},
          {"ow_tile", {wide.begin(), wide.end()}},
          {"rows", rows},
          {"unroll", unroll}};
}

Parameters preactivated_default(const Task& task, const Target& target, const Ports& ports) {
  const DirectShape d = direct_shape(without_preactivation(task), ports);
  const int64_t rows = usual_rows(d.conv);
  const RegisterTile tile = best_tile(target, tile_problem(d, rows));
  return {{"oc_tile", tile.channels}, {"oh_tile", tile.rows}, {"order", 0},
          {"ow_tile", tile.columns},  {"rows", rows},         {"unroll", std::min<int64_t>(4, d.unit)}};
}

/// Rows of the region, block by block of channels.
StageSchedule activation_steps(const DirectShape& d, int64_t block) {
  StageSchedule s{"activate", {{StepKind::compute_at, {"oh.b"}, 0, Tail::exact, "conv"}}};
  std::vector<std::string> loops{"n", "c", "h", "w"};
  const int64_t columns = d.conv.w, tile = std::min<int64_t>(columns, 4);
  if (block > 1) {
    // The convolution reads whole units of channels only, which may end within a block.
    const Tail tail = d.in % block == 0 ? Tail::exact : Tail::guard;
    s.steps.push_back(steps::split("c", block, "c.b", "c.v", tail));
    loops[1] = "c.b";
  }
  if (tile > 1) {
    s.steps.push_back(steps::split("w", tile, "w.o", "w.t", columns % tile == 0 ? Tail::exact : Tail::peel));
    loops[3] = "w.o";
    loops.emplace_back("w.t");
  }
  if (block > 1) loops.emplace_back("c.v");
  s.steps.push_back(steps::reorder(loops));
  if (tile > 1) s.steps.push_back(steps::tile({"w.t"}));
  if (block > 1) s.steps.push_back(steps::vectorize("c.v"));
  return s;
}

Result<Schedule> preactivated_schedule(const Task& task, const Target& target, const Ports& ports,
                                       const Parameters& p) {
  const Task plain = without_preactivation(task);
  const DirectShape d = direct_shape(plain, ports);
  for (const char* name : {"oc_tile", "oh_tile", "order", "ow_tile", "rows", "unroll"})
    if (!p.count(name)) return fail(std::string("parameter ") + name + " is missing", "preactivated");
  const int64_t oc_tile = p.at("oc_tile"), oh_tile = p.at("oh_tile"), ow_tile = p.at("ow_tile"),
                rows = p.at("rows"), unroll = p.at("unroll");
  if (oc_tile < 1 || oh_tile < 1 || ow_tile < 1 || unroll < 1 || rows < 1 || d.blocks % oc_tile != 0 ||
      d.conv.oh % rows != 0 || oh_tile > rows || ow_tile > d.conv.ow)
    return fail("oc_tile divides " + std::to_string(d.blocks) + " channel blocks, rows divides " +
                    std::to_string(d.conv.oh) + " and holds oh_tile",
                "preactivated");
  if (!fits_registers(target, {oc_tile, oh_tile, ow_tile}))
    return fail("a tile of " + std::to_string(oc_tile * oh_tile * ow_tile) +
                    " accumulators does not fit the registers",
                "preactivated");
  StageSchedule s{"conv", {}};
  std::vector<std::string> tile, reduce{"ic", "kh", "kw"};
  std::string channels = "oc", row = "oh.i", column = "ow";
  if (d.output_block > 1) {
    s.steps.push_back(steps::split("oc", d.output_block, "oc.b", "oc.v"));
    channels = "oc.b";
  }
  if (oc_tile > 1) {
    s.steps.push_back(steps::split(channels, oc_tile, "oc.o", "oc.t"));
    channels = "oc.o";
    tile.emplace_back("oc.t");
  }
  if (d.unit > 1) {
    s.steps.push_back(steps::split("ic", d.unit, "ic.o", "ic.v"));
    reduce = {"ic.o", "kh", "kw", "ic.v"};
  }
  s.steps.push_back(steps::split("oh", rows, "oh.b", "oh.i"));
  if (oh_tile > 1) {
    s.steps.push_back(
        steps::split("oh.i", oh_tile, "oh.o", "oh.t", rows % oh_tile == 0 ? Tail::exact : Tail::peel));
    row = "oh.o";
    tile.emplace_back("oh.t");
  }
  if (ow_tile > 1) {
    s.steps.push_back(
        steps::split("ow", ow_tile, "ow.o", "ow.t", d.conv.ow % ow_tile == 0 ? Tail::exact : Tail::peel));
    column = "ow.o";
    tile.emplace_back("ow.t");
  }
  std::vector<std::string> loops{"n", "oh.b"};
  if (p.at("order") == 1)
    loops.insert(loops.end(), {row, column, channels});
  else
    loops.insert(loops.end(), {channels, row, column});
  loops.insert(loops.end(), reduce.begin(), reduce.end());
  loops.insert(loops.end(), tile.begin(), tile.end());
  if (d.output_block > 1) loops.emplace_back("oc.v");
  s.steps.push_back(steps::reorder(loops));
  if (unroll > 1) s.steps.push_back(steps::unroll(reduce.back(), unroll));
  if (!tile.empty()) s.steps.push_back(steps::tile(tile));
  if (d.output_block > 1) s.steps.push_back(steps::vectorize("oc.v"));
  s.steps.push_back(steps::parallel({"n", "oh.b"}));
  size_t x = 0;
  while (plain.graph.inputs[x] != plain.anchor().inputs[0]) ++x;
  return Schedule{{activation_steps(d, block_of(ports.inputs.at(x).layout, 1)), std::move(s)}};
}

}  // namespace

Formulation preactivated_formulation() {
  Formulation f = direct_base("preactivated");
  f.cycles = nullptr;  // alone where it applies
  f.applies = preactivated_applies;
  f.halo = no_halo;
  f.space = preactivated_space;
  f.default_parameters = preactivated_default;
  f.schedule = preactivated_schedule;
  return f;
}

}  // namespace hone
