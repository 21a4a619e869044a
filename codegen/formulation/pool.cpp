// Pooling in NCHW[V]c. Maximum clamps its window to the image, which repeats elements and changes nothing;
// averages read a halo of zeros and divide by the window, or by how much of it lies inside.
#include <algorithm>
#include <limits>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{2e-6, 4};
constexpr double kLowest = std::numeric_limits<float>::lowest();

struct PoolShape {
  int64_t n, c, h, w, oh, ow, kh, kw, stride_h, stride_w, dilation_h, dilation_w, pad_h, pad_w, after_h,
      after_w;
  bool padded() const { return pad_h + pad_w + after_h + after_w > 0; }
  bool dilated() const { return dilation_h > 1 || dilation_w > 1; }
};

PoolShape pool_shape(const Task& task) {
  const Node& node = task.anchor();
  const Shape& x = operand_shape(task, 0);
  const Shape& y = anchor_shape(task);
  const auto at = [&](const char* key, size_t i, int64_t otherwise) {
    const auto list = node.integers(key);
    return i < list.size() ? list[i] : otherwise;
  };
  PoolShape p{x[0],
              x[1],
              x[2],
              x[3],
              y[2],
              y[3],
              at("kernel", 0, 1),
              at("kernel", 1, 1),
              at("strides", 0, 1),
              at("strides", 1, 1),
              at("dilations", 0, 1),
              at("dilations", 1, 1),
              at("pads", 0, 0),
              at("pads", 1, 0),
              0,
              0};
  p.after_h = std::max<int64_t>(0, (p.oh - 1) * p.stride_h + (p.kh - 1) * p.dilation_h - p.pad_h - (p.h - 1));
  p.after_w = std::max<int64_t>(0, (p.ow - 1) * p.stride_w + (p.kw - 1) * p.dilation_w - p.pad_w - (p.w - 1));
  return p;
}

bool applies(const Task& task, const Target&) {
  if (!anchor_is(task, Op::max_pool) && !anchor_is(task, Op::average_pool)) return false;
  if (!fits(task, 1, 0) || operand_shape(task, 0).size() != 4) return false;
  const PoolShape p = pool_shape(task);
  const bool counts = anchor_is(task, Op::average_pool) && task.anchor().integer("include_pad", 0) == 0;
  return !(counts && p.dilated() && p.padded());
}

size_t input_number(const Task& task) {
  const auto& inputs = task.graph.inputs;
  return static_cast<size_t>(std::find(inputs.begin(), inputs.end(), task.anchor().inputs[0]) -
                             inputs.begin());
}

std::vector<HaloNeed> halo(const Task& task, const Target&) {
  std::vector<HaloNeed> needs(task.graph.inputs.size());
  const PoolShape p = pool_shape(task);
  if (anchor_is(task, Op::average_pool) && p.padded())
    needs[input_number(task)] = {{0, 0, p.pad_h, p.pad_w}, {0, 0, p.after_h, p.after_w}, 0};
  return needs;
}

bool covers(const Placement& placement, const PoolShape& p) {
  return placement.halo_before.size() == 4 && placement.halo_before[2] >= p.pad_h &&
         placement.halo_before[3] >= p.pad_w && placement.halo_after[2] >= p.after_h &&
         placement.halo_after[3] >= p.after_w;
}

/// How many of the `kernel` positions from `first` on lie in [0, extent), as a number.
ScalarPtr count_inside(const Index& first, int64_t kernel, int64_t extent, const AxisRanges& ranges) {
  return scalar::from_index(minimum(first + kernel, extent, ranges) - maximum(first, 0, ranges));
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const PoolShape p = pool_shape(task);
  const Node& node = task.anchor();
  Builder builder(task, target, ports);
  const int x = builder.input(node.inputs[0]);
  const int64_t block = block_of(ports.output.layout, 1);
  const int64_t channels = round_up(p.c, block);
  const Index n = Index::axis("n"), c = Index::axis("c"), oh = Index::axis("oh"), ow = Index::axis("ow"),
              kh = Index::axis("kh"), kw = Index::axis("kw");
  Stage stage;
  stage.name = "pool";
  stage.axes = {{"n", p.n}, {"c", channels}, {"oh", p.oh}, {"ow", p.ow}};
  stage.store_index = {n, c, oh, ow};
  const std::vector<Axis> window{{"kh", p.kh}, {"kw", p.kw}};
  std::vector<Axis> all = stage.axes;
  all.insert(all.end(), window.begin(), window.end());
  const AxisRanges ranges = [all](const std::string& name) {
    for (const Axis& axis : all)
      if (axis.name == name) return Interval{0, axis.extent - 1};
    return Interval{0, 0};
  };
  const Index first_h = oh * p.stride_h - p.pad_h, first_w = ow * p.stride_w - p.pad_w;
  Index h = first_h + kh * p.dilation_h, w = first_w + kw * p.dilation_w;
  std::optional<double> outside;
  const bool maximal = node.op == Op::max_pool;
  if (p.padded() && maximal && !p.dilated()) {
    h = minimum(maximum(h, 0, ranges), p.h - 1, ranges);
    w = minimum(maximum(w, 0, ranges), p.w - 1, ranges);
  } else if (p.padded() && (maximal || !covers(ports.inputs.at(x).placement, p))) {
    outside = maximal ? kLowest : 0;
  }
  stage.reduction =
      Reduction{window, maximal ? Combiner::maximum : Combiner::sum, scalar::read(x, {n, c, h, w}, outside)};
  ScalarPtr value = scalar::accumulator();
  if (!maximal) {
    if (p.padded() && node.integer("include_pad", 0) == 0) {
      value = scalar::binary(ScalarOp::div, value,
                             scalar::binary(ScalarOp::mul, count_inside(first_h, p.kh, p.h, ranges),
                                            count_inside(first_w, p.kw, p.w, ranges)));
    } else {
      value = scalar::binary(ScalarOp::mul, value, scalar::constant(1.0 / static_cast<double>(p.kh * p.kw)));
    }
  }
  value = chain_value(task, value, builder.operand_reader({n, c, oh, ow}, block));
  if (channels != p.c) value = Builder::masked(value, c, p.c);
  stage.value = value;
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(kBound);
}

}  // namespace

Formulation pool_formulation() {
  Formulation f = window_formulation("pool");
  f.applies = applies;
  f.halo = halo;
  f.formulate = formulate;
  return f;
}

}  // namespace hone
