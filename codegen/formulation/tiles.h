// Register tiles: how many output columns, rows and channel blocks one tile holds, from the Target's
// registers and ports. One cost rule serves AVX-512, AVX2, SSE and NEON; nothing here is measured, so the
// same choice comes out everywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/base/target.h"

namespace hone {

struct RegisterTile {
  int64_t channels = 1;  ///< channel blocks
  int64_t rows = 1;
  int64_t columns = 1;
  bool operator==(const RegisterTile&) const = default;
};

/// What a tile is chosen for: `blocks` channel blocks (0 rows of reuse allowed: `max_rows` 1) over rows x
/// columns.
struct TileProblem {
  int64_t blocks, rows, columns;
  int64_t max_rows = 1;
  int64_t reduced = 1;  ///< steps of the reduction: how long the stream of weights of one block is
};

/// Accumulators that fit beside a few other registers.
int64_t accumulator_budget(const Target& target);
/// Whether accumulators, one weight vector per channel block and a broadcast fit the registers, with one to
/// spare.
bool fits_registers(const Target& target, const RegisterTile& tile);
/// Estimated cycles per reduce step over the whole output; smaller is better.
double tile_cost(const Target& target, const TileProblem& problem, const RegisterTile& tile);
/// Cycles that weights from memory add to `cycles` of arithmetic during which they arrive, asked for ahead:
/// what arithmetic cannot hide, at least a fifth of their way. Memory gives 10 bytes a cycle, as measured for
/// one core (44 GB/s at 4.2 GHz).
double exposed_cycles(double cycles, double weight_bytes);
RegisterTile best_tile(const Target& target, const TileProblem& problem);
/// Values of one tile dimension among good tiles (cost within 1.3 of the best), ascending.
std::vector<RegisterTile> good_tiles(const Target& target, const TileProblem& problem);

std::vector<int64_t> divisors(int64_t value, int64_t limit);

}  // namespace hone
