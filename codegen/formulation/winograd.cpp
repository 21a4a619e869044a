// Five stages, see winograd.h: input tiles are transformed along columns (`rows`) and along rows (`input`),
// multiplied with transformed weights at each of the (m+2)^2 points (`products`), and transformed back along
// columns (`back`) and rows
// (`output`, with the task's elementwise chain). A row transform is one expression per row, chosen by the
// row's number: the numbers are constants once the loops are unrolled, and what rows share is computed once.
#include "codegen/formulation/winograd.h"

#include <algorithm>
#include <functional>
#include <set>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

namespace hone {
namespace {

using Elements = std::function<ScalarPtr(int)>;  ///< what is transformed: element i of a row or column

ScalarPtr plus(const ScalarPtr& a, const ScalarPtr& b) { return scalar::binary(ScalarOp::add, a, b); }
ScalarPtr minus(const ScalarPtr& a, const ScalarPtr& b) { return scalar::binary(ScalarOp::sub, a, b); }
ScalarPtr times(double factor, const ScalarPtr& a) {
  return scalar::binary(ScalarOp::mul, a, scalar::constant(factor));
}

/// Rows of the matrix B^T applied to m+2 elements.
std::vector<ScalarPtr> input_rows(int64_t m, const Elements& d) {
  if (m == 2) return {minus(d(0), d(2)), plus(d(1), d(2)), minus(d(2), d(1)), minus(d(1), d(3))};
  const auto d1 = d(1), d2 = d(2), d3 = d(3), d4 = d(4);
  const auto even = minus(d4, times(4, d2)), odd = minus(d3, times(4, d1));
  const auto outer_even = minus(d4, d2), outer_odd = times(2, minus(d3, d1));
  return {plus(times(4, d(0)), minus(d4, times(5, d2))),
          plus(even, odd),
          minus(even, odd),
          plus(outer_even, outer_odd),
          minus(outer_even, outer_odd),
          plus(times(4, d1), minus(d(5), times(5, d3)))};
}

/// Rows of A^T applied to m+2 elements.
std::vector<ScalarPtr> output_rows(int64_t m, const Elements& e) {
  const auto sum = plus(e(1), e(2)), difference = minus(e(1), e(2));
  if (m == 2) return {plus(e(0), sum), minus(difference, e(3))};
  const auto sum2 = plus(e(3), e(4)), difference2 = minus(e(3), e(4));
  return {plus(plus(e(0), sum), sum2), plus(times(2, difference2), difference), plus(times(4, sum2), sum),
          plus(plus(times(8, difference2), difference), e(5))};
}

/// Rows of G applied to the 3 weights of a row or column of the window.
std::vector<ScalarPtr> weight_rows(int64_t m, const Elements& g) {
  const auto ends = plus(g(0), g(2));
  if (m == 2) return {g(0), times(0.5, plus(ends, g(1))), times(0.5, minus(ends, g(1))), g(2)};
  const auto far = plus(times(1.0 / 24, g(0)), times(1.0 / 6, g(2))), middle = times(1.0 / 12, g(1));
  return {times(0.25, g(0)),
          times(-1.0 / 6, plus(ends, g(1))),
          times(-1.0 / 6, minus(ends, g(1))),
          plus(far, middle),
          minus(far, middle),
          g(2)};
}

/// rows[number].
ScalarPtr pick(const Index& number, const std::vector<ScalarPtr>& rows) {
  ScalarPtr result = rows.back();
  for (size_t k = rows.size() - 1; k-- > 0;)
    result = scalar::select_less(scalar::from_index(number), scalar::constant(static_cast<double>(k + 1)),
                                 rows[k], result);
  return result;
}

struct WinogradShape {
  ConvShape conv;
  int64_t m, points;  ///< points: m + 2 along each side
  int64_t input_block, output_block;
  int64_t in, out, blocks;  ///< padded channels; blocks of output channels
  int64_t tile_rows, tile_columns;
};

WinogradShape winograd_shape(const Task& task, const Ports& ports, int64_t m) {
  WinogradShape s{};
  s.conv = conv_shape(task);
  s.m = m;
  s.points = m + 2;
  const auto& inputs = task.graph.inputs;
  const size_t x = std::find(inputs.begin(), inputs.end(), task.anchor().inputs[0]) - inputs.begin();
  s.input_block = block_of(ports.inputs.at(x).layout, 1);
  s.output_block = block_of(ports.output.layout, 1);
  s.in = round_up(s.conv.in, s.input_block);
  s.out = round_up(s.conv.out, s.output_block);
  s.blocks = s.out / s.output_block;
  s.tile_rows = (s.conv.oh + m - 1) / m;
  s.tile_columns = (s.conv.ow + m - 1) / m;
  return s;
}

/// Fewer products in sum, tiles beyond the image counted. The same decision on every board: the log decides
/// finer.
bool pays(const ConvShape& c, int64_t m) {
  const int64_t tiles = ((c.oh + m - 1) / m) * ((c.ow + m - 1) / m);
  const double products = static_cast<double>(tiles * (m + 2) * (m + 2));
  return c.n * tiles >= 8 && products < 0.7 * 9 * static_cast<double>(c.oh * c.ow);
}

template <int64_t m>
bool applies(const Task& task, const Target& target) {
  if (!is_plain_conv(task)) return false;
  const ConvShape c = conv_shape(task);
  return c.groups == 1 && c.kh == 3 && c.kw == 3 && c.stride_h == 1 && c.stride_w == 1 && c.dilation_h == 1 &&
         c.dilation_w == 1 && c.in >= target.lanes() && c.out >= target.lanes() && pays(c, m);
}

template <int64_t m>
std::vector<HaloNeed> halo(const Task& task, const Target&) {
  const ConvShape c = conv_shape(task);
  std::vector<HaloNeed> needs(task.graph.inputs.size());
  const auto& inputs = task.graph.inputs;
  const size_t x = std::find(inputs.begin(), inputs.end(), task.anchor().inputs[0]) - inputs.begin();
  // The last tile may hang over the image: what it reads there counts for no output, but has to be readable.
  const auto after = [](int64_t out, int64_t in, int64_t pad) {
    return std::max<int64_t>(0, (out + m - 1) / m * m + 2 - pad - in);
  };
  needs.at(x) = {{0, 0, c.pad_h, c.pad_w}, {0, 0, after(c.oh, c.h, c.pad_h), after(c.ow, c.w, c.pad_w)}, 0};
  return needs;
}

template <int64_t m>
Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const WinogradShape s = winograd_shape(task, ports, m);
  const ConvShape& c = s.conv;
  const Node& node = task.anchor();
  Builder builder(task, target, ports);
  const auto axis = [](const char* name) { return Index::axis(name); };
  const Index n = axis("n"), ic = axis("ic"), oc = axis("oc"), th = axis("th"), tw = axis("tw"),
              w = axis("w"), i = axis("i"), j = axis("j"), oh = axis("oh"), ow = axis("ow");
  const int64_t columns = s.tile_columns * m + 2;
  const auto blocked = [](std::vector<int> order, int dimension, int64_t block) {
    Layout layout{std::move(order), {}};
    if (block > 1) layout.blocks.push_back({dimension, block});
    return layout;
  };

