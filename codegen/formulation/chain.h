// Elementwise chains: the nodes behind a task's anchor as one scalar expression, so that they cost no pass
// over memory. Also the few questions every formulation asks of a task: its anchor, its constants, whether
// the chain keeps the shape.
#pragma once

#include <functional>
#include <vector>

#include "codegen/expr/computation.h"
#include "codegen/graph/task.h"

namespace hone {

/// Constants of a task in the order of their value ids: the order of `prepare`'s inputs.
std::vector<ValueId> constants_of(const Task& task);
const TensorType& output_type(const Task& task);
/// Shape of what the anchor itself makes.
const Shape& anchor_shape(const Task& task);
const Shape& operand_shape(const Task& task, size_t operand);  ///< of the anchor's operand
bool anchor_is(const Task& task, Op op);
/// The anchor's first operands are inputs of the task, all other anchor operands up to `constants` more are
/// constants, everything is float32, and the chain keeps the anchor's shape.
bool fits(const Task& task, size_t activations, size_t max_constants);

/// Reads value `id` of the task at the output's index (broadcast).
using OperandReader = std::function<ScalarPtr(ValueId id)>;
/// The task's output as a function of what the anchor makes (null for a task without anchor: then every node
/// is in the chain).
ScalarPtr chain_value(const Task& task, const ScalarPtr& anchor_value, const OperandReader& read);
/// What the nodes before the anchor make of `x`, the one activation that they read.
ScalarPtr value_before(const Task& task, const ScalarPtr& x, const OperandReader& read);
/// Whether an output padding lane whose accumulator is 0 may become infinite or NaN.
bool chain_needs_mask(const Task& task);
/// One elementwise node.
ScalarPtr elementwise_scalar(const Node& node, const std::vector<ScalarPtr>& args);

/// Index of an operand of shape `shape` where the output (of rank `output.size()`) is at `output`: NumPy
/// broadcasting.
std::vector<Index> broadcast_index(const Shape& shape, const std::vector<Index>& output);

}  // namespace hone
