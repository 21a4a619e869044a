// Chains of elementwise operators with broadcasting, and batch normalisation that found nothing to fold into.
// Rank 4 stays in NCHW[V]c; other ranks are plain, and dimensions that every operand walks alike are one
// axis.
#include <algorithm>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{2e-6, 8};

bool normalises(const Task& task) { return anchor_is(task, Op::batch_norm); }

bool applies(const Task& task, const Target&) {
  if (task.graph.nodes.empty()) return false;
  for (const Value& value : task.graph.values)
    if (value.type.dtype != DType::f32) return false;
  if (normalises(task)) return fits(task, 1, 4) && task.anchor().inputs.size() == 5;
  return is_elementwise(task.anchor().op);
}

/// x * a + b with a = scale / sqrt(variance + epsilon) and b = bias - mean * a, both made once by `prepare`.
ScalarPtr normalised(const Task& task, Builder& builder, const std::vector<Index>& index, int64_t block) {
  const Node& node = task.anchor();
  const int64_t channels = task.graph.value(node.inputs[1]).type.shape[0];
  const int64_t padded = round_up(channels, block);
  const Index c = Index::axis("c");
  const std::optional<double> outside = padded == channels ? std::nullopt : std::optional<double>(0);
  const auto constant = [&](size_t i) { return scalar::read(builder.logical(node.inputs[i]), {c}, outside); };
  auto spread = scalar::unary(ScalarOp::sqrt, scalar::binary(ScalarOp::add, constant(4),
                                                             scalar::constant(node.real("epsilon", 1e-5))));
  auto factor = scalar::binary(ScalarOp::div, constant(1), spread);
  auto shift = scalar::binary(ScalarOp::sub, constant(2), scalar::binary(ScalarOp::mul, constant(3), factor));
  const std::vector<Axis> axes{{"c", padded}};
  const int a = builder.packed("factor", {padded}, Layout::plain(1), {}, axes, {c}, factor);
  const int b = builder.packed("shift", {padded}, Layout::plain(1), {}, axes, {c}, shift);
  const Index& channel = index[1];
  auto x = scalar::read(builder.input(node.inputs[0]), index);
  return scalar::binary(ScalarOp::add, scalar::binary(ScalarOp::mul, x, scalar::read(a, {channel})),
                        scalar::read(b, {channel}));
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const Shape& y = output_type(task).shape;
  Builder builder(task, target, ports);
  const int64_t block = y.size() == 4 ? block_of(ports.output.layout, 1) : 1;
  Stage stage;
  stage.name = "map";
  Shape extents = y;
  if (block > 1) extents[1] = round_up(y[1], block);
  stage.axes = axes_of(dimension_names(y.size()), extents);
  if (stage.axes.empty()) stage.axes.push_back({"one", 1});
  stage.store_index = indices_of(stage.axes);
  stage.store_index.resize(y.size());
  const auto& index = stage.store_index;
  ScalarPtr start;
  if (normalises(task)) start = normalised(task, builder, index, block);
  ScalarPtr value = chain_value(task, start, builder.operand_reader(index, block));
  if (block > 1 && y[1] % block != 0) value = Builder::masked(value, index[1], y[1]);
  stage.value = value;
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(kBound);
}

/// Whether every operand walks dimensions d and d + 1 of the output alike, so that they can be one axis.
bool fusible(const Task& task, const Ports& ports, size_t d) {
  const Shape& y = output_type(task).shape;
  if (ports.output.placement.has_halo()) return false;
  for (const Port& port : ports.inputs)
    if (port.placement.has_halo()) return false;
  for (const Value& value : task.graph.values) {
    const auto extent = [&](size_t dimension) {
      const Shape& shape = value.type.shape;
      const size_t skip = y.size() - std::min(y.size(), shape.size());
      return dimension < skip ? int64_t{1} : shape[dimension - skip];
    };
    if (normalises(task) && value.type.shape.size() == 1) continue;
    const bool whole = extent(d) == y[d] && extent(d + 1) == y[d + 1];
    const bool absent = extent(d) == 1 && extent(d + 1) == 1;
    if (!whole && !absent) return false;
  }
  return true;
}