  // Weights: i, j, oc, ic, both transforms in one expression; computed in float64 when packed.
  Layout packed{{0, 1, 2, 3}, {}};
  if (s.input_block > 1) packed.blocks.push_back({3, s.input_block});
  if (s.output_block > 1) packed.blocks.push_back({2, s.output_block});
  const bool padded = s.in != c.in || s.out != c.out;
  const auto transformed = pick(
      j, weight_rows(m, [&](int kw) {
        return pick(i, weight_rows(m, [&](int kh) {
                      return scalar::read(builder.logical(node.inputs[1]), {oc, ic, Index(kh), Index(kw)},
                                          padded ? std::optional<double>(0) : std::nullopt);
                    }));
      }));
  const std::vector<Axis> packed_axes{{"i", s.points}, {"j", s.points}, {"oc", s.out}, {"ic", s.in}};
  const int u =
      builder.packed(task.graph.value(node.inputs[1]).name, {s.points, s.points, s.out, s.in}, packed,
                     range_for(task, node.inputs[1]), packed_axes, {i, j, oc, ic}, transformed);

  const int x = builder.input(node.inputs[0]);
  const int rows = builder.scratch("rows", {s.points, c.n, s.in, s.tile_rows, columns},
                                   blocked({1, 2, 3, 0, 4}, 2, s.input_block));
  builder.stage({"rows",
                 rows,
                 {{"n", c.n}, {"ic", s.in}, {"th", s.tile_rows}, {"w", columns}, {"i", s.points}},
                 {i, n, ic, th, w},
                 {},
                 pick(i, input_rows(m, [&](int k) {
                        return scalar::read(x, {n, ic, th * m + Index(k - c.pad_h), w - Index(c.pad_w)});
                      }))});

