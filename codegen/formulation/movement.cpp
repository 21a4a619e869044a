// Operators that only move elements: concat, pad, transpose, slice, gather, reshape. Concat and spatial
// padding stay in NCHW[V]c, the rest is plain.
#include <algorithm>
#include <set>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{1e-6, 8};

size_t axis_of(const Node& node, const char* key, size_t rank, int64_t otherwise = 0) {
  const int64_t axis = node.integer(key, otherwise);
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

/// One stage that writes y everywhere from `element`, the anchor's value at y's index.
template <class Element>
Result<Formulated> moved(const Task& task, const Target& target, const Ports& ports, Element element) {
  const Shape& y = output_type(task).shape;
  Builder builder(task, target, ports);
  const int64_t block = y.size() == 4 ? block_of(ports.output.layout, 1) : 1;
  Shape extents = y;
  if (block > 1) extents[1] = round_up(y[1], block);
  Stage stage;
  stage.name = "move";
  stage.axes = axes_of(dimension_names(y.size()), extents);
  if (stage.axes.empty()) stage.axes.push_back({"one", 1});
  stage.store_index = indices_of(stage.axes);
  stage.store_index.resize(y.size());
  ScalarPtr value = element(builder, stage);
  value = chain_value(task, value, builder.operand_reader(stage.store_index, block));
  if (block > 1 && y[1] % block != 0 && chain_needs_mask(task))
    value = Builder::masked(value, stage.store_index[1], y[1]);
  stage.value = value;
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(kBound);
}

// --- pad ----------------------------------------------------------------------------------------------

bool pad_applies(const Task& task, const Target&) { return anchor_is(task, Op::pad) && fits(task, 1, 0); }

Ports pad_layouts(const Task& task, const Target& target) {
  const auto pads = task.anchor().integers("pads");
  const bool spatial = pads.size() == 8 && pads[0] == 0 && pads[1] == 0 && pads[4] == 0 && pads[5] == 0;
  return spatial ? blocked_ports(task, target) : plain_ports(task, target);
}

Result<Formulated> pad_formulate(const Task& task, const Target& target, const Ports& ports) {
  return moved(task, target, ports, [&](Builder& builder, Stage& stage) {
    const Node& node = task.anchor();
    const auto pads = node.integers("pads");
    std::vector<Index> index = stage.store_index;
    for (size_t d = 0; d < index.size(); ++d) index[d] = index[d] - pads.at(d);
    return scalar::read(builder.input(node.inputs[0]), index, node.real("value", 0));
  });
}

// --- transpose, slice ------------------------------------------------------------------------------------

bool transpose_applies(const Task& task, const Target&) {
  return anchor_is(task, Op::transpose) && fits(task, 1, 0);
}

Result<Formulated> transpose_formulate(const Task& task, const Target& target, const Ports& ports) {
  return moved(task, target, ports, [&](Builder& builder, Stage& stage) {
    const Node& node = task.anchor();
    const auto permutation = node.integers("permutation");
    std::vector<Index> index(stage.store_index.size());
    for (size_t d = 0; d < index.size(); ++d)
      index[permutation.empty() ? index.size() - 1 - d : static_cast<size_t>(permutation.at(d))] =
          stage.store_index[d];
    return scalar::read(builder.input(node.inputs[0]), index);
  });
}

bool slice_applies(const Task& task, const Target&) { return anchor_is(task, Op::slice) && fits(task, 1, 0); }

Result<Formulated> slice_formulate(const Task& task, const Target& target, const Ports& ports) {
  return moved(task, target, ports, [&](Builder& builder, Stage& stage) {
    const Node& node = task.anchor();
    const auto starts = node.integers("starts"), steps = node.integers("steps");
    auto axes = node.integers("axes");
    if (axes.empty())
      for (size_t d = 0; d < starts.size(); ++d) axes.push_back(static_cast<int64_t>(d));
    std::vector<Index> index = stage.store_index;
    const auto rank = static_cast<int64_t>(index.size());
    for (size_t i = 0; i < starts.size(); ++i) {
      auto& at = index.at(static_cast<size_t>(axes[i] < 0 ? axes[i] + rank : axes[i]));
      at = at * (i < steps.size() ? steps[i] : 1) + starts[i];
    }
    return scalar::read(builder.input(node.inputs[0]), index);
  });
}

// --- reshape -----------------------------------------------------------------------------------------------

bool reshape_applies(const Task& task, const Target&) {
  return anchor_is(task, Op::reshape) && fits(task, 1, 0);
}

/// Products of the innermost 0, 1, 2, ... dimensions.
std::set<int64_t> strides_of(const Shape& shape) {
  std::set<int64_t> strides{1};
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) strides.insert(stride *= shape[d]);
  return strides;
}

/// Index of `shape` where the flat element number is the sum of axis * stride over `axes` (outermost first).
std::vector<Index> unflattened(const Shape& shape, const std::vector<std::pair<Axis, int64_t>>& axes) {
  std::vector<Index> index(shape.size());
  const AxisRanges ranges = [&](const std::string& name) {
    for (const auto& [axis, stride] : axes)
      if (axis.name == name) return Interval{0, axis.extent - 1};
    return Interval{0, 0};
  };
  Index flat;
  for (const auto& [axis, stride] : axes) flat = flat + Index::axis(axis.name) * stride;
  int64_t stride = 1;
  for (size_t d = shape.size(); d-- > 0;) {
    index[d] = modulo(floor_div(flat, stride, ranges), shape[d], ranges);
    stride *= shape[d];
  }
  return index;
}

