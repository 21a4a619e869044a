// Winograd's schedules. Two ways, both in blocks of tiles: whole rows of them, or a part of one row. `first`
// 0: every stage inside the block, so that all stays in cache and each block reads all weights. `first` 1:
// the input's tiles of the whole image come first, as a phase of their own; then, for each tile of output
// channels, the blocks: each weight is read from far away once, in one run.
#include <algorithm>
#include <set>

#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/winograd_shape.h"
#include "codegen/runtime/model/parts.h"

namespace hone::winograd {
namespace {

/// Of the local tensors that trial 0 keeps in a second-level cache, and that any schedule keeps on the stack;
/// and of the input's tiles when they come first. Nothing here depends on the Board.
constexpr int64_t kCacheBytes = 512 << 10, kStackBytes = 1000 << 10, kFirstBytes = 16 << 20;

struct Block {
  int64_t first, rows, columns;
  int64_t tiles() const { return rows * columns; }
};

/// Bytes of all local tensors of a block; of `oc_tile` channel blocks where the input comes first.
int64_t local_bytes(const Form& s, const Block& b, int64_t oc_tile) {
  const int64_t back = s.both() ? s.h.m * s.w.points : 0;
  if (b.first == 1) return 4 * (s.points() + back) * b.tiles() * oc_tile * s.output_block;
  const int64_t rows = s.both() ? s.h.points * s.in * b.rows * (s.w.m * b.columns + s.w.r - 1) : 0;
  return 4 * (rows + s.points() * b.tiles() * (s.in + s.out) + back * b.tiles() * s.out);
}

std::vector<Block> blocks_of(const Form& s) {
  std::vector<Block> blocks;
  for (const int64_t first : {0, 1}) {
    for (const int64_t columns : divisors(s.w.tiles, s.w.tiles)) blocks.push_back({first, 1, columns});
    for (const int64_t rows : divisors(s.h.tiles, s.h.tiles))
      if (rows > 1) blocks.push_back({first, rows, s.w.tiles});
  }
  return blocks;
}

TileProblem tile_problem(const Form& s, const Block& block) { return {s.blocks, 1, block.tiles(), 1, s.in}; }

double block_count(const Form& s, const Block& block) {
  return static_cast<double>(s.conv.n * s.tiles()) / static_cast<double>(block.tiles());
}

/// Of all matrix products.
double product_cycles(const Form& s, const Target& target, const Block& block, const RegisterTile& tile) {
  return block_count(s, block) * static_cast<double>(s.points() * s.in) *
         tile_cost(target, tile_problem(s, block), tile);
}

/// What is read again from a second- or third-level cache, in bytes: the weights by each block, and the
/// input's tiles by each tile of output channels where they come first.
double traffic(const Form& s, const Block& block, int64_t oc_tile) {
  const double weights = block_count(s, block) * static_cast<double>(s.weight_bytes());
  if (block.first == 0) return weights;
  const double input = 4.0 * static_cast<double>(s.points() * s.conv.n * s.tiles() * s.in);
  return weights + input * (1 + static_cast<double>(s.blocks) / static_cast<double>(oc_tile));
}

struct Choice {
  Block block;
  RegisterTile tile;
  double cycles;
};

/// Bytes a cycle at which what is read again would delay arithmetic: caches give 24 and more, three quarters
/// of it overlap (fitted to ResNet's layers on one core of a Zen 5).
constexpr double kOverlapped = 96;

/// What one thread may lose, by the estimate, so that more of them have something to divide.
constexpr double kForThreads = 1.25;

/// As many blocks as threads of a small board, four, where that loses one thread little, or else two; where
/// so many are worth a thread each.
bool for_threads(const Form& s, const Choice& choice, double best_cycles) {
  if (choice.cycles > kForThreads * best_cycles) return false;
  const double flops = 2.0 * static_cast<double>(s.points() * s.conv.n * s.tiles() * s.in * s.out);
  return block_count(s, choice.block) <= std::clamp(flops / HONE_WORK_PER_THREAD, 1.0, 4.0);
}

/// Trial 0: least cycles among the blocks whose local tensors stay in cache, with weights from memory; they
/// come while the first block computes. Of what costs about as much, what threads can divide.
Choice choose(const Form& s, const Target& target) {
  std::vector<Choice> choices;
  const auto cheaper = [](const Choice& a, const Choice& b) { return a.cycles < b.cycles; };
  Choice best{{0, 1, 1}, {1, 1, 1}, 0};
  for (const int64_t limit : {kCacheBytes, kStackBytes}) {
    for (const Block& block : blocks_of(s)) {
      const RegisterTile tile = best_tile(target, tile_problem(s, block));
      if (local_bytes(s, block, tile.channels) > limit) continue;
      if (block.first == 1 && tile.channels == s.blocks) continue;  // threads would have nothing to divide
      if (block.first == 1 && 4 * s.points() * s.conv.n * s.tiles() * s.in > kFirstBytes) continue;
      const double products = product_cycles(s, target, block, tile);
      const double weights =
          exposed_cycles(products / block_count(s, block), static_cast<double>(s.weight_bytes()));
      choices.push_back({block, tile, products + traffic(s, block, tile.channels) / kOverlapped + weights});
    }
    if (choices.empty()) continue;
    best = *std::min_element(choices.begin(), choices.end(), cheaper);
    if (best.block.tiles() >= 4) break;  // else sides with few divisors: larger blocks
  }
  if (best.block.first == 1) return best;
  Choice most = best;
  for (const Choice& choice : choices) {
    const double more = block_count(s, choice.block) - block_count(s, most.block);
    if (for_threads(s, choice, best.cycles) && (more > 0 || (more == 0 && cheaper(choice, most))))
      most = choice;
  }
  return most;
}

/// The channel axis by blocks.
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

Tail tail(int64_t extent, int64_t size) { return extent % size == 0 ? Tail::exact : Tail::peel; }

/// A transform: outer loops in this order, the channel's blocks where `channel` stands, copies, lanes.
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

StageSchedule input_schedule(const Form& s, bool first, const Step& place) {
  std::vector<Step> steps;
  if (!first) steps.push_back(place);
  StageSchedule result =
      s.w.transformed()
          ? transform_schedule("input", steps, "ic", s.input_block, {"n", "ic", "th", "i", "tw"}, "j")
          : transform_schedule("input", steps, "ic", s.input_block, {"n", "ic", "th", "tw", "j"}, "i");
  if (first) result.steps.push_back(steps::parallel({"n", s.input_block > 1 ? "ic.b" : "ic", "th"}));
  return result;
}

/// A matrix product at each point, register tiles over tiles and channel blocks.
StageSchedule products_schedule(const Form& s, const Block& block, const Parameters& p, const Step& place) {
  std::vector<Step> steps{place};
  const Channel in = split_channel(steps, "ic", s.input_block),
                out = split_channel(steps, "oc", s.output_block);
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
  tiled(out.outer, block.first == 1 ? p.at("oc_tile") : s.blocks, p.at("oc_tile"));
  if (block.rows > 1) {
    steps.push_back(steps::fuse("th", "tw", "t"));
  } else {
    loops.push_back("th");
  }
  tiled(block.rows > 1 ? "t" : "tw", block.tiles(), p.at("tile"));
  loops.push_back(in.outer);
  if (!in.vector.empty()) loops.push_back(in.vector);
  loops.insert(loops.end(), tile.begin(), tile.end());
  if (!out.vector.empty()) loops.push_back(out.vector);
  steps.push_back(steps::reorder(loops));
  if (p.at("unroll") > 1 && !in.vector.empty())
    steps.push_back(steps::unroll(in.vector, std::min(p.at("unroll"), s.input_block)));
  if (!tile.empty()) steps.push_back(steps::tile(tile));
  if (!out.vector.empty()) steps.push_back(steps::vectorize(out.vector));
  return {"products", steps};
}

/// Each spatial axis: blocks (.o), tiles in a block (.t), elements of a tile (.i).
StageSchedule output_schedule(const Form& s, const Block& block, int64_t oc_tile) {
  std::vector<Step> steps;
  const Channel out = split_channel(steps, "oc", s.output_block);
  std::vector<std::string> tiles, copies;
  const auto divide = [&](const std::string& axis, const Side& side, int64_t count) {
    const int64_t extent = std::min(side.m * count, side.out);
    if (!side.transformed()) {
      steps.push_back(steps::split(axis, extent, axis + ".o", axis + ".t", tail(side.out, extent)));
    } else {
      steps.push_back(steps::split(axis, extent, axis + ".o", axis + ".r", tail(side.out, extent)));
      steps.push_back(steps::split(axis + ".r", side.m, axis + ".t", axis + ".i", tail(side.out, side.m)));
      copies.push_back(axis + ".i");
    }
    tiles.push_back(axis + ".t");
    return side.out % extent == 0;
  };
  const bool rows_exact = divide("oh", s.h, block.rows);
  const bool columns_exact = divide("ow", s.w, block.columns);
  std::vector<std::string> loops{"n"}, divided{"n"};
  if (block.first == 1) {
    steps.push_back(steps::split(out.outer, oc_tile, "oc.o", "oc.t"));
    loops.insert(loops.end(), {"oc.o", "oh.o", "ow.o", "oc.t"});
    divided.push_back("oc.o");
  } else {
    loops.insert(loops.end(), {"oh.o", "ow.o", out.outer});
  }
  if (rows_exact || block.first == 0) divided.push_back("oh.o");
  if (rows_exact && columns_exact) divided.push_back("ow.o");
  loops.insert(loops.end(), tiles.begin(), tiles.end());
  loops.insert(loops.end(), copies.begin(), copies.end());
  if (!out.vector.empty()) loops.push_back(out.vector);
  steps.push_back(steps::reorder(loops));
  steps.push_back(steps::tile(copies));
  if (!out.vector.empty()) steps.push_back(steps::vectorize(out.vector));
  steps.push_back(steps::parallel(divided));
  return {"output", steps};
}

tl::unexpected<Error> refuse(const std::string& what) { return fail(what, "winograd"); }

}  // namespace

SearchSpace space(const Form& s, const Target& target) {
  std::set<int64_t> rows, columns, channels, tiles, first;
  for (const Block& block : blocks_of(s)) {
    if (block.tiles() < 4 || local_bytes(s, block, 1) > kStackBytes) continue;
    if (block.first == 1 && 4 * s.points() * s.conv.n * s.tiles() * s.in > kFirstBytes) continue;
    rows.insert(block.rows);
    columns.insert(block.columns);
    first.insert(block.first);
    for (const RegisterTile& tile : good_tiles(target, tile_problem(s, block))) {
      channels.insert(tile.channels);
      tiles.insert(tile.columns);
    }
  }
  const Choice choice = choose(s, target);
  rows.insert(choice.block.rows), columns.insert(choice.block.columns), first.insert(choice.block.first);
  channels.insert(choice.tile.channels), tiles.insert(choice.tile.columns);
  return {{"columns", {columns.begin(), columns.end()}},   {"first", {first.begin(), first.end()}},
          {"oc_tile", {channels.begin(), channels.end()}}, {"rows", {rows.begin(), rows.end()}},
          {"tile", {tiles.begin(), tiles.end()}},          {"unroll", {1, 2, 4}}};
}

Parameters default_parameters(const Form& s, const Target& target) {
  const Choice choice = choose(s, target);
  return {{"columns", choice.block.columns}, {"first", choice.block.first}, {"oc_tile", choice.tile.channels},
          {"rows", choice.block.rows},       {"tile", choice.tile.columns}, {"unroll", 4}};
}

double cycles(const Form& s, const Target& target) {
  const double vectors = static_cast<double>(s.points() * s.conv.n * s.tiles()) *
                         static_cast<double>(s.in / s.input_block + s.out / s.output_block);
  // Loads, sums and the store of a transformed vector (fitted as above).
  const double per_vector = s.both() ? 5.4 + 0.75 * static_cast<double>(s.h.points - 6) : 4;
  return choose(s, target).cycles + per_vector * vectors;
}

Result<Schedule> schedule(const Form& s, const Target& target, const Parameters& p) {
  for (const char* name : {"columns", "first", "oc_tile", "rows", "tile", "unroll"})
    if (!p.count(name)) return refuse(std::string("parameter ") + name + " is missing");
  const Block block{p.at("first"), p.at("rows"), p.at("columns")};
  const int64_t oc_tile = p.at("oc_tile");
  const auto divides = [](int64_t part, int64_t whole) { return part >= 1 && whole % part == 0; };
  if (!divides(block.rows, s.h.tiles) || !divides(block.columns, s.w.tiles))
    return refuse("blocks of " + std::to_string(block.rows) + " x " + std::to_string(block.columns) +
                  " tiles do not divide " + std::to_string(s.h.tiles) + " x " + std::to_string(s.w.tiles));
  if (block.rows > 1 && block.columns < s.w.tiles)
    return refuse("a block is a part of one row of tiles or whole rows");
  if (p.at("tile") < 1 || p.at("unroll") < 1) return refuse("parameters are positive");
  if (!divides(oc_tile, s.blocks))
    return refuse("oc_tile " + std::to_string(oc_tile) + " does not divide " + std::to_string(s.blocks) +
                  " channel blocks");
  const RegisterTile tile{oc_tile, 1, std::min(p.at("tile"), block.tiles())};
  if (!fits_registers(target, tile))
    return refuse("a tile of " + std::to_string(tile.channels * tile.columns) +
                  " accumulators does not fit the registers");
  if (const int64_t bytes = local_bytes(s, block, oc_tile); bytes > kStackBytes)
    return refuse("a block's tensors take " + std::to_string(bytes) + " bytes, at most " +
                  std::to_string(kStackBytes));
  const bool first = block.first == 1;
  const Step place = compute_at("ow.o", "output");
  Schedule result;
  if (s.both())
    result.stages.push_back(transform_schedule("rows", {first ? compute_at("th", "input") : place}, "ic",
                                               s.input_block, {"n", "ic", "th", "w"}, "i"));
  result.stages.push_back(input_schedule(s, first, place));
  result.stages.push_back(products_schedule(s, block, p, place));
  if (s.both())
    result.stages.push_back(
        transform_schedule("back", {place}, "oc", s.output_block, {"n", "oc", "j", "th", "tw"}, "i"));
  result.stages.push_back(output_schedule(s, block, oc_tile));
  return result;
}

}  // namespace hone::winograd
