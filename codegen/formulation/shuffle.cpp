// Channel shuffles: channel j * groups + i becomes what channel i * (channels / groups) + j was, written in
// NCHW[V]c. The planner lets it read whatever layout its operand has.
#include <algorithm>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{1e-7, 1};

bool applies(const Task& task, const Target&) {
  return anchor_is(task, Op::channel_shuffle) && fits(task, 1, 0) && task.graph.nodes.size() == 1;
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const Shape& shape = anchor_shape(task);
  Builder builder(task, target, ports);
  const int x = builder.input(task.anchor().inputs[0]);
  const int64_t block = block_of(ports.output.layout, 1), groups = task.anchor().integer("groups", 1);
  const int output = builder.output();
  const auto copy = [&](const char* name, int64_t first, int64_t channels, std::optional<double> outside) {
    Stage stage;
    stage.name = name;
    stage.axes = axes_of(dimension_names(4), {shape[0], channels, shape[2], shape[3]});
    stage.store_index = indices_of(stage.axes);
    stage.store_index[1] = stage.store_index[1] + first;
    const AxisRanges ranges = [axes = stage.axes](const std::string& axis) {
      for (const Axis& one : axes)
        if (one.name == axis) return Interval{0, one.extent - 1};
      return Interval{0, 0};
    };
    std::vector<Index> from = stage.store_index;
    from[1] = modulo(stage.store_index[1], groups, ranges) * (shape[1] / groups) +
              floor_div(stage.store_index[1], groups, ranges);
    stage.value = scalar::read(x, from, outside);
    stage.output = output;
    builder.stage(stage);
  };
  // Only the last block has lanes without a channel: they take 0 or some channel.s number.
  const int64_t whole = shape[1] / block * block;
  if (whole > 0) copy("copy", 0, whole, std::nullopt);
  if (whole < shape[1]) copy("rest", whole, block, 0);
  return builder.finish(kBound);
}

}  // namespace

Formulation channel_shuffle_formulation() {
  Formulation f = plain_formulation<formulate>("channel_shuffle");
  f.applies = applies;
  f.layouts = blocked_ports;
  return f;
}

}  // namespace hone