Result<Formulated> reshape_formulate(const Task& task, const Target& target, const Ports& ports) {
  return moved(task, target, ports, [&](Builder& builder, Stage& stage) {
    // Axes are the common refinement of both shapes if there is one, so that every index stays linear.
    const Shape& x = operand_shape(task, 0);
    const Shape& y = output_type(task).shape;
    std::set<int64_t> strides = strides_of(x);
    strides.merge(strides_of(y));
    bool nested = true;
    for (auto s = strides.begin(); std::next(s) != strides.end(); ++s)
      nested = nested && *std::next(s) % *s == 0;
    if (!nested) strides = strides_of(y);
    std::vector<std::pair<Axis, int64_t>> axes;
    for (auto s = strides.begin(); std::next(s) != strides.end(); ++s)
      axes.insert(axes.begin(), {Axis{"r" + std::to_string(axes.size()), *std::next(s) / *s}, *s});
    if (axes.empty()) axes.push_back({Axis{"r0", 1}, 1});
    stage.axes.clear();
    for (const auto& [axis, stride] : axes) stage.axes.push_back(axis);
    stage.store_index = unflattened(y, axes);
    return scalar::read(builder.input(task.anchor().inputs[0]), unflattened(x, axes));
  });
}

// --- gather ------------------------------------------------------------------------------------------------

/// Indices are constants, whose values no task knows: a sum over the axis of elements whose number is the
/// index.
bool gather_applies(const Task& task, const Target&) {
  return anchor_is(task, Op::gather) && fits(task, 1, 1);
}

Result<Formulated> gather_formulate(const Task& task, const Target& target, const Ports& ports) {
  return moved(task, target, ports, [&](Builder& builder, Stage& stage) {
    const Node& node = task.anchor();
    const Shape& data = operand_shape(task, 0);
    const size_t axis = axis_of(node, "axis", data.size());
    const size_t rank = operand_shape(task, 1).size();
    const int indices = builder.packed_copy(node.inputs[1]);
    const auto& y = stage.store_index;
    std::vector<Index> from(y.begin(), y.begin() + static_cast<std::ptrdiff_t>(axis));
    const Index k = Index::axis("k");
    from.push_back(k);
    from.insert(from.end(), y.begin() + static_cast<std::ptrdiff_t>(axis + rank), y.end());
    const std::vector<Index> which(y.begin() + static_cast<std::ptrdiff_t>(axis),
                                   y.begin() + static_cast<std::ptrdiff_t>(axis + rank));
    const auto extent = static_cast<double>(data[axis]);
    auto wanted = scalar::unary(ScalarOp::floor, scalar::read(indices, which));
    auto wrapped = scalar::select_less(
        wanted, scalar::constant(0), scalar::binary(ScalarOp::add, wanted, scalar::constant(extent)), wanted);
    auto distance =
        scalar::unary(ScalarOp::abs, scalar::binary(ScalarOp::sub, scalar::from_index(k), wrapped));
    stage.reduction = Reduction{
        {{"k", data[axis]}},
        Combiner::sum,
        scalar::select_less(distance, scalar::constant(0.5),
                            scalar::read(builder.input(node.inputs[0]), from), scalar::constant(0))};
    return scalar::accumulator();
  });
}

// --- concat ------------------------------------------------------------------------------------------------

bool concat_applies(const Task& task, const Target&) {
  return anchor_is(task, Op::concat) && fits(task, task.anchor().inputs.size(), 0);
}

Result<Formulated> concat_formulate(const Task& task, const Target& target, const Ports& ports) {
  const Node& node = task.anchor();
  const Shape& y = output_type(task).shape;
  const size_t axis = axis_of(node, "axis", y.size(), 1);
  Builder builder(task, target, ports);
  const int64_t block = y.size() == 4 ? block_of(ports.output.layout, 1) : 1;
  int64_t offset = 0;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    const Shape& x = operand_shape(task, i);
    Shape extents = x;
    std::optional<double> outside;
    const bool last = i + 1 == node.inputs.size();
    if (block > 1 && y[1] % block != 0 && (axis != 1 || last)) {
      extents[1] += round_up(y[1], block) - y[1];
      outside = 0;
    }
    Stage stage;
    stage.name = "copy" + std::to_string(i);
    stage.axes = axes_of(dimension_names(y.size()), extents);
    const auto from = indices_of(stage.axes);
    stage.store_index = from;
    stage.store_index[axis] = from[axis] + offset;
    ScalarPtr value = scalar::read(builder.input(node.inputs[i]), from, outside);
    value = chain_value(task, value, builder.operand_reader(stage.store_index, block));
    if (outside && chain_needs_mask(task)) value = Builder::masked(value, stage.store_index[1], y[1]);
    stage.value = value;
    stage.output = builder.output();
    builder.stage(stage);
    offset += x[axis];
  }
  return builder.finish(kBound);
}

}  // namespace

Formulation concat_formulation() {
  Formulation f = plain_formulation<concat_formulate>("concat");
  f.applies = concat_applies;
  f.layouts = blocked_ports;
  return f;
}

Formulation pad_formulation() {
  Formulation f = plain_formulation<pad_formulate>("pad");
  f.applies = pad_applies;
  f.layouts = pad_layouts;
  return f;
}

Formulation transpose_formulation() {
  Formulation f = plain_formulation<transpose_formulate>("transpose");
  f.applies = transpose_applies;
  return f;
}

Formulation slice_formulation() {
  Formulation f = plain_formulation<slice_formulate>("slice");
  f.applies = slice_applies;
  return f;
}

Formulation gather_formulation() {
  Formulation f = plain_formulation<gather_formulate>("gather");
  f.applies = gather_applies;
  return f;
}

Formulation reshape_formulation() {
  Formulation f = plain_formulation<reshape_formulate>("reshape");
  f.applies = reshape_applies;
  return f;
}

}  // namespace hone
