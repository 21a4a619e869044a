// Private: a Winograd convolution's numbers as read from task and ports, shared by its formulation and its
// schedule.
#pragma once

#include <cstdint>
#include <vector>

#include "codegen/formulation/conv.h"
#include "codegen/formulation/formulation.h"
#include "codegen/formulation/tiles.h"

namespace hone::winograd {

/// F(m, r) along height or width; where the window is 1 wide there is no transform: m = r = points = 1.
struct Side {
  int64_t m, r, points;  ///< points: m + r - 1
  int64_t out, tiles;    ///< tiles of m outputs, the last one may hang over
  bool transformed() const { return r > 1; }
};

struct Form {
  ConvShape conv;
  Side h, w;
  int64_t input_block, output_block;
  int64_t in, out, blocks;  ///< padded channels; blocks of output channels
  int64_t points() const { return h.points * w.points; }
  int64_t tiles() const { return h.tiles * w.tiles; }
  bool both() const { return h.transformed() && w.transformed(); }
  int64_t weight_bytes() const { return 4 * points() * in * out; }
};

Side side(int64_t m, int64_t window, int64_t out);
Form form(const Task& task, const Ports& ports, int64_t m);

SearchSpace space(const Form& form, const Target& target);
Parameters default_parameters(const Form& form, const Target& target);
/// Cycles of trial 0 on one core, see Formulation::cycles.
double cycles(const Form& form, const Target& target);
Result<Schedule> schedule(const Form& form, const Target& target, const Parameters& parameters);

}  // namespace hone::winograd
