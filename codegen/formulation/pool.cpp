// Pooling in NCHW[V]c. Maximum clamps its window to the image, which repeats elements and changes nothing,
// and of larger windows takes each column's first; averages read a halo of zeros and divide by the window, or
// by how much of it lies inside.
#include <algorithm>
#include <limits>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

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

/// Whether the maximum of each column of the window is taken first, and the maximum of those then: a row of
/// outputs shares its columns, so 3x3 needs 4 instead of 9.
bool by_columns(const Task& task) {
  const PoolShape p = pool_shape(task);
  return anchor_is(task, Op::max_pool) && !p.dilated() && p.kh > 2 && p.kw > 2;
}

/// Maxima over the rows of the window, for all columns that windows reach, padding included.
int column_maxima(Builder& builder, const PoolShape& p, int x, int64_t channels, int64_t block) {
  const Index n = Index::axis("n"), c = Index::axis("c"), oh = Index::axis("oh"), w = Index::axis("w"),
              kh = Index::axis("kh");
  const int64_t columns = (p.ow - 1) * p.stride_w + p.kw;
  Stage stage;
  stage.name = "columns";
  stage.axes = {{"n", p.n}, {"c", channels}, {"oh", p.oh}, {"w", columns}};
  stage.store_index = {n, c, oh, w};
  const AxisRanges ranges = [&](const std::string& name) {
    return Interval{0, name == "oh" ? p.oh - 1 : name == "kh" ? p.kh - 1 : name == "w" ? columns - 1 : 0};
  };
  Index row = oh * p.stride_h + kh - p.pad_h, column = w - p.pad_w;
  if (p.padded()) {
    row = minimum(maximum(row, 0, ranges), p.h - 1, ranges);
    column = minimum(maximum(column, 0, ranges), p.w - 1, ranges);
  }
  stage.reduction = Reduction{{{"kh", p.kh}}, Combiner::maximum, scalar::read(x, {n, c, row, column})};
  stage.value = scalar::accumulator();
  stage.output = builder.scratch("maxima", {p.n, channels, p.oh, columns},
                                 block > 1 ? Layout::channel_blocked(block) : Layout::plain(4));
  builder.stage(stage);
  return stage.output;
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
  const bool columns_first = by_columns(task);
  const std::vector<Axis> window{{"kh", columns_first ? 1 : p.kh}, {"kw", p.kw}};
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
  const ScalarPtr element = columns_first ? scalar::read(column_maxima(builder, p, x, channels, block),
                                                         {n, c, oh, ow * p.stride_w + kw})
                                          : scalar::read(x, {n, c, h, w}, outside);
  stage.reduction = Reduction{window, maximal ? Combiner::maximum : Combiner::sum, element};
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

/// As of any window; the columns' maxima of a row are made where the row is.
Result<Schedule> schedule(const Task& task, const Target& target, const Ports& ports, const Parameters& p) {
  HONE_TRY(Schedule result, window_formulation("pool").schedule(task, target, ports, p));
  if (!by_columns(task)) return result;
  const PoolShape shape = pool_shape(task);
  const int64_t block = block_of(ports.output.layout, 1);
  const int64_t columns = (shape.ow - 1) * shape.stride_w + shape.kw;
  const int64_t tile = std::min<int64_t>({8, accumulator_budget(target), columns});
  StageSchedule first{"columns", {{StepKind::compute_at, {"oh"}, 0, Tail::exact, "pool"}}};
  std::vector<std::string> loops{"n", "c", "oh", "w", "kh"};
  if (block > 1) {
    first.steps.push_back(steps::split("c", block, "c.b", "c.v"));
    loops[1] = "c.b";
  }
  if (tile > 1) {
    first.steps.push_back(
        steps::split("w", tile, "w.o", "w.t", columns % tile == 0 ? Tail::exact : Tail::peel));
    loops[3] = "w.o";
    loops.push_back("w.t");
  }
  if (block > 1) loops.push_back("c.v");
  first.steps.push_back(steps::reorder(loops));
  if (shape.kh <= 11) first.steps.push_back(steps::unroll("kh", shape.kh));
  if (tile > 1) first.steps.push_back(steps::tile({"w.t"}));
  if (block > 1) first.steps.push_back(steps::vectorize("c.v"));
  result.stages.insert(result.stages.begin(), std::move(first));
  return result;
}

}  // namespace

Formulation pool_formulation() {
  Formulation f = window_formulation("pool");
  f.applies = applies;
  f.halo = halo;
  f.formulate = formulate;
  f.space_version = 2;
  f.schedule = schedule;
  return f;
}

}  // namespace hone