SearchSpace space(const Task&, const Target&, const Ports&) { return {{"tile", {1, 2, 4, 8}}}; }
Parameters default_parameters(const Task&, const Target&, const Ports&) { return {{"tile", 4}}; }

Result<Schedule> schedule(const Task& task, const Target& target, const Ports& ports, const Parameters& p) {
  if (!p.count("tile") || p.at("tile") < 1) return fail("parameter tile is missing", "elementwise");
  const Shape& y = output_type(task).shape;
  const int64_t block = y.size() == 4 ? block_of(ports.output.layout, 1) : 1;
  StageSchedule s{"map", {}};
  const auto names = dimension_names(y.size());
  std::vector<std::string> outer(names.begin(), names.end());
  std::vector<int64_t> extents(y.begin(), y.end());
  if (outer.empty()) return Schedule{};
  std::string vector;
  // From the innermost dimension outwards; in NCHW[V]c only h and w lie side by side.
  const size_t lowest = block > 1 ? 2 : normalises(task) ? 2 : 0;
  for (size_t d = y.size() - 1; d-- > lowest;) {
    if (!fusible(task, ports, d)) break;
    const std::string fused = "f" + std::to_string(d);
    s.steps.push_back(steps::fuse(outer[d], outer[d + 1], fused));
    outer.pop_back();
    outer[d] = fused;
    extents[d] *= extents[d + 1];
    extents.pop_back();
  }
  std::string tile;
  const auto tiled = [&](std::string& axis, int64_t extent) {
    const int64_t factor = std::min(p.at("tile"), extent);
    if (factor < 2) return;
    const std::string from = axis;
    tile = from + ".t";
    s.steps.push_back(
        steps::split(from, factor, from + ".o", tile, extent % factor == 0 ? Tail::exact : Tail::peel));
    axis = from + ".o";
  };
  size_t divisible = outer.size() - 1;  // how many of the outer axes threads can divide
  if (block > 1) {
    vector = "d1.v";
    s.steps.push_back(steps::split("d1", block, "d1.b", vector));
    outer[1] = "d1.b";
    tiled(outer.back(), extents.back());
    if (tile.empty() || extents.back() % std::min(p.at("tile"), extents.back()) == 0) ++divisible;
  } else if (const int64_t width = vector_width(extents.back(), target.lanes()); width > 1) {
    const bool exact = extents.back() % width == 0;
    const std::string from = outer.back();
    vector = from + ".v";
    s.steps.push_back(steps::split(from, width, from + ".o", vector, exact ? Tail::exact : Tail::guard));
    outer.back() = from + ".o";
    if (exact) {
      tiled(outer.back(), extents.back() / width);
      if (tile.empty() || (extents.back() / width) % std::min(p.at("tile"), extents.back() / width) == 0)
        ++divisible;
    }
  }
  std::vector<std::string> all = outer;
  if (!tile.empty()) all.push_back(tile);
  if (!vector.empty()) all.push_back(vector);
  s.steps.push_back(steps::reorder(all));
  if (!tile.empty()) s.steps.push_back(steps::tile({tile}));
  if (!vector.empty()) s.steps.push_back(steps::vectorize(vector));
  if (divisible > 0)
    s.steps.push_back(steps::parallel(
        {outer.begin(), outer.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(divisible, 3))}));
  return Schedule{{s}};
}

}  // namespace

Formulation elementwise_formulation() {
  Formulation f = plain_formulation<formulate>("elementwise");
  f.applies = applies;
  f.layouts = blocked_ports;
  f.space = space;
  f.default_parameters = default_parameters;
  f.schedule = schedule;
  return f;
}

}  // namespace hone
