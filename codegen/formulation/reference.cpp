// The reference of a task: float64 throughout, plain layouts, vector over an outer axis, results with their
// magnitudes. Convolutions get a padded copy of their input and sums in blocks of channels; other tasks are
// their formulation's arithmetic on plain layouts.
#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/magnitude.h"
#include "codegen/formulation/plain_schedule.h"

namespace hone {
namespace {

Formulated reference_conv(const Task& task, const Target& target, const Ports& ports) {
  const ConvShape c = conv_shape(task);
  const Node& node = task.anchor();
  Builder builder(task, target, ports);
  const int64_t lanes = target.lanes(8);
  const bool depthwise = c.depthwise();
  const int64_t block = vector_width(depthwise ? c.groups : c.out, lanes);
  const Index n = Index::axis("n"), oh = Index::axis("oh"), ow = Index::axis("ow"), ic = Index::axis("ic"),
              kh = Index::axis("kh"), kw = Index::axis("kw");
  // Depthwise: one group whose channels are the vector; else [g][oc].
  const int64_t groups = depthwise ? 1 : c.groups, out = round_up(depthwise ? c.groups : c.out, block);
  const int64_t channels = depthwise ? out : c.groups * c.in;

  Layout padded_layout = Layout::plain(4);
  if (depthwise && block > 1) padded_layout.blocks.push_back({1, block});
  const Shape padded{c.n, channels, c.h + c.pad_h + c.after_h, c.w + c.pad_w + c.after_w};
  Stage pad;
  pad.name = "pad";
  pad.axes = axes_of({"n", "c", "h", "w"}, padded);
  pad.store_index = indices_of(pad.axes);
  const bool guarded = padded != operand_shape(task, 0);
  const std::optional<Gate> gate = gate_of(task);
  const bool preactivated = is_preactivated(task);
  const ValueId read = gate           ? gate->x
                       : preactivated ? without_preactivation(task).anchor().inputs[0]
                                      : node.inputs[0];
  pad.value = scalar::read(builder.input(read),
                           {n, Index::axis("c"), Index::axis("h") - c.pad_h, Index::axis("w") - c.pad_w},
                           guarded ? std::optional<double>(0) : std::nullopt);
  if (gate)
    pad.value = scalar::binary(ScalarOp::mul, pad.value,
                               scalar::read(builder.input(gate->gate), {n, Index::axis("c"), 0, 0}));
  if (preactivated) pad.value = value_before(task, pad.value, builder.operand_reader(pad.store_index, 1));
  pad.output = builder.scratch("padded", padded, padded_layout);
  const int x = pad.output;
  builder.stage(pad);

  Layout weight_layout{{0, 1, 2, 3, 4}, {}};
  if (block > 1) weight_layout.blocks.push_back({1, block});
  const int64_t in = depthwise ? 1 : c.in;
  const std::vector<Axis> pack_axes{{"g", groups}, {"oc", out}, {"ic", in}, {"kh", c.kh}, {"kw", c.kw}};
  const Index g = Index::axis("g"), oc = Index::axis("oc");
  const int64_t real_out = depthwise ? c.groups : c.out;
  // A padding channel of one group would be the next group's: there its weight does not matter, its sum is
  // not read.
  auto weight = scalar::read(builder.logical(node.inputs[1]), {g * real_out + oc, ic, kh, kw},
                             out != real_out ? std::optional<double>(0) : std::nullopt);
  const int w =
      builder.packed(task.graph.value(node.inputs[1]).name, {groups, out, in, c.kh, c.kw}, weight_layout,
                     range_for(task, node.inputs[1]), pack_axes, indices_of(pack_axes), weight);

  Layout sum_layout = Layout::plain(5);
  if (block > 1) sum_layout.blocks.push_back({2, block});
  Stage conv;
  conv.name = "conv";
  conv.axes = {{"n", c.n}, {"g", groups}, {"oc", out}, {"oh", c.oh}, {"ow", c.ow}};
  conv.store_index = {n, g, oc, oh, ow};
  const Index channel = depthwise ? oc : g * in + ic;
  conv.reduction = Reduction{{{"ic", in}, {"kh", c.kh}, {"kw", c.kw}},
                             Combiner::sum,
                             scalar::binary(ScalarOp::mul,
                                            scalar::read(x, {n, channel, oh * c.stride_h + kh * c.dilation_h,
                                                             ow * c.stride_w + kw * c.dilation_w}),
                                            scalar::read(w, {g, oc, ic, kh, kw}))};
  conv.value = scalar::accumulator();
  conv.output = builder.scratch("sums", {c.n, groups, out, c.oh, c.ow}, sum_layout);
  builder.stage(conv);

  Stage last;
  last.name = "finish";
  last.axes = {{"n", c.n}, {"g", groups}, {"oc", real_out}, {"oh", c.oh}, {"ow", c.ow}};
  last.store_index = {n, g * real_out + oc, oh, ow};
  ScalarPtr value = scalar::read(conv.output, {n, g, oc, oh, ow});
  if (c.has_bias)
    value = scalar::binary(ScalarOp::add, value,
                           scalar::read(builder.packed_copy(node.inputs[2]), {last.store_index[1]}));
  last.value = chain_value(task, value, builder.operand_reader(last.store_index, 1));
  last.output = builder.output();
  builder.stage(last);
  return builder.finish({});
}

Result<Formulated> plain_arithmetic(const Task& task, const Target& target) {
  const Ports ports = plain_ports(task, target);
  if (is_plain_conv(task) || gate_of(task) || is_preactivated(task))
    return reference_conv(task, target, ports);
  HONE_TRY(const Formulation* formulation, default_formulation(task, target));
  return formulation->formulate(task, target, ports);
}

}  // namespace

Result<Reference> reference(const Task& task, const Target& target) {
  HONE_TRY(const Formulated formulated, plain_arithmetic(task, target));
  Reference result;
  result.run = with_magnitudes(formulated.run);
  result.prepare = formulated.prepare;
  if (!result.prepare.stages.empty()) {
    result.prepare.arithmetic = DType::f64;
    for (Tensor& tensor : result.prepare.tensors)
      if (tensor.role == Role::output) tensor.type.dtype = DType::f64;
  }
  result.run_schedule = plain_schedule(result.run, target, {target.vector_registers >= 32 ? 8 : 6});
  return result;
}

}  // namespace hone
