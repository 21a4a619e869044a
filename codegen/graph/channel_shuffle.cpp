// A reshape that divides the channels into groups, a transpose of groups and members, and a reshape back are
// one permutation of channels (ShuffleNet). As one operator it needs no plain layout on both sides.
#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

/// Groups that lanes of any target fall into evenly; others stay a transpose.
bool is_even(int64_t groups) { return groups == 2 || groups == 4 || groups == 8; }

/// Whether `divided` is `image` with its channels as groups x members, pixels in any number of dimensions.
bool divides_channels(const Shape& image, const Shape& divided) {
  if (image.size() != 4 || divided.size() < 4 || divided[0] != image[0]) return false;
  return divided[1] * divided[2] == image[1] && is_even(divided[1]);
}

bool swaps_groups_and_members(const std::vector<int64_t>& permutation) {
  for (size_t d = 0; d < permutation.size(); ++d) {
    const size_t swapped = d == 1 ? 2 : d == 2 ? 1 : d;
    if (permutation[d] != static_cast<int64_t>(swapped)) return false;
  }
  return permutation.size() > 2;
}

/// Slices of channels read plain layout, as the transpose writes it.
bool is_sliced(const Graph& graph, const std::vector<NodeId>& readers) {
  for (const NodeId reader : readers)
    if (graph.nodes[static_cast<size_t>(reader)].op == Op::slice) return true;
  return false;
}

}  // namespace

Graph channel_shuffle(Graph graph) {
  std::vector<bool> sliced;
  for (const std::vector<NodeId>& readers : graph.consumers()) sliced.push_back(is_sliced(graph, readers));
  Rewriter rewriter(std::move(graph));
  const std::vector<Node> nodes = rewriter.nodes();
  for (const Node& node : nodes) {
    const Node* transpose = node.op == Op::reshape ? rewriter.only_for_us(node.inputs[0]) : nullptr;
    const Node* divide = transpose && transpose->op == Op::transpose &&
                                 swaps_groups_and_members(transpose->integers("permutation"))
                             ? rewriter.only_for_us(transpose->inputs[0])
                             : nullptr;
    const Shape& shape = rewriter.value(node.output).type.shape;
    if (!divide || divide->op != Op::reshape || sliced[static_cast<size_t>(node.output)] ||
        rewriter.value(divide->inputs[0]).type.shape != shape ||
        !divides_channels(shape, rewriter.value(divide->output).type.shape)) {
      rewriter.push(node);
      continue;
    }
    const int64_t groups = rewriter.value(divide->output).type.shape[1];
    rewriter.push(
        {Op::channel_shuffle, transpose->name, {divide->inputs[0]}, node.output, {{"groups", groups}}});
  }
  return rewriter.finish();
}

}  // namespace hone
