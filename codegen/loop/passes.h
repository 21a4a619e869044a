// The small passes of `lower` that have no file of their own to be declared in.
#pragma once

#include "codegen/loop/loop.h"

namespace hone::loop {

/// Arithmetic operations of a whole phase: those of the scalar bodies (a combination counts as one) x iterations.
double count_flops(const Phase& phase);

}  // namespace hone::loop
