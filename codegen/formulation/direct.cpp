// Direct convolution: NCHW[V]c in and out, 14 columns x 2 channel blocks or what the registers allow, reduced
// over input channels and window inside the tile.
#include "codegen/formulation/direct.h"

#include <algorithm>
#include <set>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/direct_shape.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

namespace hone {

DirectShape direct_shape(const Task& task, const Ports& ports) {
  DirectShape d{};
  d.conv = conv_shape(task);
  size_t x = 0;
  while (task.graph.inputs[x] != task.anchor().inputs[0]) ++x;
  d.unit = reduce_unit(d.conv.in, block_of(ports.inputs.at(x).layout, 1));
  d.output_block = block_of(ports.output.layout, 1);
  d.in = d.conv.groups > 1 ? d.conv.in : round_up(d.conv.in, d.unit);
  d.blocks = round_up(d.conv.out, d.output_block) / d.output_block;
  const ConvShape& c = d.conv;
  d.fused = c.kh == 1 && c.kw == 1 && c.stride_h == 1 && c.stride_w == 1 && c.pad_h + c.pad_w == 0 &&
            c.oh == c.h && c.ow == c.w && c.oh > 1 && !ports.output.placement.has_halo();
  for (const Port& port : ports.inputs) d.fused = d.fused && !port.placement.has_halo();
  for (const ValueId id : task.graph.inputs)  // an operand broadcast over h or w does not fuse
    d.fused =
        d.fused && (task.graph.value(id).type.shape.size() == 4 &&
                    task.graph.value(id).type.shape[2] == c.oh && task.graph.value(id).type.shape[3] == c.ow);
  d.rows = d.fused ? 1 : c.oh;
  d.columns = d.fused ? c.oh * c.ow : c.ow;
  return d;
}

namespace {

/// Copies of the innermost reduce loop: of a channel block, or else of the window's columns.
std::vector<int64_t> unroll_choices(const DirectShape& d) {
  std::vector<int64_t> choices;
  if (d.unit == 1) {
    choices.push_back(1);
    if (d.conv.kw > 1 && d.conv.kw <= 11) choices.push_back(d.conv.kw);
    return choices;
  }
  for (int64_t u = 1; u <= d.unit; u *= 2) choices.push_back(u);
  return choices;
}

TileProblem tile_problem(const DirectShape& d) {
  return {d.blocks, d.rows, d.columns, 4, d.in * d.conv.kh * d.conv.kw};
}

bool direct_applies(const Task& task, const Target& target) {
  if (!is_plain_conv(task)) return false;
  const ConvShape c = conv_shape(task);
  if (c.groups == 1) return true;
  const int64_t in = channel_block(target, c.in * c.groups), out = channel_block(target, c.out * c.groups);
  return c.in % in == 0 && c.out % out == 0 && !c.depthwise();
}

bool first_layer_applies(const Task& task, const Target&) {
  return is_plain_conv(task) && task.anchor().integer("groups", 1) == 1 && operand_shape(task, 0)[1] <= 4;
}

Ports first_layer_ports(const Task& task, const Target& target) {
  Ports ports = blocked_ports(task, target);
  for (size_t i = 0; i < ports.inputs.size(); ++i)
    if (task.graph.inputs[i] == task.anchor().inputs[0]) ports.inputs[i].layout = Layout::plain(4);
  return ports;
}

Result<Formulated> formulate_direct(const Task& task, const Target& target, const Ports& ports) {
  return formulate_conv(task, target, ports);
}

SearchSpace direct_space(const Task& task, const Target& target, const Ports& ports) {
  const DirectShape d = direct_shape(task, ports);
  std::set<int64_t> channels, rows, columns;
  for (const RegisterTile& tile : good_tiles(target, tile_problem(d))) {
    channels.insert(tile.channels);
    rows.insert(tile.rows);
    columns.insert(tile.columns);
  }
  return {{"oc_tile", {channels.begin(), channels.end()}},
          {"oh_tile", {rows.begin(), rows.end()}},
          {"order", {0, 1}},
          {"ow_tile", {columns.begin(), columns.end()}},
          {"unroll", unroll_choices(d)}};
}

double direct_cycles(const Task& task, const Target& target) {
  const DirectShape d = direct_shape(task, blocked_ports(task, target));
  const TileProblem problem = tile_problem(d);
  const auto steps = static_cast<double>(d.conv.n * d.conv.groups * problem.reduced);
  const double bytes = 4.0 * static_cast<double>(problem.reduced * d.conv.groups) *
                       static_cast<double>(d.blocks * d.output_block);
  const double cycles = steps * tile_cost(target, problem, best_tile(target, problem));
  return cycles + exposed_cycles(cycles, bytes);
}

Parameters direct_default(const Task& task, const Target& target, const Ports& ports) {
  const DirectShape d = direct_shape(task, ports);
  const RegisterTile tile = best_tile(target, tile_problem(d));
  return {{"oc_tile", tile.channels},
          {"oh_tile", tile.rows},
          {"order", 0},
          {"ow_tile", tile.columns},
          {"unroll", std::min<int64_t>(4, d.unit)}};
}

Result<Schedule> direct_schedule(const Task& task, const Target& target, const Ports& ports,
                                 const Parameters& p) {
  const DirectShape d = direct_shape(task, ports);
  for (const char* name : {"oc_tile", "oh_tile", "order", "ow_tile", "unroll"})
    if (!p.count(name)) return fail(std::string("parameter ") + name + " is missing", "direct");
  const int64_t oc_tile = p.at("oc_tile"), oh_tile = p.at("oh_tile"), ow_tile = p.at("ow_tile"),
                unroll = p.at("unroll");
  if (oc_tile < 1 || oh_tile < 1 || ow_tile < 1 || unroll < 1 || d.blocks % oc_tile != 0)
    return fail("oc_tile " + std::to_string(oc_tile) + " does not divide " + std::to_string(d.blocks) +
                    " channel blocks",
                "direct");
  if (!fits_registers(target, {oc_tile, oh_tile, ow_tile}))
    return fail("a tile of " + std::to_string(oc_tile * oh_tile * ow_tile) +
                    " accumulators does not fit the registers",
                "direct");
  // Tuned where pixels are one axis, placed where margins keep rows apart.
  if (ow_tile > d.columns || (!d.fused && oh_tile > d.rows))
    return fail("a tile of " + std::to_string(oh_tile) + " x " + std::to_string(ow_tile) +
                    " pixels does not fit " + std::to_string(d.rows) + " x " + std::to_string(d.columns),
                "direct");
  StageSchedule s{"conv", {}};
  auto& steps = s.steps;
  const bool grouped = d.conv.groups > 1;
  std::vector<std::string> outer{"n"}, reduce, tile;
  if (grouped) outer.push_back("g");

  std::string vector;
  std::string oc_outer = "oc";
  if (d.output_block > 1) {
    steps.push_back(steps::split("oc", d.output_block, "oc.b", "oc.v"));
    vector = "oc.v";
    oc_outer = "oc.b";
  }
  if (oc_tile > 1) {
    steps.push_back(steps::split(oc_outer, oc_tile, "oc.o", "oc.t"));
    oc_outer = "oc.o";
    tile.push_back("oc.t");
  }
  if (d.unit > 1) {
    steps.push_back(steps::split("ic", d.unit, "ic.o", "ic.v"));
    reduce = {"ic.o", "kh", "kw", "ic.v"};
  } else {
    reduce = {"ic", "kh", "kw"};
  }
  std::string row = "oh", column = "ow";
  bool divided_rows = true;
  if (d.fused) {
    steps.push_back(steps::fuse("oh", "ow", "hw"));
    column = "hw";
    row.clear();
  }
  if (!row.empty() && oh_tile > 1) {
    steps.push_back(
        steps::split("oh", oh_tile, "oh.o", "oh.t", d.rows % oh_tile == 0 ? Tail::exact : Tail::peel));
    divided_rows = d.rows % oh_tile == 0;
    row = "oh.o";
    tile.push_back("oh.t");
  }
  bool divided_columns = true;
  if (ow_tile > 1) {
    const std::string o = column + ".o", t = column + ".t";
    steps.push_back(steps::split(column, ow_tile, o, t, d.columns % ow_tile == 0 ? Tail::exact : Tail::peel));
    divided_columns = d.columns % ow_tile == 0;
    column = o;
    tile.push_back(t);
  }
  std::vector<std::string> divided = outer;
  const bool pixels_first = p.at("order") == 1;
  if (pixels_first) {
    if (!row.empty()) {
      outer.insert(outer.end(), {row, oc_outer, column});
      if (divided_rows) divided.insert(divided.end(), {row, oc_outer});
    } else {
      outer.insert(outer.end(), {column, oc_outer});
      if (divided_columns) divided.insert(divided.end(), {column, oc_outer});
    }
  } else {
    outer.push_back(oc_outer);
    divided.push_back(oc_outer);
    if (!row.empty()) outer.push_back(row);
    outer.push_back(column);
    // Where channels alone leave threads unequal parts, pixels are divided although their tail is a phase of
    // its own.
    const bool few = d.blocks / oc_tile < 8;
    if (!row.empty() && (divided_rows || (few && d.rows / oh_tile >= 8))) divided.push_back(row);
    if (row.empty() && (divided_columns || few) && d.columns / ow_tile >= 8) divided.push_back(column);
  }
  std::vector<std::string> all = outer;
  all.insert(all.end(), reduce.begin(), reduce.end());
  all.insert(all.end(), tile.begin(), tile.end());
  if (!vector.empty()) all.push_back(vector);
  steps.push_back(steps::reorder(all));
  if (unroll > 1) steps.push_back(steps::unroll(reduce.back(), unroll));
  if (!tile.empty()) steps.push_back(steps::tile(tile));
  if (!vector.empty()) steps.push_back(steps::vectorize(vector));
  steps.push_back(steps::parallel(divided));
  return Schedule{{s}};
}

}  // namespace

Formulation direct_base(std::string_view name) {
  Formulation f{};
  f.name = name;
  f.applies = direct_applies;
  f.layouts = blocked_ports;
  f.halo = conv_halo;
  f.formulate = formulate_direct;
  f.space = direct_space;
  f.default_parameters = direct_default;
  f.schedule = direct_schedule;
  f.cycles = direct_cycles;
  return f;
}

Formulation direct_formulation() {
  Formulation f = direct_base("direct");
  f.space_version = 2;
  return f;
}

Formulation first_layer_formulation() {
  Formulation f = direct_base("first_layer");
  f.applies = first_layer_applies;
  f.layouts = first_layer_ports;
  f.cycles = nullptr;
  return f;
}

}  // namespace hone
