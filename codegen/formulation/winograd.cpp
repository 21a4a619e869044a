// Five stages, see winograd.h: input tiles are transformed along columns (`rows`) and along rows (`input`),
// multiplied with transformed weights at each point (`products`), and transformed back along columns (`back`)
// and rows
// (`output`, with the task's elementwise chain). Along one side only, `rows` and `back` are left out. A row
// transform is one expression per row, chosen by the row's number: the numbers are constants once the loops
// are unrolled, and what rows share is computed once.
#include "codegen/formulation/winograd.h"

#include <algorithm>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/winograd_shape.h"
#include "codegen/formulation/winograd_transform.h"

namespace hone {
namespace winograd {

Side side(int64_t m, int64_t window, int64_t out) {
  if (window == 1) m = 1;
  return {m, window, m + window - 1, out, (out + m - 1) / m};
}

Form form(const Task& task, const Ports& ports, int64_t m) {
  Form s{};
  s.conv = conv_shape(task);
  s.h = side(m, s.conv.kh, s.conv.oh);
  s.w = side(m, s.conv.kw, s.conv.ow);
  const auto& inputs = task.graph.inputs;
  const size_t x = std::find(inputs.begin(), inputs.end(), task.anchor().inputs[0]) - inputs.begin();
  s.input_block = block_of(ports.inputs.at(x).layout, 1);
  s.output_block = block_of(ports.output.layout, 1);
  s.in = round_up(s.conv.in, s.input_block);
  s.out = round_up(s.conv.out, s.output_block);
  s.blocks = s.out / s.output_block;
  return s;
}

}  // namespace winograd

namespace {

using namespace winograd;  // NOLINT: its other half

/// Clearly fewer products in sum, tiles beyond the image counted. What of that is left as time, `cycles`
/// estimates and the log knows.
bool pays(const ConvShape& c, const Side& h, const Side& w) {
  const int64_t tiles = h.tiles * w.tiles;
  return c.n * tiles >= 8 && static_cast<double>(tiles * h.points * w.points) <
                                 0.7 * static_cast<double>(c.kh * c.kw * c.oh * c.ow);
}

/// Products along a side at most, with both sides transformed and with one: beyond, float32 loses too much.
constexpr int64_t kMostPoints = 8, kMostPointsAlone = 12;

template <int64_t m>
bool applies(const Task& task, const Target& target) {
  if (!is_plain_conv(task)) return false;
  const ConvShape c = conv_shape(task);
  const bool alone = c.kh == 1 || c.kw == 1;
  const int64_t window = std::max(c.kh, c.kw);
  if (window != 3 && window != 5 && window != 7) return false;
  if ((!alone && c.kh != c.kw) || m + window - 1 > (alone ? kMostPointsAlone : kMostPoints)) return false;
  return c.groups == 1 && c.stride_h == 1 && c.stride_w == 1 && c.dilation_h == 1 && c.dilation_w == 1 &&
         c.in >= target.lanes() && c.out >= target.lanes() &&
         pays(c, side(m, c.kh, c.oh), side(m, c.kw, c.ow));
}

template <int64_t m>
std::vector<HaloNeed> halo(const Task& task, const Target&) {
  const ConvShape c = conv_shape(task);
  std::vector<HaloNeed> needs(task.graph.inputs.size());
  const auto& inputs = task.graph.inputs;
  const size_t x = std::find(inputs.begin(), inputs.end(), task.anchor().inputs[0]) - inputs.begin();
  // The last tile may hang over the image: what it reads there counts for no output, but has to be readable.
  const auto after = [](const Side& one, int64_t in, int64_t pad) {
    return std::max<int64_t>(0, one.tiles * one.m + one.r - 1 - pad - in);
  };
  needs.at(x) = {{0, 0, c.pad_h, c.pad_w},
                 {0, 0, after(side(m, c.kh, c.oh), c.h, c.pad_h), after(side(m, c.kw, c.ow), c.w, c.pad_w)},
                 0};
  return needs;
}

/// `rows` of what runs along a side, chosen by `number`; the element itself where the side is not
/// transformed.
ScalarPtr along(const Side& one, const Index& number,
                std::vector<ScalarPtr> (*rows)(int64_t, int64_t, const Elements&), const Elements& elements) {
  return one.transformed() ? pick(number, rows(one.m, one.r, elements)) : elements(0);
}

Layout blocked(std::vector<int> order, int dimension, int64_t block) {
  Layout layout{std::move(order), {}};
  if (block > 1) layout.blocks.push_back({dimension, block});
  return layout;
}

Index axis(const char* name) { return Index::axis(name); }

/// Weights: i, j, oc, ic, both transforms in one expression; computed in float64 when packed. All that a
/// block of output channels needs lies in one run, in the order in which it is read: prefetches reach past
/// the ends of loops.
int packed_weights(Builder& builder, const Task& task, const Form& s) {
  const Node& node = task.anchor();
  const Index ic = axis("ic"), oc = axis("oc"), i = axis("i"), j = axis("j");
  Layout packed{{2, 0, 1, 3}, {}};
  if (s.input_block > 1) packed.blocks.push_back({3, s.input_block});
  if (s.output_block > 1) packed.blocks.push_back({2, s.output_block});
  const bool padded = s.in != s.conv.in || s.out != s.conv.out;
  const auto transformed = along(s.w, j, weight_rows, [&](int kw) {
    return along(s.h, i, weight_rows, [&](int kh) {
      return scalar::read(builder.logical(node.inputs[1]), {oc, ic, Index(kh), Index(kw)},
                          padded ? std::optional<double>(0) : std::nullopt);
    });
  });
  return builder.packed(task.graph.value(node.inputs[1]).name, {s.h.points, s.w.points, s.out, s.in}, packed,
                        range_for(task, node.inputs[1]),
                        {{"i", s.h.points}, {"j", s.w.points}, {"oc", s.out}, {"ic", s.in}}, {i, j, oc, ic},
                        transformed);
}

/// The stages that make tiles of the input.
int input_tiles(Builder& builder, const Task& task, const Form& s) {
  const ConvShape& c = s.conv;
  const int x = builder.input(task.anchor().inputs[0]);
  const Index n = axis("n"), ic = axis("ic"), th = axis("th"), tw = axis("tw"), w = axis("w"), i = axis("i"),
              j = axis("j");
  const int v = builder.scratch("tiles", {s.h.points, s.w.points, c.n, s.in, s.h.tiles, s.w.tiles},
                                blocked({0, 1, 2, 3, 4, 5}, 3, s.input_block));
  Stage input{
      "input",
      v,
      {{"n", c.n}, {"ic", s.in}, {"th", s.h.tiles}, {"i", s.h.points}, {"tw", s.w.tiles}, {"j", s.w.points}},
      {i, j, n, ic, th, tw},
      {},
      {}};
  const auto at = [&](const Index& row, const Index& column) {
    return scalar::read(x, {n, ic, row - Index(c.pad_h), column - Index(c.pad_w)});
  };
  if (!s.both()) {
    input.value = along(s.h, i, input_rows, [&](int kh) {
      return along(s.w, j, input_rows,
                   [&](int kw) { return at(th * s.h.m + Index(kh), tw * s.w.m + Index(kw)); });
    });
    builder.stage(input);
    return v;
  }
  const int64_t columns = s.w.tiles * s.w.m + s.w.r - 1;
  const int rows = builder.scratch("rows", {s.h.points, c.n, s.in, s.h.tiles, columns},
                                   blocked({1, 2, 3, 0, 4}, 2, s.input_block));
  builder.stage({"rows",
                 rows,
                 {{"n", c.n}, {"ic", s.in}, {"th", s.h.tiles}, {"w", columns}, {"i", s.h.points}},
                 {i, n, ic, th, w},
                 {},
                 along(s.h, i, input_rows, [&](int k) { return at(th * s.h.m + Index(k), w); })});
  input.value = along(s.w, j, input_rows,
                      [&](int k) { return scalar::read(rows, {i, n, ic, th, tw * s.w.m + Index(k)}); });
  builder.stage(input);
  return v;
}

/// About four times the worst seen over tests/numeric, see the table in winograd.h.
ErrorBound error_bound(const Form& s) {
  const int64_t points = std::max(s.h.points, s.w.points);
  if (points <= 4) return {4e-6, 4};
  if (s.both()) return points <= 6 ? ErrorBound{1e-5, 40} : ErrorBound{2e-5, 56};
  if (points <= 8) return {4e-6, 16};
  return points <= 10 ? ErrorBound{1e-5, 40} : ErrorBound{2e-5, 64};
}

template <int64_t m>
Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const Form s = form(task, ports, m);
  const ConvShape& c = s.conv;
  const Node& node = task.anchor();
  Builder builder(task, target, ports);
  const Index n = axis("n"), ic = axis("ic"), oc = axis("oc"), th = axis("th"), tw = axis("tw"),
              i = axis("i"), j = axis("j"), oh = axis("oh"), ow = axis("ow");
  const int u = packed_weights(builder, task, s);
  const int v = input_tiles(builder, task, s);
  const auto point_layout = blocked({0, 1, 2, 3, 4, 5}, 3, s.output_block);
  const int products =
      builder.scratch("products", {s.h.points, s.w.points, c.n, s.out, s.h.tiles, s.w.tiles}, point_layout);
  builder.stage({"products",
                 products,
                 {{"i", s.h.points},
                  {"j", s.w.points},
                  {"n", c.n},
                  {"oc", s.out},
                  {"th", s.h.tiles},
                  {"tw", s.w.tiles}},
                 {i, j, n, oc, th, tw},
                 Reduction{{{"ic", s.in}},
                           Combiner::sum,
                           scalar::binary(ScalarOp::mul, scalar::read(v, {i, j, n, ic, th, tw}),
                                          scalar::read(u, {i, j, oc, ic}))},
                 scalar::accumulator()});
  int back = products;
  if (s.both()) {
    back = builder.scratch("back", {s.h.m, s.w.points, c.n, s.out, s.h.tiles, s.w.tiles}, point_layout);
    builder.stage(
        {"back",
         back,
         {{"n", c.n}, {"oc", s.out}, {"j", s.w.points}, {"th", s.h.tiles}, {"tw", s.w.tiles}, {"i", s.h.m}},
         {i, j, n, oc, th, tw},
         {},
         along(s.h, i, output_rows,
               [&](int k) { return scalar::read(products, {Index(k), j, n, oc, th, tw}); })});
  }

