// The sample computations, built with the constructors that formulations use.
#include "tests/support/samples.h"

#include <limits>

namespace hone::test {
namespace {

using namespace scalar;  // NOLINT: these read like formulas

Index ax(const char* name) { return Index::axis(name); }
int64_t padded(int64_t extent, int64_t block) { return (extent + block - 1) / block * block; }

Tensor tensor(std::string name, Role role, Shape shape, Layout layout) {
  Tensor t;
  t.name = std::move(name);
  t.role = role;
  t.type.shape = std::move(shape);
  t.layout = std::move(layout);
  return t;
}

Layout activation(int64_t block) { return block > 1 ? Layout::channel_blocked(block) : Layout::plain(4); }

void set_halo(Tensor& t, int64_t before, int64_t after) {
  t.placement.halo_before = {0, 0, before, before};
  t.placement.halo_after = {0, 0, after, after};
}

ScalarPtr add(ScalarPtr a, ScalarPtr b) { return binary(ScalarOp::add, std::move(a), std::move(b)); }
ScalarPtr mul(ScalarPtr a, ScalarPtr b) { return binary(ScalarOp::mul, std::move(a), std::move(b)); }
ScalarPtr relu(ScalarPtr a) { return binary(ScalarOp::maximum, std::move(a), constant(0)); }

}  // namespace

Computation conv(const ConvSample& s) {
  int64_t ic = padded(s.in_channels, s.block), oc = padded(s.out_channels, s.block);
  int64_t in_h = (s.height - 1) * s.stride + s.kernel - 2 * s.padding,
          in_w = (s.width - 1) * s.stride + s.kernel - 2 * s.padding;
  Layout weights = Layout::plain(4), bias = Layout::plain(1);
  if (s.block > 1) weights.blocks = {{1, s.block}, {0, s.block}};
  Computation c;
  c.tensors = {tensor("x", Role::input, {1, s.in_channels, in_h, in_w}, activation(s.block)),
               tensor("w", Role::constant, {oc, ic, s.kernel, s.kernel}, weights),
               tensor("b", Role::constant, {oc}, bias),
               tensor("y", Role::output, {1, s.out_channels, s.height, s.width}, activation(s.block))};
  set_halo(c.tensors[0], s.padding + s.extra_halo, s.padding + s.extra_halo);
  Stage stage;
  stage.name = "conv";
  stage.output = 3;
  stage.axes = {{"n", 1}, {"oc", oc}, {"oh", s.height}, {"ow", s.width}};
  stage.store_index = {ax("n"), ax("oc"), ax("oh"), ax("ow")};
  Index row = ax("oh") * s.stride + ax("kh") - s.padding, column = ax("ow") * s.stride + ax("kw") - s.padding;
  stage.reduction = Reduction{
      {{"ic", ic}, {"kh", s.kernel}, {"kw", s.kernel}},
      Combiner::sum,
      mul(read(0, {ax("n"), ax("ic"), row, column}), read(1, {ax("oc"), ax("ic"), ax("kh"), ax("kw")}))};
  stage.value = s.bias_relu ? relu(add(accumulator(), read(2, {ax("oc")}))) : accumulator();
  c.stages = {stage};
  return c;
}

Computation max_pool(int64_t channels, int64_t height, int64_t width, int64_t block) {
  int64_t c_padded = padded(channels, block);
  Computation c;
  c.tensors = {tensor("x", Role::input, {1, channels, 2 * height, 2 * width}, activation(block)),
               tensor("y", Role::output, {1, channels, height, width}, activation(block))};
  Stage stage;
  stage.name = "pool";
  stage.output = 1;
  stage.axes = {{"c", c_padded}, {"oh", height}, {"ow", width}};
  stage.store_index = {0, ax("c"), ax("oh"), ax("ow")};
  // A guard of the channel dimension would turn padding lanes into -inf: padding lanes exist, so only rows
  // and columns reach outside; the tensor says so by its shape being padded.
  c.tensors[0].type.shape[1] = c_padded;
  stage.reduction = Reduction{{{"kh", 3}, {"kw", 3}},
                              Combiner::maximum,
                              read(0, {0, ax("c"), ax("oh") * 2 + ax("kh") - 1, ax("ow") * 2 + ax("kw") - 1},
                                   -std::numeric_limits<double>::infinity())};
  stage.value = accumulator();
  c.stages = {stage};
  return c;
}

Computation elementwise(int64_t rows, int64_t width) {
  Computation c;
  c.tensors = {tensor("x", Role::input, {rows, width}, Layout::plain(2)),
               tensor("y", Role::output, {rows, width}, Layout::plain(2))};
  Stage stage;
  stage.name = "add";
  stage.output = 1;
  stage.axes = {{"r", rows}, {"w", width}};
  stage.store_index = {ax("r"), ax("w")};
  stage.value =
      add(unary(ScalarOp::tanh, read(0, {ax("r"), ax("w")})), mul(from_index(ax("w")), constant(0.5)));
  c.stages = {stage};
  return c;
}

Computation depthwise_pointwise(int64_t channels, int64_t out_channels, int64_t height, int64_t width,
                                int64_t block) {
  int64_t ch = padded(channels, block), oc = padded(out_channels, block);
  Layout dw_weights = Layout::plain(3), pw_weights = Layout::plain(2);
  if (block > 1) dw_weights.blocks = {{0, block}}, pw_weights.blocks = {{1, block}, {0, block}};
  Computation c;
  c.tensors = {tensor("x", Role::input, {1, channels, height, width}, activation(block)),
               tensor("dw_w", Role::constant, {ch, 3, 3}, dw_weights),
               tensor("pw_w", Role::constant, {oc, ch}, pw_weights),
               tensor("y", Role::output, {1, out_channels, height, width}, activation(block)),
               tensor("t", Role::scratch, {1, channels, height, width}, activation(block))};
  set_halo(c.tensors[0], 1, 1);
  Stage dw;
  dw.name = "dw";
  dw.output = 4;
  dw.axes = {{"c", ch}, {"h", height}, {"w", width}};
  dw.store_index = {0, ax("c"), ax("h"), ax("w")};
  dw.reduction = Reduction{{{"kh", 3}, {"kw", 3}},
                           Combiner::sum,
                           mul(read(0, {0, ax("c"), ax("h") + ax("kh") - 1, ax("w") + ax("kw") - 1}),
                               read(1, {ax("c"), ax("kh"), ax("kw")}))};
  dw.value = relu(accumulator());
  Stage pw;
  pw.name = "pw";
  pw.output = 3;
  pw.axes = {{"oc", oc}, {"oh", height}, {"ow", width}};
  pw.store_index = {0, ax("oc"), ax("oh"), ax("ow")};
  pw.reduction = Reduction{{{"ic", ch}},
                           Combiner::sum,
                           mul(read(4, {0, ax("ic"), ax("oh"), ax("ow")}), read(2, {ax("oc"), ax("ic")}))};
  pw.value = accumulator();
  c.stages = {dw, pw};
  return c;
}

Computation chain(int64_t rows, int64_t width) {
  Computation c;
  Layout plain = Layout::plain(2);
  c.tensors = {
      tensor("x", Role::input, {rows, width + 1}, plain), tensor("y", Role::output, {rows, width}, plain),
      tensor("a", Role::scratch, {rows, width + 1}, plain), tensor("b", Role::scratch, {rows, width}, plain)};
  auto stage = [&](const char* name, int output, int64_t extent, ScalarPtr value) {
    Stage s;
    s.name = name;
    s.output = output;
    s.axes = {{"c", rows}, {"i", extent}};
    s.store_index = {ax("c"), ax("i")};
    s.value = std::move(value);
    c.stages.push_back(s);
  };
  ScalarPtr b = read(3, {ax("c"), ax("i")});
  stage("scale", 2, width + 1, mul(constant(2), read(0, {ax("c"), ax("i")})));
  stage("window", 3, width, add(read(2, {ax("c"), ax("i")}), read(2, {ax("c"), ax("i") + 1})));
  stage("square", 1, width, mul(b, b));
  return c;
}

}  // namespace hone::test
