// What this machine could do at best, measured on the spot in a fraction of a second, and how near an
// operator comes to it: the roofline. tuner/session draws it.
#pragma once

#include <cstdint>

namespace hone::roofline {

/// Speeds of `threads` threads together.
struct Machine {
  int threads = 1;
  double flops = 0;  ///< multiply-add, float32, of the widest vectors: operations per second
  double l2_bytes = 0, llc_bytes = 0, dram_bytes = 0;  ///< bytes per second read from each
  int64_t l2_size = 1 << 20,
          llc_size = int64_t{32} << 20;  ///< bytes: L2 of one core, the last level as a whole
};
Machine measure_machine(int threads);

/// What an operator does at least, and how long it took.
struct Work {
  double arithmetic = 0;      ///< floating-point operations that the generated code performs
  double constant_bytes = 0;  ///< packed weights, read once
  double other_bytes = 0;     ///< inputs and outputs
  double seconds = 0;
};
/// Seconds that the arithmetic takes at the machine's peak, and the traffic at its bandwidths: constants come
/// from memory if all of the model's take more than half of the last-level cache, else from that; the rest
/// from the level that holds it.
struct Bound {
  double compute = 0, memory = 0;
  double seconds() const { return compute > memory ? compute : memory; }
};
Bound bound_of(const Work& work, double all_constant_bytes, const Machine& machine);

}  // namespace hone::roofline
