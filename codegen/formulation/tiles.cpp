// The cost rule behind register tiles, see tiles.h.
#include "codegen/formulation/tiles.h"

#include <algorithm>

namespace hone {
namespace {

/// Cycles for one vector of weights, which every tile streams again: from where a tile's share of them fits.
/// Typical sizes of caches; a Target knows none, and trial 0 must not depend on the Board.
double stream_cycles(const Target& target, const TileProblem& problem, int64_t channels) {
  const int64_t vector_bytes = target.vector_bits / 8;
  const int64_t share = channels * vector_bytes * problem.reduced;
  const double bytes_per_cycle = share <= (24 << 10) ? 128 : share <= (768 << 10) ? 32 : 16;
  return static_cast<double>(vector_bytes) / bytes_per_cycle;
}

/// Cycles of one reduce step of one tile: two multiply-adds and two loads a cycle, a multiply-add takes four
/// (five, so that a few more accumulators than that cover what else delays them).
double step_cycles(const Target& target, const TileProblem& problem, int64_t channels, int64_t pixels) {
  const double products = static_cast<double>(channels * pixels);
  const double loads = static_cast<double>(channels + pixels);
  const double stream = static_cast<double>(channels) * stream_cycles(target, problem, channels);
  return std::max({products / 2, loads / 2, 5.0, stream}) + 0.02 * loads + 0.05 * stream;
}

/// `extent` in tiles of `tile` and a rest: calls f(size, how many).
template <class F>
void for_pieces(int64_t extent, int64_t tile, F f) {
  if (extent / tile > 0) f(tile, extent / tile);
  if (extent % tile > 0) f(extent % tile, int64_t{1});
}

std::vector<RegisterTile> candidates(const Target& target, const TileProblem& problem) {
  const int64_t budget = accumulator_budget(target);
  std::vector<RegisterTile> tiles;
  for (const int64_t channels : divisors(problem.blocks, budget))
    for (int64_t rows = 1; rows <= std::min(problem.max_rows, problem.rows); ++rows)
      for (int64_t columns = 1; columns <= problem.columns; ++columns) {
        if (!fits_registers(target, {channels, rows, columns})) break;
        if (rows > 1 && columns < problem.columns) continue;  // several rows only where one is too short
        tiles.push_back({channels, rows, columns});
      }
  return tiles;
}

}  // namespace

std::vector<int64_t> divisors(int64_t value, int64_t limit) {
  std::vector<int64_t> result;
  for (int64_t d = 1; d <= std::min(value, limit); ++d)
    if (value % d == 0) result.push_back(d);
  return result;
}

bool fits_registers(const Target& target, const RegisterTile& tile) {
  return tile.channels * tile.rows * tile.columns + tile.channels + 1 <= target.vector_registers - 1;
}

int64_t accumulator_budget(const Target& target) { return target.vector_registers - 4; }

double tile_cost(const Target& target, const TileProblem& problem, const RegisterTile& tile) {
  double cost = 0;
  for_pieces(problem.rows, tile.rows, [&](int64_t rows, int64_t row_pieces) {
    for_pieces(problem.columns, tile.columns, [&](int64_t columns, int64_t column_pieces) {
      cost += static_cast<double>(row_pieces * column_pieces) *
              step_cycles(target, problem, tile.channels, rows * columns);
    });
  });
  return cost * static_cast<double>(problem.blocks / tile.channels);
}

double exposed_cycles(double cycles, double weight_bytes) {
  const double memory = weight_bytes / 10;
  return std::max(0.2 * memory, memory - cycles);
}

RegisterTile best_tile(const Target& target, const TileProblem& problem) {
  RegisterTile best;
  double best_cost = tile_cost(target, problem, best);
  for (const RegisterTile& tile : candidates(target, problem)) {
    const double cost = tile_cost(target, problem, tile);
    if (cost < best_cost) best = tile, best_cost = cost;
  }
  return best;
}

std::vector<RegisterTile> good_tiles(const Target& target, const TileProblem& problem) {
  const double limit = 1.3 * tile_cost(target, problem, best_tile(target, problem));
  std::vector<RegisterTile> tiles;
  for (const RegisterTile& tile : candidates(target, problem))
    if (tile_cost(target, problem, tile) <= limit) tiles.push_back(tile);
  return tiles;
}

}  // namespace hone
