// Handlers of TFLite's float operators.
// Weights are OHWI there (1HWO for depthwise) and become OIHW; axes and paddings follow the layout.
#include <algorithm>
#include <numeric>

#include "codegen/import/tflite_call.h"
#include "codegen/import/window.h"

namespace hone::tflite_import {
namespace {

using Integers = std::vector<int64_t>;

template <class Options>
Result<const Options*> options_of(const Call& c) {
  const auto* options = c.op.options_as<Options>();
  if (!options) return fail("its options are missing");
  return options;
}

/// Strides, dilations and the padding that SAME or VALID means.
template <class Options>
Result<std::map<std::string, Attribute>> window(const Call& c, const Options& o, const Shape& x,
                                                const Shape& kernel, const Shape& dilations) {
  const Shape strides{o.stride_h(), o.stride_w()};
  for (size_t d = 0; d < 2; ++d)
    if (strides[d] < 1 || dilations[d] < 1 || kernel[d] < 1)
      return fail("stride, dilation or window is not positive");
  if (o.padding() != tflite::Padding_SAME && o.padding() != tflite::Padding_VALID)
    return fail("padding is unknown", "padding");
  Shape pads(4, 0);
  for (size_t d = 0; o.padding() == tflite::Padding_SAME && d < 2; ++d)
    std::tie(pads[d], pads[2 + d]) = same_padding(x[2 + d], reach(kernel[d], dilations[d]), strides[d]);
  static_cast<void>(c);
  return std::map<std::string, Attribute>{{"strides", strides}, {"dilations", dilations}, {"pads", pads}};
}

/// A convolution with its weights already OIHW.
template <class Options>
Result<Operand> convolve(Call& c, const Options& o, ValueId x, ValueId w, int64_t groups) {
  const Shape ws = c.graph.shape(w);
  HONE_TRY(auto attributes, window(c, o, c.graph.shape(x), {ws[2], ws[3]}, {o.dilation_h(), o.dilation_w()}));
  attributes["groups"] = groups;
  std::vector<ValueId> operands{x, w};
  if (c.operands.size() > 2 && c.operands[2].id >= 0) {
    operands.push_back(c.operands[2].id);
    if (!c.graph.data(operands[2])) return fail("the bias is not constant", "bias");
  }
  const bool fused = o.activation() != tflite::Activation_NONE;
  HONE_TRY(const ValueId y, c.graph.add(Op::conv, fused ? c.name + ".linear" : c.name, std::move(operands),
                                        std::move(attributes)));
  return c.activate(y, true, o.activation());
}

Result<ValueId> weights(Call& c, Integers permutation) {
  HONE_TRY(const Operand w, c.operand(1));
  if (!c.graph.data(w.id)) return fail("the weights are not constant", "filter");
  return c.graph.transpose(c.name + ".weights", w.id, std::move(permutation));
}

Result<Operand> conv(Call& c) {
  HONE_TRY(const auto* o, options_of<tflite::Conv2DOptions>(c));
  HONE_TRY(const Operand in, c.operand(0));
  HONE_TRY(const ValueId x, c.nchw(in));
  HONE_TRY(const ValueId w, weights(c, {0, 3, 1, 2}));
  const int64_t channels = c.graph.shape(x)[1], per_group = c.graph.shape(w)[1];
  return convolve(c, *o, x, w, per_group > 0 && channels % per_group == 0 ? channels / per_group : 1);
}

Result<Operand> depthwise(Call& c) {
  HONE_TRY(const auto* o, options_of<tflite::DepthwiseConv2DOptions>(c));
  HONE_TRY(const Operand in, c.operand(0));
  HONE_TRY(const ValueId x, c.nchw(in));
  HONE_TRY(const ValueId w, weights(c, {3, 0, 1, 2}));
  return convolve(c, *o, x, w, c.graph.shape(x)[1]);
}

template <Op op>
Result<Operand> pool(Call& c) {
  HONE_TRY(const auto* o, options_of<tflite::Pool2DOptions>(c));
  HONE_TRY(const Operand in, c.operand(0));
  HONE_TRY(const ValueId x, c.nchw(in));
  const Shape kernel{o->filter_h(), o->filter_w()};
  HONE_TRY(auto attributes, window(c, *o, c.graph.shape(x), kernel, {1, 1}));
  attributes["kernel"] = kernel;
  if (op == Op::average_pool) attributes["include_pad"] = int64_t{0};
  const bool fused = o->activation() != tflite::Activation_NONE;
  HONE_TRY(const ValueId y, c.graph.add(op, fused ? c.name + ".linear" : c.name, {x}, std::move(attributes)));
  return c.activate(y, true, o->activation());
}

Result<Operand> fully_connected(Call& c) {
  HONE_TRY(const auto* o, options_of<tflite::FullyConnectedOptions>(c));
  if (o->weights_format() != 0) return fail("weights are shuffled", "weights_format");
  HONE_TRY(const Operand in, c.operand(0));
  HONE_TRY(const Operand w, c.operand(1));
  if (!c.graph.data(w.id) || c.shape(w).size() != 2)
    return fail("the weights are not a constant matrix", "weights");
  HONE_TRY(ValueId x, c.plain(in));
  const Shape from = c.graph.shape(x);
  const int64_t k = c.shape(w)[1];
  HONE_TRY(x, c.graph.reshape(c.name + ".rows", x, {element_count(from) / std::max<int64_t>(k, 1), k}));
  std::vector<ValueId> operands{x, w.id};
  if (c.operands.size() > 2 && c.operands[2].id >= 0) operands.push_back(c.operands[2].id);
  HONE_TRY(ValueId y,
           c.graph.add(Op::dense, c.name + ".linear", std::move(operands), {{"transpose_b", int64_t{1}}}));
  if (o->keep_num_dims()) {
    Shape shape = from;
    shape.back() = c.shape(w)[0];
    HONE_TRY(y, c.graph.reshape(c.name + ".shaped", y, std::move(shape)));
  }
  return c.activate(y, false, o->activation());
}

/// Brings both operands of a binary operator into one order.
Result<bool> unify(Call& c, Operand& a, Operand& b) {
  if (!a.nchw && !b.nchw) return false;
  for (Operand* x : {&a, &b}) {
    if (x->nchw) continue;
    Shape shape = c.shape(*x);
    if (shape.empty()) continue;  // a scalar
    if (shape.size() > 4) return fail("operands of rank 4 and " + std::to_string(shape.size()));
    shape.insert(shape.begin(), 4 - shape.size(), 1);
    HONE_TRY(x->id, c.graph.reshape(c.graph.graph().values[x->id].name + ".rank4", x->id, std::move(shape)));
    HONE_TRY(x->id, c.nchw(*x));
  }
  return true;
}

template <Op op>
Result<Operand> binary(Call& c, tflite::Activation activation) {
  HONE_TRY(Operand a, c.operand(0));
  HONE_TRY(Operand b, c.operand(1));
  HONE_TRY(const bool nchw, unify(c, a, b));
  const bool fused = activation != tflite::Activation_NONE;
  HONE_TRY(const ValueId y, c.graph.add(op, fused ? c.name + ".linear" : c.name, {a.id, b.id}));
  return c.activate(y, nchw, activation);
}

template <Op op, class Options>
Result<Operand> fused_binary(Call& c) {
  const auto* o = c.op.options_as<Options>();
  return binary<op>(c, o ? o->activation() : tflite::Activation_NONE);
}
template <Op op>
Result<Operand> plain_binary(Call& c) {
  return binary<op>(c, tflite::Activation_NONE);
}

template <Op op>
Result<Operand> unary(Call& c) {
  HONE_TRY(const Operand x, c.operand(0));
  HONE_TRY(const ValueId y, c.graph.add(op, c.name, {x.id}));
  return Operand{y, x.nchw};
}
template <tflite::Activation kActivation>
Result<Operand> activation(Call& c) {
  HONE_TRY(const Operand x, c.operand(0));
  return c.activate(x.id, x.nchw, kActivation);
}
Result<Operand> identity(Call& c) { return c.operand(0); }

Result<Operand> concatenation(Call& c) {
  HONE_TRY(const auto* o, options_of<tflite::ConcatenationOptions>(c));
  HONE_TRY(const Operand first, c.operand(0));
  const auto rank = static_cast<int64_t>(c.shape(first).size());
  int64_t axis = o->axis() < 0 ? o->axis() + rank : o->axis();
  if (axis < 0 || axis >= rank) return fail("axis " + std::to_string(o->axis()), "axis");
  const bool nchw = rank == 4;
  if (nchw) axis = Integers{0, 2, 3, 1}[static_cast<size_t>(axis)];
  std::vector<ValueId> ids;
  for (size_t i = 0; i < c.operands.size(); ++i) {
    HONE_TRY(const Operand x, c.operand(i));
    HONE_TRY(const ValueId id, nchw ? c.nchw(x) : c.plain(x));
    ids.push_back(id);
  }
  HONE_TRY(const ValueId y, c.graph.add(Op::concat, c.name, std::move(ids), {{"axis", axis}}));
  return c.activate(y, nchw, o->activation());
}

Result<Operand> reshape_to(Call& c, Shape shape) {
  HONE_TRY(const Operand in, c.operand(0));
  HONE_TRY(const ValueId x, c.plain(in));
  int64_t known = 1;
  for (const int64_t extent : shape) {
    if (extent < -1 || extent == 0 || known > (int64_t{1} << 40) / std::max<int64_t>(extent, 1))
      return fail("shape " + to_text(shape), "new_shape");
    if (extent > 0) known *= extent;
  }
  for (int64_t& extent : shape)
    if (extent == -1) extent = element_count(c.graph.shape(x)) / known;
  HONE_TRY(const ValueId y, c.graph.reshape(c.name, x, std::move(shape)));
  return Operand{y, false};
}

Result<Operand> reshape(Call& c) {
  if (c.operands.size() > 1 && c.operands[1].id >= 0) {
    HONE_TRY(Integers shape, c.integers(1, "shape"));
    return reshape_to(c, std::move(shape));
  }
  const auto* o = c.op.options_as<tflite::ReshapeOptions>();
  if (!o || !o->new_shape()) return fail("new_shape is missing", "new_shape");
  return reshape_to(c, Shape(o->new_shape()->begin(), o->new_shape()->end()));
}

Result<Operand> squeeze(Call& c) {
  HONE_TRY(const Operand x, c.operand(0));
  Shape shape = c.shape(x);
  if (x.nchw) shape = {shape[0], shape[2], shape[3], shape[1]};
  const auto* o = c.op.options_as<tflite::SqueezeOptions>();
  std::vector<bool> dropped(shape.size(), false);
  if (o && o->squeeze_dims() && o->squeeze_dims()->size() > 0) {
    for (int64_t axis : *o->squeeze_dims()) {
      if (axis < 0) axis += static_cast<int64_t>(shape.size());
      if (axis < 0 || axis >= static_cast<int64_t>(shape.size()) || shape[static_cast<size_t>(axis)] != 1)
        return fail("a dimension is not 1", "squeeze_dims");
      dropped[static_cast<size_t>(axis)] = true;
    }
  } else {
    for (size_t d = 0; d < shape.size(); ++d) dropped[d] = shape[d] == 1;
  }
  Shape kept;
  for (size_t d = 0; d < shape.size(); ++d)
    if (!dropped[d]) kept.push_back(shape[d]);
  return reshape_to(c, std::move(kept));
}

Result<Operand> softmax(Call& c) {
  HONE_TRY(const auto* o, options_of<tflite::SoftmaxOptions>(c));
  if (o->beta() != 1) return fail("beta is " + std::to_string(o->beta()), "beta");
  HONE_TRY(const Operand x, c.operand(0));
  if (c.shape(x).empty()) return fail("a scalar");
  const int64_t axis = x.nchw ? 1 : static_cast<int64_t>(c.shape(x).size()) - 1;
  HONE_TRY(const ValueId y, c.graph.add(Op::softmax, c.name, {x.id}, {{"axis", axis}}));
  return Operand{y, x.nchw};
}

Result<Operand> mean(Call& c) {
  HONE_TRY(const auto* o, options_of<tflite::ReducerOptions>(c));
  HONE_TRY(Integers axes, c.integers(1, "axes"));
  HONE_TRY(const Operand in, c.operand(0));
  const auto rank = static_cast<int64_t>(c.shape(in).size());
  for (int64_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return fail("an axis is out of range", "axes");
  }
  std::sort(axes.begin(), axes.end());
  const bool plane = rank == 4 && axes == Integers{1, 2};
  HONE_TRY(const ValueId x, plane ? c.nchw(in) : c.plain(in));
  if (plane) axes = {2, 3};
  HONE_TRY(const ValueId y, c.graph.add(Op::reduce_mean, c.name, {x},
                                        {{"axes", axes}, {"keep_dims", int64_t{o->keep_dims()}}}));
  return Operand{y, plane && o->keep_dims()};
}

Result<Operand> pad(Call& c) {
  HONE_TRY(const Integers given, c.integers(1, "paddings"));
  HONE_TRY(const Operand in, c.operand(0));
  const size_t rank = c.shape(in).size();
  if (given.size() != 2 * rank) return fail("paddings do not fit", "paddings");
  const bool nchw = rank == 4;
  HONE_TRY(const ValueId x, nchw ? c.nchw(in) : c.plain(in));
  Integers order(rank), pads;
  std::iota(order.begin(), order.end(), 0);
  if (nchw) order = {0, 3, 1, 2};
  for (const size_t side : {0, 1})
    for (const int64_t d : order) pads.push_back(given[2 * static_cast<size_t>(d) + side]);
  HONE_TRY(const ValueId y, c.graph.add(Op::pad, c.name, {x}, {{"pads", pads}, {"value", 0.0}}));
  return Operand{y, nchw};
}

Result<Operand> transpose(Call& c) {
  HONE_TRY(Integers permutation, c.integers(1, "perm"));
  HONE_TRY(const Operand in, c.operand(0));
  HONE_TRY(const ValueId x, c.plain(in));
  HONE_TRY(const ValueId y, c.graph.transpose(c.name, x, std::move(permutation)));
  return Operand{y, false};
}

}  // namespace

Handler find_handler(int builtin_code) {
  static const std::map<int, Handler> kHandlers = {{0, fused_binary<Op::add, tflite::AddOptions>},
                                                   {1, pool<Op::average_pool>},
                                                   {2, concatenation},
                                                   {3, conv},
                                                   {4, depthwise},
                                                   {6, identity},
                                                   {9, fully_connected},
                                                   {14, unary<Op::sigmoid>},
                                                   {17, pool<Op::max_pool>},
                                                   {18, fused_binary<Op::mul, tflite::MulOptions>},
                                                   {19, activation<tflite::Activation_RELU>},
                                                   {20, activation<tflite::Activation_RELU_N1_TO_1>},
                                                   {21, activation<tflite::Activation_RELU6>},
                                                   {22, reshape},
                                                   {25, softmax},
                                                   {28, unary<Op::tanh>},
                                                   {34, pad},
                                                   {39, transpose},
                                                   {40, mean},
                                                   {41, fused_binary<Op::sub, tflite::SubOptions>},
                                                   {42, fused_binary<Op::div, tflite::DivOptions>},
                                                   {43, squeeze},
                                                   {47, unary<Op::exp>},
                                                   {55, plain_binary<Op::maximum>},
                                                   {57, plain_binary<Op::minimum>},
                                                   {59, unary<Op::neg>},
                                                   {117, unary<Op::hard_swish>}};
  const auto found = kHandlers.find(builtin_code);
  return found == kHandlers.end() ? nullptr : found->second;
}

}  // namespace hone::tflite_import
