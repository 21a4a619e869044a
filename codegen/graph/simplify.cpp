// All passes in order, until nothing changes.
#include <utility>

#include "codegen/graph/rewrite.h"

namespace hone {

Graph simplify(Graph graph) {
  constexpr Graph (*kPasses[])(Graph) = {fold_constants, canonicalise,    fold_pad,        fold_batch_norm,
                                         pool_first,     channel_shuffle, remove_dead_code};
  std::string before, after = to_text(graph);
  while (before != after) {
    for (const auto pass : kPasses) graph = pass(std::move(graph));
    before = std::exchange(after, to_text(graph));
  }
  return graph;
}

}  // namespace hone
