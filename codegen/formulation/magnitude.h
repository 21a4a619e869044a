// Magnitudes: how large the numbers were through which the rounding errors of a result passed (see
// codegen/CONTRACTS.md, checks). A pure rewriting of scalars, and of computations into float64 ones with
// their magnitudes.
#pragma once

#include <functional>

#include "codegen/expr/computation.h"

namespace hone {

/// m(load) = |x|; m(a+-b) = m_a + m_b; m(ab) = |a| m_b + |b| m_a; m(a/b) = m_a/|b| + |a| m_b/b^2; m(max) =
/// max; m(e^a) = e^a (1 + m_a); else |f| + sup|f'| m_a. `of_read` gives the magnitude of what a read reads.
ScalarPtr magnitude(const ScalarPtr& scalar, const std::function<ScalarPtr(const ScalarPtr& read)>& of_read);

/// `computation` in float64, every output and scratch tensor T with a second one "T.magnitude". Outputs
/// become float64; plain copies get no magnitude of their own, it is their absolute value.
Computation with_magnitudes(const Computation& computation);

}  // namespace hone
