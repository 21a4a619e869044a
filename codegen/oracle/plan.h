// Private header. What the interpreter knows of a task before the first element: its nodes with attributes
// resolved, what they read, and what is worth keeping.
#pragma once

#include "codegen/graph/task.h"
#include "codegen/oracle/oracle.h"

namespace hone::oracle {

/// A node; operands are value ids.
struct Step {
  Op op;
  std::vector<ValueId> operands;
  std::vector<Shape> shapes;  ///< of the operands
  Shape shape;                ///< of the output
  std::vector<std::vector<int64_t>>
      at;  ///< elementwise: operand strides over the output's dimensions, 0 if broadcast
  std::vector<int64_t> strides, dilations, pads, kernel;  ///< windows; pads of `pad` too
  std::vector<int64_t> axes, starts, steps, permutation;  ///< movement; axes of reductions
  size_t axis = 0;
  int64_t groups = 1, size = 1;
  bool flag = false;           ///< include_pad, transpose_b
  double a = 0, b = 0, c = 0;  ///< bounds, alpha, beta, bias, epsilon, value: as the operator has them
  std::vector<double> reads;   ///< of each operand for one element
  double work = 1;             ///< of one element
};

struct Plan {
  Task task;
  std::vector<OracleTensor> inputs;
  OracleTensor output;
  std::vector<int> leaf;   ///< of each value: number in `inputs`, -1 if a step makes it
  std::vector<int> maker;  ///< of each value: its step, -1 for leaves
  std::vector<bool> kept;  ///< values that are read again: an element is worked out once a call
  std::vector<Step> steps;
  ValueId result = -1;
  double cost = 0;
  double keeps = 0;  ///< elements kept at most
};

Result<Plan> plan(Task task);

/// The loosest error bound that a formulation claims for tasks whose anchor is this step.
ErrorBound loosest_bound(const Step& anchor);

/// Row-major strides in elements.
std::vector<int64_t> strides_of(const Shape& shape);

}  // namespace hone::oracle
