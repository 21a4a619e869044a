// Names and classes of the graph's operators, and typed access to a node's attributes.
// The table is in the order of `Op`; the static_assert keeps the two in step.
#include <algorithm>
#include <array>

#include "codegen/graph/graph.h"

namespace hone {
namespace {

constexpr std::array<std::string_view, 37> kNames = {"conv",
                                                     "batch_norm",
                                                     "relu",
                                                     "clip",
                                                     "sigmoid",
                                                     "tanh",
                                                     "exp",
                                                     "neg",
                                                     "abs",
                                                     "sqrt",
                                                     "reciprocal",
                                                     "hard_sigmoid",
                                                     "hard_swish",
                                                     "add",
                                                     "sub",
                                                     "mul",
                                                     "div",
                                                     "maximum",
                                                     "minimum",
                                                     "max_pool",
                                                     "average_pool",
                                                     "global_average_pool",
                                                     "global_max_pool",
                                                     "dense",
                                                     "matmul",
                                                     "concat",
                                                     "reshape",
                                                     "transpose",
                                                     "softmax",
                                                     "log_softmax",
                                                     "pad",
                                                     "reduce_mean",
                                                     "slice",
                                                     "gather",
                                                     "lrn",
                                                     "channel_shuffle",
                                                     "transform"};
static_assert(static_cast<size_t>(Op::transform) + 1 == kNames.size());

}  // namespace

std::string_view to_text(Op op) { return kNames.at(static_cast<size_t>(op)); }

Result<Op> parse_op(std::string_view text) {
  const auto found = std::find(kNames.begin(), kNames.end(), text);
  if (found == kNames.end()) return fail("no operator is called '" + std::string(text) + "'");
  return static_cast<Op>(found - kNames.begin());
}

bool is_elementwise(Op op) { return op >= Op::relu && op <= Op::minimum; }

bool keeps_finite(Op op) {
  switch (op) {
    case Op::relu:
    case Op::clip:
    case Op::sigmoid:
    case Op::tanh:
    case Op::neg:
    case Op::abs:
    case Op::hard_sigmoid:
    case Op::hard_swish:
      return true;
    default:
      return false;
  }
}

int64_t Node::integer(const std::string& key, int64_t otherwise) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return otherwise;
  const auto* value = std::get_if<int64_t>(&found->second);
  return value ? *value : otherwise;
}

double Node::real(const std::string& key, double otherwise) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return otherwise;
  if (const auto* value = std::get_if<double>(&found->second)) return *value;
  if (const auto* value = std::get_if<int64_t>(&found->second)) return static_cast<double>(*value);
  return otherwise;
}

std::vector<int64_t> Node::integers(const std::string& key) const {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return {};
  const auto* value = std::get_if<std::vector<int64_t>>(&found->second);
  return value ? *value : std::vector<int64_t>{};
}

}  // namespace hone
