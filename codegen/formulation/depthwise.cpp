// Depthwise convolution in NCHW[V]c: every lane is a channel, the window is unrolled, a tile of columns
// shares its weights.
#include <algorithm>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"

namespace hone {
namespace {

bool applies(const Task& task, const Target&) { return is_plain_conv(task) && conv_shape(task).depthwise(); }

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const ConvShape c = conv_shape(task);
  const Node& node = task.anchor();
  Builder builder(task, target, ports);
  const int x = builder.input(node.inputs[0]);
  const int64_t block = block_of(ports.output.layout, 1);
  const int64_t channels = round_up(c.groups, block);
  const Index n = Index::axis("n"), ch = Index::axis("c"), oh = Index::axis("oh"), ow = Index::axis("ow"),
              kh = Index::axis("kh"), kw = Index::axis("kw");
  Layout layout{{0, 1, 2}, {}};
  if (block > 1) layout.blocks.push_back({0, block});
  const std::vector<Axis> pack_axes{{"c", channels}, {"kh", c.kh}, {"kw", c.kw}};
  const int w = builder.packed(task.graph.value(node.inputs[1]).name, {channels, c.kh, c.kw}, layout,
                               range_for(task, node.inputs[1]), pack_axes, {ch, kh, kw},
                               scalar::read(builder.logical(node.inputs[1]), {ch, 0, kh, kw},
                                            channels != c.groups ? std::optional<double>(0) : std::nullopt));
  Stage stage;
  stage.name = "conv";
  stage.axes = {{"n", c.n}, {"c", channels}, {"oh", c.oh}, {"ow", c.ow}};
  stage.store_index = {n, ch, oh, ow};
  stage.reduction =
      Reduction{{{"kh", c.kh}, {"kw", c.kw}},
                Combiner::sum,
                scalar::binary(ScalarOp::mul,
                               scalar::read(x, {n, ch, oh * c.stride_h + kh * c.dilation_h - c.pad_h,
                                                ow * c.stride_w + kw * c.dilation_w - c.pad_w}),
                               scalar::read(w, {ch, kh, kw}))};
  ScalarPtr value = scalar::accumulator();
  if (c.has_bias) {
    const int b = builder.packed_copy(node.inputs[2], 0, channels);
    value = scalar::binary(ScalarOp::add, value, scalar::read(b, {ch}));
  }
  value = chain_value(task, value, builder.operand_reader({n, ch, oh, ow}, block));
  if (channels != c.groups && chain_needs_mask(task)) value = Builder::masked(value, ch, c.groups);
  stage.value = value;
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(sum_bound(c.kh * c.kw));
}

}  // namespace

Formulation depthwise_formulation() {
  Formulation f = window_formulation("depthwise");
  f.applies = applies;
  f.layouts = blocked_ports;
  f.halo = conv_halo;
  f.formulate = formulate;
  return f;
}

}  // namespace hone
