// The arithmetic of convolutions over any layouts, see conv.h.
#include "codegen/formulation/conv.h"

#include <algorithm>
#include <numeric>

#include "codegen/formulation/blocks.h"

namespace hone {

ConvShape conv_shape(const Task& task) {
  const Node& node = task.anchor();
  const Shape& x = operand_shape(task, 0);
  const Shape& w = operand_shape(task, 1);
  const Shape& y = anchor_shape(task);
  const auto strides = node.integers("strides"), pads = node.integers("pads"),
             dilations = node.integers("dilations");
  const auto at = [](const std::vector<int64_t>& list, size_t i, int64_t otherwise) {
    return i < list.size() ? list[i] : otherwise;
  };
  ConvShape c{};
  c.n = x[0];
  c.groups = node.integer("groups", 1);
  c.in = w[1];
  c.out = w[0] / c.groups;
  c.h = x[2], c.w = x[3], c.oh = y[2], c.ow = y[3], c.kh = w[2], c.kw = w[3];
  c.stride_h = at(strides, 0, 1), c.stride_w = at(strides, 1, 1);
  c.dilation_h = at(dilations, 0, 1), c.dilation_w = at(dilations, 1, 1);
  c.pad_h = at(pads, 0, 0), c.pad_w = at(pads, 1, 0);
  c.after_h = std::max<int64_t>(0, (c.oh - 1) * c.stride_h + (c.kh - 1) * c.dilation_h - c.pad_h - (c.h - 1));
  c.after_w = std::max<int64_t>(0, (c.ow - 1) * c.stride_w + (c.kw - 1) * c.dilation_w - c.pad_w - (c.w - 1));
  c.has_bias = node.inputs.size() > 2;
  return c;
}

bool is_plain_conv(const Task& task) {
  return anchor_is(task, Op::conv) && fits(task, 1, 2) && task.anchor().inputs.size() >= 2 &&
         operand_shape(task, 0).size() == 4;
}

namespace {

/// What the first node reads and does not know; -1 if there is none.
ValueId activation_before(const Task& task) {
  for (const ValueId id : task.graph.nodes.front().inputs)
    if (!task.graph.value(id).is_constant) return id;
  return -1;
}

/// Whether a constant of this shape is one number per channel, or one for all, of an image.
bool is_per_channel(const Shape& shape, int64_t channels) {
  return element_count(shape) == 1 || shape == Shape{1, channels, 1, 1} || shape == Shape{channels, 1, 1};
}

/// The nodes before the anchor, of the whole image into a scratch tensor; its number.
int activated(const Task& task, Builder& builder, int x, const Layout& layout) {
  const Shape& shape = operand_shape(task, 0);
  const int64_t block = block_of(layout, 1);
  Stage stage;
  stage.name = "activate";
  stage.axes = axes_of({"n", "c", "h", "w"}, {shape[0], round_up(shape[1], block), shape[2], shape[3]});
  stage.store_index = indices_of(stage.axes);
  stage.value = value_before(task, scalar::read(x, stage.store_index),
                             builder.operand_reader(stage.store_index, block));
  stage.output = builder.scratch("activated", shape, layout);
  builder.stage(stage);
  return stage.output;
}

}  // namespace

std::optional<Gate> gate_of(const Task& task) {
  const Graph& graph = task.graph;
  if (graph.nodes.size() < 2 || !anchor_is(task, Op::conv) || &task.anchor() != &graph.nodes[1]) return {};
  const Node& product = graph.nodes[0];
  if (product.op != Op::mul || product.output != task.anchor().inputs[0]) return {};
  std::optional<Gate> gate;
  for (const size_t i : {size_t{0}, size_t{1}}) {
    const Value &x = graph.value(product.inputs[i]), &g = graph.value(product.inputs[1 - i]);
    const Shape& shape = x.type.shape;
    if (x.is_constant || g.is_constant || shape.size() != 4 || shape[0] != 1) continue;
    if (x.type == graph.value(product.output).type && g.type.shape == Shape{1, shape[1], 1, 1})
      gate = Gate{product.inputs[i], product.inputs[1 - i]};
  }
  if (!gate || gate->x == gate->gate || !is_plain_conv(without_gate(task))) return {};
  const ConvShape c = conv_shape(task);
  const bool pointwise = c.kh * c.kw == 1 && c.stride_h * c.stride_w == 1 && c.groups == 1;
  return pointwise && c.oh == c.h && c.ow == c.w ? gate : std::nullopt;
}

Task without_gate(const Task& task) {
  Task plain = task;
  Graph& graph = plain.graph;
  const Node product = graph.nodes[0];
  const bool first = graph.value(product.inputs[0]).type == graph.value(product.output).type;
  graph.nodes.erase(graph.nodes.begin());
  graph.nodes[0].inputs[0] = product.inputs[first ? 0 : 1];
  const ValueId gate = product.inputs[first ? 1 : 0];
  const bool read_again = std::ranges::any_of(
      graph.nodes, [&](const Node& node) { return std::ranges::count(node.inputs, gate) > 0; });
  if (!read_again) std::erase(graph.inputs, gate);
  return plain;
}

Ports without_gate(const Task& task, const Ports& ports) {
  const Task plain = without_gate(task);
  Ports result{{}, ports.output};
  for (size_t i = 0; i < task.graph.inputs.size(); ++i)
    if (std::ranges::find(plain.graph.inputs, task.graph.inputs[i]) != plain.graph.inputs.end())
      result.inputs.push_back(ports.inputs.at(i));
  return result;
}

bool is_preactivated(const Task& task) {
  const Graph& graph = task.graph;
  if (graph.nodes.empty() || !anchor_is(task, Op::conv) || &task.anchor() == &graph.nodes[0]) return false;
  ValueId tip = activation_before(task);
  if (tip < 0 || graph.value(tip).type.shape.size() != 4) return false;
  const TensorType type = graph.value(tip).type;
  for (const Node* node = graph.nodes.data(); node != &task.anchor(); ++node) {
    if (!is_elementwise(node->op) || node->inputs.empty() || graph.value(node->output).type != type)
      return false;
    for (const ValueId id : node->inputs)
      if (id != tip &&
          !(graph.value(id).is_constant && is_per_channel(graph.value(id).type.shape, type.shape[1])))
        return false;
    tip = node->output;
  }
  if (task.anchor().inputs[0] != tip || !is_plain_conv(without_preactivation(task))) return false;
  const ConvShape c = conv_shape(task);
  return c.kh * c.kw == 1 && c.stride_h * c.stride_w == 1 && c.groups == 1 && c.oh == c.h && c.ow == c.w;
}

Task without_preactivation(const Task& task) {
  Task plain = task;
  Graph& graph = plain.graph;
  const auto before = &task.anchor() - task.graph.nodes.data();
  graph.nodes[static_cast<size_t>(before)].inputs[0] = activation_before(task);
  graph.nodes.erase(graph.nodes.begin(), graph.nodes.begin() + before);
  return plain;
}

std::vector<HaloNeed> conv_halo(const Task& task, const Target&) {
  const ConvShape c = conv_shape(task);
  std::vector<HaloNeed> needs(task.graph.inputs.size());
  const auto& inputs = task.graph.inputs;
  const size_t x = std::find(inputs.begin(), inputs.end(), task.anchor().inputs[0]) - inputs.begin();
  if (c.pad_h + c.pad_w + c.after_h + c.after_w > 0)
    needs.at(x) = {{0, 0, c.pad_h, c.pad_w}, {0, 0, c.after_h, c.after_w}, 0};
  return needs;
}

Ports blocked_ports(const Task& task, const Target& target) {
  Ports ports;
  for (const ValueId id : task.graph.inputs)
    ports.inputs.push_back({activation_layout(target, task.graph.value(id).type.shape), {}});
  ports.output = {activation_layout(target, output_type(task).shape), {}};
  return ports;
}

Ports plain_ports(const Task& task, const Target&) {
  Ports ports;
  for (const ValueId id : task.graph.inputs)
    ports.inputs.push_back({Layout::plain(static_cast<int>(task.graph.value(id).type.shape.size())), {}});
  ports.output = {Layout::plain(static_cast<int>(output_type(task).shape.size())), {}};
  return ports;
}

int64_t reduce_unit(int64_t channels, int64_t block) {
  const int64_t unit = std::gcd(channels, block);
  return unit >= 4 ? unit : block;
}

Formulated formulate_conv(const Task& task, const Target& target, const Ports& ports) {
  const ConvShape c = conv_shape(task);
  const Node& node = task.anchor();
  Builder builder(task, target, ports);
  const std::optional<Gate> gate = gate_of(task);
  const bool before = is_preactivated(task);
  int x = builder.input(gate ? gate->x : before ? activation_before(task) : node.inputs[0]);
  const Layout input_layout = ports.inputs.at(static_cast<size_t>(x)).layout;
  const int64_t unit = reduce_unit(c.in, block_of(input_layout, 1));
  if (before) x = activated(task, builder, x, input_layout);
  const int64_t output_block = block_of(ports.output.layout, 1);
  const bool grouped = c.groups > 1;
  // Only a convolution of one group has padding lanes: of several, blocks divide the group's channels.
  const int64_t in = grouped ? c.in : round_up(c.in, unit);
  const int64_t out = grouped ? c.out : round_up(c.out, output_block);
  HONE_CHECK(in % unit == 0 && out % output_block == 0);

  const Index n = Index::axis("n"), g = grouped ? Index::axis("g") : Index(0), oc = Index::axis("oc");
  const Index oh = Index::axis("oh"), ow = Index::axis("ow"), ic = Index::axis("ic"), kh = Index::axis("kh"),
              kw = Index::axis("kw");
  const Index channel = g * out + oc;

  // Weights: g, oc, ic, kh, kw as dimensions 0 to 4.
  Layout layout{{0, 1, 2, 3, 4}, {}};
  if (unit > 1) layout.blocks.push_back({2, unit});
  if (output_block > 1) layout.blocks.push_back({1, output_block});
  const std::vector<Axis> pack_axes{{"g", c.groups}, {"oc", out}, {"ic", in}, {"kh", c.kh}, {"kw", c.kw}};
  const bool padded = in != c.in || out != c.out;
  const Index pack_g = Index::axis("g");
  // Padding channels lie beyond the logical extents and are 0; with one group g is 0 there.
  auto weight = scalar::read(builder.logical(node.inputs[1]), {pack_g * c.out + oc, ic, kh, kw},
                             padded ? std::optional<double>(0) : std::nullopt);
  int w = builder.packed(task.graph.value(node.inputs[1]).name, {c.groups, out, in, c.kh, c.kw}, layout,
                         range_for(task, node.inputs[1]), pack_axes, indices_of(pack_axes), weight);
  if (gate) {
    const int scaled = builder.scratch("scaled", {1, out, in, 1, 1}, layout);
    builder.stage({"scale",
                   scaled,
                   {{"oc", out}, {"ic", in}},
                   {0, oc, ic, 0, 0},
                   {},
                   scalar::binary(ScalarOp::mul, scalar::read(w, {0, oc, ic, 0, 0}),
                                  scalar::read(builder.input(gate->gate), {0, ic, 0, 0}))});
    w = scaled;
  }

  Stage stage;
  stage.name = "conv";
  stage.axes = {{"n", c.n}};
  if (grouped) stage.axes.push_back({"g", c.groups});
  stage.axes.insert(stage.axes.end(), {{"oc", out}, {"oh", c.oh}, {"ow", c.ow}});
  stage.store_index = {n, channel, oh, ow};
  auto product =
      scalar::binary(ScalarOp::mul,
                     scalar::read(x, {n, g * in + ic, oh * c.stride_h + kh * c.dilation_h - c.pad_h,
                                      ow * c.stride_w + kw * c.dilation_w - c.pad_w}),
                     scalar::read(w, {g, oc, ic, kh, kw}));
  stage.reduction = Reduction{{{"ic", in}, {"kh", c.kh}, {"kw", c.kw}}, Combiner::sum, product};
  ScalarPtr value = scalar::accumulator();
  if (c.has_bias) {
    const int b = builder.packed_copy(node.inputs[2], 0, c.groups * out);
    value = scalar::binary(ScalarOp::add, value, scalar::read(b, {channel}));
  }
  value = chain_value(task, value, builder.operand_reader({n, channel, oh, ow}, output_block));
  if (out != c.out && chain_needs_mask(task)) value = Builder::masked(value, oc, c.out);
  stage.value = value;
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(sum_bound(in * c.kh * c.kw));
}

}  // namespace hone