  Stage output{"output",        -1, {{"n", c.n}, {"oc", s.out}, {"oh", c.oh}, {"ow", c.ow}},
               {n, oc, oh, ow}, {}, {}};
  const AxisRanges ranges = [&](const std::string& name) {
    for (const Axis& one : output.axes)
      if (one.name == name) return Interval{0, one.extent - 1};
    return Interval{0, 0};
  };
  const Index row = modulo(oh, s.h.m, ranges), column = modulo(ow, s.w.m, ranges);
  const auto at = [&](const Index& first, const Index& second) {
    return scalar::read(back,
                        {first, second, n, oc, floor_div(oh, s.h.m, ranges), floor_div(ow, s.w.m, ranges)});
  };
  ScalarPtr value;
  if (s.both()) {
    value = along(s.w, column, output_rows, [&](int k) { return at(row, Index(k)); });
  } else {
    value = along(s.h, row, output_rows, [&](int k) {
      return along(s.w, column, output_rows, [&](int l) { return at(Index(k), Index(l)); });
    });
  }
  if (c.has_bias)
    value = scalar::binary(ScalarOp::add, value,
                           scalar::read(builder.packed_copy(node.inputs[2], 0, s.out), {oc}));
  value = chain_value(task, value, builder.operand_reader({n, oc, oh, ow}, s.output_block));
  if (s.out != c.out && chain_needs_mask(task)) value = Builder::masked(value, oc, c.out);
  output.value = value;
  output.output = builder.output();
  builder.stage(output);
  return builder.finish(error_bound(s));
}

template <int64_t m>
Formulation make(std::string_view name) {
  Formulation f{};
  f.name = name;
  f.space_version = 2;
  f.transforms = true;
  f.applies = applies<m>;
  f.layouts = blocked_ports;
  f.halo = halo<m>;
  f.formulate = formulate<m>;
  f.space = [](const Task& task, const Target& target, const Ports& ports) {
    return space(form(task, ports, m), target);
  };
  f.default_parameters = [](const Task& task, const Target& target, const Ports& ports) {
    return default_parameters(form(task, ports, m), target);
  };
  f.schedule = [](const Task& task, const Target& target, const Ports& ports, const Parameters& parameters) {
    return schedule(form(task, ports, m), target, parameters);
  };
  f.cycles = [](const Task& task, const Target& target) {
    return cycles(form(task, blocked_ports(task, target), m), target);
  };
  return f;
}

}  // namespace

Formulation winograd2_formulation() { return make<2>("winograd2"); }
Formulation winograd4_formulation() { return make<4>("winograd4"); }
Formulation winograd6_formulation() { return make<6>("winograd6"); }

}  // namespace hone