  const int v = builder.scratch("tiles", {s.points, s.points, c.n, s.in, s.tile_rows, s.tile_columns},
                                blocked({0, 1, 2, 3, 4, 5}, 3, s.input_block));
  builder.stage(
      {"input",
       v,
       {{"n", c.n},
        {"ic", s.in},
        {"th", s.tile_rows},
        {"i", s.points},
        {"tw", s.tile_columns},
        {"j", s.points}},
       {i, j, n, ic, th, tw},
       {},
       pick(j, input_rows(m, [&](int k) { return scalar::read(rows, {i, n, ic, th, tw * m + Index(k)}); }))});

  const int products =
      builder.scratch("products", {s.points, s.points, c.n, s.out, s.tile_rows, s.tile_columns},
                      blocked({0, 1, 2, 3, 4, 5}, 3, s.output_block));
  Stage multiply{"products",
                 products,
                 {{"i", s.points},
                  {"j", s.points},
                  {"n", c.n},
                  {"oc", s.out},
                  {"th", s.tile_rows},
                  {"tw", s.tile_columns}},
                 {i, j, n, oc, th, tw},
                 Reduction{{{"ic", s.in}},
                           Combiner::sum,
                           scalar::binary(ScalarOp::mul, scalar::read(v, {i, j, n, ic, th, tw}),
                                          scalar::read(u, {i, j, oc, ic}))},
                 scalar::accumulator()};
  builder.stage(multiply);

  const int back = builder.scratch("back", {m, s.points, c.n, s.out, s.tile_rows, s.tile_columns},
                                   blocked({0, 1, 2, 3, 4, 5}, 3, s.output_block));
  builder.stage(
      {"back",
       back,
       {{"n", c.n}, {"oc", s.out}, {"j", s.points}, {"th", s.tile_rows}, {"tw", s.tile_columns}, {"i", m}},
       {i, j, n, oc, th, tw},
       {},
       pick(i, output_rows(m, [&](int k) { return scalar::read(products, {Index(k), j, n, oc, th, tw}); }))});

