// Zero padding of height and width belongs to the convolution that reads it, or to the average pool that then
// counts it.
#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

/// [h before, w before, h after, w after] of a padding node that touches nothing else.
std::optional<std::vector<int64_t>> spatial_pads(const Node& node) {
  const auto pads = node.integers("pads");
  if (node.op != Op::pad || pads.size() != 8 || node.real("value", 0) != 0) return std::nullopt;
  if (pads[0] != 0 || pads[1] != 0 || pads[4] != 0 || pads[5] != 0) return std::nullopt;
  return std::vector<int64_t>{pads[2], pads[3], pads[6], pads[7]};
}

}  // namespace

Graph fold_pad(Graph graph) {
  Rewriter rewriter(std::move(graph));
  const std::vector<Node> nodes = rewriter.nodes();
  for (Node node : nodes) {
    const bool pools = node.op == Op::average_pool;
    const Node* before = pools || node.op == Op::conv ? rewriter.maker(node.inputs[0]) : nullptr;
    const auto added = before ? spatial_pads(*before) : std::nullopt;
    auto pads = node.integers("pads");
    pads.resize(4, 0);
    const bool counted = node.integer("include_pad", 0) != 0 || pads == std::vector<int64_t>(4, 0);
    if (added && (!pools || counted)) {
      for (size_t i = 0; i < 4; ++i) pads[i] += (*added)[i];
      node.attributes["pads"] = pads;
      if (pools) node.attributes["include_pad"] = int64_t{1};
      node.inputs[0] = before->inputs[0];
    }
    rewriter.push(std::move(node));
  }
  return rewriter.finish();
}

}  // namespace hone
