// Evaluation of nodes on constants: what folding and the importers' shape arithmetic need, and a slow, plain
// interpreter of whole graphs that tests hold the importers to. Float32 in and out with float64 arithmetic;
// int64 exact.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "codegen/graph/graph.h"

namespace hone {

/// The node's output (of type `output`) from its operands' data, or nothing if this operator is not evaluated
/// on these types: float32 all operators; int64 elementwise ones (division truncates; by zero is not
/// evaluated) and movement.
std::optional<Constant> evaluate(const Graph& graph, const Node& node, const TensorType& output,
                                 std::span<const Constant* const> operands);

/// All outputs of a graph whose constants have data, node by node. Error: an input's size is wrong, or a node
/// is not evaluated. Slow: about a second per GFLOP.
Result<std::vector<Constant>> interpret(const Graph& graph, std::span<const Constant> inputs);

Constant constant_of(std::span<const float> values);
Constant constant_of(std::span<const int64_t> values);
/// The elements of a float32 or int64 constant.
std::span<const float> floats(const Constant& constant);
std::span<const int64_t> integers(const Constant& constant);

}  // namespace hone