  Stage output{"output",        -1, {{"n", c.n}, {"oc", s.out}, {"oh", c.oh}, {"ow", c.ow}},
               {n, oc, oh, ow}, {}, {}};
  const AxisRanges ranges = [&](const std::string& name) {
    for (const Axis& one : output.axes)
      if (one.name == name) return Interval{0, one.extent - 1};
    return Interval{0, 0};
  };
  ScalarPtr value = pick(modulo(ow, m, ranges), output_rows(m, [&](int k) {
                           return scalar::read(back, {modulo(oh, m, ranges), Index(k), n, oc,
                                                      floor_div(oh, m, ranges), floor_div(ow, m, ranges)});
                         }));
  if (c.has_bias) value = plus(value, scalar::read(builder.packed_copy(node.inputs[2], 0, s.out), {oc}));
  value = chain_value(task, value, builder.operand_reader({n, oc, oh, ow}, s.output_block));
  if (s.out != c.out && chain_needs_mask(task)) value = Builder::masked(value, oc, c.out);
  output.value = value;
  output.output = builder.output();
  builder.stage(output);
  return builder.finish(m == 4 ? ErrorBound{1e-5, 40} : ErrorBound{4e-6, 4});
}

// --- schedule ---
//
// Two ways, both in blocks of `rows` x `columns` tiles. `first` 0: every stage inside the block, so that all
// stays in cache. `first` 1: the input's tiles of the whole image come first, as a phase of their own; then,
// for each tile of output channels, the blocks: each weight is read from far away once.

/// Of the local tensors that trial 0 keeps in a second-level cache, and that any schedule keeps on the stack.
/// Nothing here depends on the Board.
constexpr int64_t kCacheBytes = 512 << 10, kStackBytes = 1000 << 10;

struct Block {
  int64_t first, rows, columns, oc_tile;
};

/// Bytes of all local tensors of a block.
int64_t local_bytes(const WinogradShape& s, const Block& b) {
  const int64_t tiles = b.rows * b.columns, points = s.points * s.points, back = s.m * s.points;
  if (b.first == 1) return 4 * (points + back) * tiles * b.oc_tile * s.output_block;
  return 4 * (s.points * s.in * b.rows * (s.m * b.columns + 2) + points * tiles * (s.in + s.out) +
              back * tiles * s.out);
}

/// Blocks of equal numbers of tiles.
std::vector<int64_t> row_choices(const WinogradShape& s) { return divisors(s.tile_rows, 8); }
std::vector<int64_t> column_choices(const WinogradShape& s) { return divisors(s.tile_columns, 64); }

TileProblem tile_problem(const WinogradShape& s, int64_t rows, int64_t columns) {
  return {s.blocks, rows, columns, rows, s.in};
}

template <int64_t m>
SearchSpace space(const Task& task, const Target& target, const Ports& ports) {
  const WinogradShape s = winograd_shape(task, ports, m);
  std::set<int64_t> block_rows, block_columns, channels, tile_rows, tile_columns, first;
  for (const int64_t rows : row_choices(s))
    for (const int64_t columns : column_choices(s)) {
      const bool inside = local_bytes(s, {0, rows, columns, 1}) <= kStackBytes;
      if ((!inside && local_bytes(s, {1, rows, columns, 1}) > kStackBytes) || rows * columns < 4) continue;
      block_rows.insert(rows);
      block_columns.insert(columns);
      first.insert(1);
      if (inside) first.insert(0);
      for (const RegisterTile& tile : good_tiles(target, tile_problem(s, rows, columns))) {
        channels.insert(tile.channels);
        tile_rows.insert(tile.rows);
        tile_columns.insert(tile.columns);
      }
    }
  return {{"columns", {block_columns.begin(), block_columns.end()}},
          {"first", {first.begin(), first.end()}},
          {"oc_tile", {channels.begin(), channels.end()}},
          {"rows", {block_rows.begin(), block_rows.end()}},
          {"th_tile", {tile_rows.begin(), tile_rows.end()}},
          {"tw_tile", {tile_columns.begin(), tile_columns.end()}},
          {"unroll", {1, 2, 4}}};
}

/// The block with the most tiles whose local tensors take at most `bytes`; of those the one with the longest
/// rows.
Block largest_block(const WinogradShape& s, int64_t first, int64_t oc_tile, int64_t bytes = kCacheBytes) {
  Block best{first, 1, 1, oc_tile};
  for (const int64_t rows : row_choices(s))
    for (const int64_t columns : column_choices(s)) {
      const Block block{first, rows, columns, oc_tile};
      const int64_t tiles = rows * columns, most = best.rows * best.columns;
      if (local_bytes(s, block) <= bytes && (tiles > most || (tiles == most && columns > best.columns)))
        best = block;
    }
  return best;
}

template <int64_t m>
Parameters default_parameters(const Task& task, const Target& target, const Ports& ports) {
  const WinogradShape s = winograd_shape(task, ports, m);
  Block block = largest_block(s, 0, 1);
  // Each block streams all weights: too much where there are many and blocks are small.
  const int64_t blocks = s.conv.n * s.tile_rows * s.tile_columns / (block.rows * block.columns);
  const int64_t weight_bytes = 4 * s.points * s.points * s.in * s.out;
  const bool small = weight_bytes > (512 << 10) && block.rows * block.columns < 7;
  if (small || (weight_bytes > (4 << 20) && blocks > 2)) {
    const RegisterTile tile = best_tile(target, tile_problem(s, s.tile_rows, s.tile_columns));
    block = largest_block(s, 1, tile.channels);
  } else if (block.rows * block.columns < 4) {
    block = largest_block(s, 0, 1, kStackBytes);  // sides with few divisors: better than tile by tile
  }
  const RegisterTile tile = best_tile(target, tile_problem(s, block.rows, block.columns));
  return {{"columns", block.columns},
          {"first", block.first},
          {"oc_tile", tile.channels},
          {"rows", block.rows},
          {"th_tile", tile.rows},
          {"tw_tile", tile.columns},
          {"unroll", 4}};
}

/// Steps that all five stages share: the channel axis by blocks.
struct Channel {
  std::string outer, vector;
};
Channel split_channel(std::vector<Step>& steps, const std::string& axis, int64_t block) {
  if (block == 1) return {axis, ""};
  steps.push_back(steps::split(axis, block, axis + ".b", axis + ".v"));
  return {axis + ".b", axis + ".v"};
}

Step compute_at(const std::string& axis, const std::string& stage) {
  return {StepKind::compute_at, {axis}, 0, Tail::exact, stage};
}

/// A transform: outer loops in this order, then the channel's blocks where `channel_at` says, copies, lanes.
StageSchedule transform_schedule(const std::string& stage, std::vector<Step> steps,
                                 const std::string& channel, int64_t block, std::vector<std::string> outer,
                                 const std::string& copies) {
  const Channel split = split_channel(steps, channel, block);
  for (std::string& name : outer)
    if (name == channel) name = split.outer;
  std::vector<std::string> all = outer;
  all.push_back(copies);
  if (!split.vector.empty()) all.push_back(split.vector);
  steps.push_back(steps::reorder(all));
  steps.push_back(steps::tile({copies}));
  if (!split.vector.empty()) steps.push_back(steps::vectorize(split.vector));
  return {stage, steps};
}

/// The steps of `products`: a matrix product at each point, register tiles over tiles and channel blocks.
StageSchedule products_schedule(const WinogradShape& s, const Parameters& p, const Step& place) {
  std::vector<Step> steps{place};
  const Channel in = split_channel(steps, "ic", s.input_block),
                out = split_channel(steps, "oc", s.output_block);
  const int64_t oc_tile = p.at("oc_tile"), unroll = p.at("unroll");
  std::vector<std::string> loops{"i", "j", "n"}, tile;
  const auto tiled = [&](const std::string& axis, int64_t extent, int64_t size) {
    if (size >= extent) {
      (extent > 1 ? tile : loops).push_back(axis);
    } else if (size > 1) {
      const std::string outer = axis + ".o", inner = axis + ".t";
      steps.push_back(steps::split(axis, size, outer, inner, Tail::peel));
      loops.push_back(outer);
      tile.push_back(inner);
    } else {
      loops.push_back(axis);
    }
  };
  tiled(out.outer, p.at("first") == 1 ? oc_tile : s.blocks, oc_tile);
  tiled("th", p.at("rows"), p.at("th_tile"));
  tiled("tw", p.at("columns"), p.at("tw_tile"));
  loops.push_back(in.outer);
  if (!in.vector.empty()) loops.push_back(in.vector);
  loops.insert(loops.end(), tile.begin(), tile.end());
  if (!out.vector.empty()) loops.push_back(out.vector);
  steps.push_back(steps::reorder(loops));
  if (unroll > 1 && !in.vector.empty())
    steps.push_back(steps::unroll(in.vector, std::min(unroll, s.input_block)));
  if (!tile.empty()) steps.push_back(steps::tile(tile));
  if (!out.vector.empty()) steps.push_back(steps::vectorize(out.vector));
  return {"products", steps};
}

StageSchedule output_schedule(const WinogradShape& s, const Parameters& p) {
  std::vector<Step> steps;
  const Channel out = split_channel(steps, "oc", s.output_block);
  const auto tail = [](int64_t extent, int64_t size) {
    return extent % size == 0 ? Tail::exact : Tail::peel;
  };
  // Each spatial axis: blocks, tiles in a block, elements of a tile.
  const auto divide = [&](const std::string& axis, int64_t extent, int64_t tiles) {
    const int64_t block = std::min(s.m * tiles, extent);
    steps.push_back(steps::split(axis, block, axis + ".o", axis + ".r", tail(extent, block)));
    steps.push_back(steps::split(axis + ".r", s.m, axis + ".t", axis + ".i", tail(extent, s.m)));
  };
  divide("oh", s.conv.oh, p.at("rows"));
  divide("ow", s.conv.ow, p.at("columns"));
  std::vector<std::string> loops{"n"}, divided{"n"};
  if (p.at("first") == 1) {
    steps.push_back(steps::split(out.outer, p.at("oc_tile"), "oc.o", "oc.t"));
    loops.insert(loops.end(), {"oc.o", "oh.o", "ow.o", "oc.t"});
    divided.push_back("oc.o");
  } else {
    loops.insert(loops.end(), {"oh.o", "ow.o", out.outer});
    divided.push_back("oh.o");
  }
  loops.insert(loops.end(), {"oh.t", "ow.t", "oh.i", "ow.i"});
  if (!out.vector.empty()) loops.push_back(out.vector);
  steps.push_back(steps::reorder(loops));
  steps.push_back(steps::tile({"oh.i", "ow.i"}));
  if (!out.vector.empty()) steps.push_back(steps::vectorize(out.vector));
  steps.push_back(steps::parallel(divided));
  return {"output", steps};
}

template <int64_t m>
Result<Schedule> schedule(const Task& task, const Target& target, const Ports& ports, const Parameters& p) {
  const WinogradShape s = winograd_shape(task, ports, m);
  for (const char* name : {"columns", "first", "oc_tile", "rows", "th_tile", "tw_tile", "unroll"})
    if (!p.count(name)) return fail(std::string("parameter ") + name + " is missing", "winograd");
  const Block block{p.at("first"), p.at("rows"), p.at("columns"), p.at("oc_tile")};
  const auto among = [](const std::vector<int64_t>& choices, int64_t value) {
    return std::find(choices.begin(), choices.end(), value) != choices.end();
  };
  if (!among(row_choices(s), block.rows) || !among(column_choices(s), block.columns))
    return fail("blocks of " + std::to_string(block.rows) + " x " + std::to_string(block.columns) +
                    " tiles do not divide " + std::to_string(s.tile_rows) + " x " +
                    std::to_string(s.tile_columns),
                "winograd");
  if (block.oc_tile < 1 || p.at("th_tile") < 1 || p.at("tw_tile") < 1 || p.at("unroll") < 1)
    return fail("parameters are positive", "winograd");
  if (s.blocks % block.oc_tile != 0)
    return fail("oc_tile " + std::to_string(block.oc_tile) + " does not divide " + std::to_string(s.blocks) +
                    " channel blocks",
                "winograd");
  const RegisterTile tile{block.oc_tile, std::min(p.at("th_tile"), block.rows),
                          std::min(p.at("tw_tile"), block.columns)};
  if (!fits_registers(target, tile))
    return fail("a tile of " + std::to_string(tile.channels * tile.rows * tile.columns) +
                    " accumulators does not fit the registers",
                "winograd");
  if (local_bytes(s, block) > kStackBytes)
    return fail("a block's tensors take " + std::to_string(local_bytes(s, block)) + " bytes, at most " +
                    std::to_string(kStackBytes),
                "winograd");
  const bool first = block.first == 1;

  const Step place = compute_at("ow.o", "output");
  const std::string input_channel = s.input_block > 1 ? "ic.b" : "ic";
  Schedule result;
  result.stages.push_back(transform_schedule("rows", {first ? compute_at("th", "input") : place}, "ic",
                                             s.input_block, {"n", "ic", "th", "w"}, "i"));
  result.stages.push_back(transform_schedule("input", first ? std::vector<Step>{} : std::vector<Step>{place},
                                             "ic", s.input_block, {"n", "ic", "th", "i", "tw"}, "j"));
  if (first) result.stages.back().steps.push_back(steps::parallel({"n", input_channel}));
  result.stages.push_back(products_schedule(s, p, place));
  result.stages.push_back(
      transform_schedule("back", {place}, "oc", s.output_block, {"n", "oc", "j", "th", "tw"}, "i"));
  result.stages.push_back(output_schedule(s, p));
  return result;
}

template <int64_t m>
Formulation winograd(std::string_view name) {
  Formulation f{};
  f.name = name;
  f.transforms = true;
  f.applies = applies<m>;
  f.layouts = blocked_ports;
  f.halo = halo<m>;
  f.formulate = formulate<m>;
  f.space = space<m>;
  f.default_parameters = default_parameters<m>;
  f.schedule = schedule<m>;
  return f;
}

}  // namespace

Formulation winograd4_formulation() { return winograd<4>("winograd4"); }
Formulation winograd2_formulation() { return winograd<2>("winograd2"); }

}  // namespace hone
