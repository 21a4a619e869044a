// Graph: what a model file becomes. Values with static shapes, joined by nodes; also, without constant data,
// the body of a Task. Text form (prints and parses back; constants as types only):
//
//   %x = input f32[1x64x56x56]
//   %w = constant f32[64x64x3x3]
//   %0 = conv %x %w {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
//   %1 = relu %0
//   output %1
//
// A value with a range of its own for test data says so: "%v = constant f32[64] in [0.5,1.5]".
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/signature.h"
#include "codegen/base/tensor.h"

namespace hone {

/// Operators after import: each importer maps its framework's operators to these. Spatial attributes are
/// lists over (h, w); pads are [h before, w before, h after, w after]; automatic padding and ceil mode are
/// already resolved.
enum class Op : uint8_t {
  // x, w[OIHW], optional b[O]; strides, pads, dilations, groups. Also 1-D convolutions, as H = 1.
  conv,
  // x, scale, bias, mean, variance (each [C]); epsilon
  batch_norm,
  // unary, element by element
  relu,
  clip,  // min, max
  sigmoid,
  tanh,
  exp,
  neg,
  abs,
  sqrt,
  reciprocal,
  hard_sigmoid,  // alpha, beta: max(0, min(1, alpha x + beta))
  hard_swish,    // x * max(0, min(1, x / 6 + 0.5))
  // binary, element by element, with NumPy broadcasting
  add,
  sub,
  mul,
  div,
  maximum,
  minimum,
  // kernel, strides, pads, dilations; average_pool: include_pad (0 or 1)
  max_pool,
  average_pool,
  global_average_pool,
  global_max_pool,
  // x[M,K], w[K,N] or with transpose_b=1 w[N,K], optional b (broadcast to [M,N])
  dense,
  // batched matrix product of two activations or of higher rank than 2
  matmul,
  concat,     // axis
  reshape,    // shape (all resolved); absent: the output value's own shape
  transpose,  // permutation
  softmax,    // axis
  log_softmax,
  pad,              // pads (all dims before, then all after), value
  reduce_mean,      // axes, keep_dims
  slice,            // starts, ends, axes, steps (all resolved, non-negative starts)
  gather,           // axis; indices constant
  lrn,              // size, alpha, beta, bias
  channel_shuffle,  // groups: of [N, C, H, W], channel j * groups + i is the operand's i * (C / groups) + j
  // Layout transform, inserted by planning: no change of logical content.
  transform,
};
std::string_view to_text(Op op);
Result<Op> parse_op(std::string_view text);
bool is_elementwise(
    Op op);  ///< unary or binary, output element i from operand elements i (after broadcasting)
bool keeps_finite(Op op);  ///< unary, elementwise, and of a finite number it never makes an infinite one or NaN

using Attribute = std::variant<int64_t, double, std::vector<int64_t>, std::string>;

using ValueId = int;
using NodeId = int;

struct Constant {
  std::vector<std::byte> bytes;  ///< row-major, little-endian, of the value's dtype
};

struct Value {
  std::string name;  ///< the model's name for it; unique within the graph
  TensorType type;
  std::optional<ValueRange> range;  ///< what test data should be drawn from; default [-1, 1)
  bool is_constant = false;
  std::shared_ptr<const Constant> constant;  ///< null for a Task's constants
};

struct Node {
  Op op;
  std::string name;  ///< the model's name: for messages
  std::vector<ValueId> inputs;
  ValueId output = -1;
  std::map<std::string, Attribute> attributes;

  int64_t integer(const std::string& key, int64_t otherwise) const;
  double real(const std::string& key, double otherwise) const;
  std::vector<int64_t> integers(const std::string& key) const;  ///< empty if absent
};

/// Nodes are in execution order. Value ids are indices into `values`.
struct Graph {
  std::string name;
  std::vector<Value> values;
  std::vector<Node> nodes;
  std::vector<ValueId> inputs, outputs;

  const Value& value(ValueId id) const { return values[id]; }
  /// Index of the node that makes each value, -1 for inputs and constants.
  std::vector<NodeId> producers() const;
  /// Indices of the nodes that read each value, in order.
  std::vector<std::vector<NodeId>> consumers() const;
};

/// Shapes agree with the operators, ids are in range, order is topological, names are unique.
Status verify(const Graph& graph);
std::string to_text(const Graph& graph);
Result<Graph> parse_graph(std::string_view text);

/// Shape of a node's output from its inputs' types and its attributes; the one place that knows.
Result<TensorType> infer_type(const Graph& graph, const Node& node);

/// Floating-point operations of one node: a multiply-add counts as two.
double flops(const Graph& graph, const Node& node);

// --- passes: each a pure function in its own file -------------------------------------------------
Graph fold_constants(Graph graph);    ///< nodes whose inputs are all constants; evaluated in float32/int64
Graph fold_batch_norm(Graph graph);   ///< into the convolution or dense layer before it (or a mul and an add)
Graph remove_dead_code(Graph graph);  ///< unread values and nodes; identity reshapes and transposes
Graph channel_shuffle(Graph graph);   ///< reshape, transpose, reshape that permute channels, as one node
/// Is shown the graph after each pass of `simplify`.
using PassObserver = std::function<void(std::string_view pass, const Graph& graph)>;
/// All of the above, until nothing changes.
Graph simplify(Graph graph, const PassObserver& observer = nullptr);

}  // namespace hone
