// Private: the small matrices of Winograd convolutions F(m, r) along one side, as expressions. m outputs of a
// filter of r weights come from m + r - 1 products; the interpolation points are 0, infinity and pairs +-p.
#pragma once

#include <functional>
#include <vector>

#include "codegen/expr/computation.h"

namespace hone::winograd {

using Elements = std::function<ScalarPtr(int)>;  ///< what is transformed: element i of a row or column

/// The p of the pairs +-p for `points` = m + r - 1 products (4, 6, 8, 10 or 12): chosen for small errors in
/// float32, see tests/numeric.
std::vector<double> pairs_for(int64_t points);

/// Rows of B^T applied to m + r - 1 elements of the input. A pair's two rows share their even and odd halves.
std::vector<ScalarPtr> input_rows(int64_t m, int64_t r, const Elements& d);
/// Rows of A^T applied to m + r - 1 products: the m outputs.
std::vector<ScalarPtr> output_rows(int64_t m, int64_t r, const Elements& e);
/// Rows of G applied to r weights.
std::vector<ScalarPtr> weight_rows(int64_t m, int64_t r, const Elements& g);

/// rows[number]: a choice that is made when loops are unrolled.
ScalarPtr pick(const Index& number, const std::vector<ScalarPtr>& rows);

}  // namespace hone::winograd
