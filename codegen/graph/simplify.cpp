// All passes in order, until nothing changes.
#include <utility>

#include "codegen/graph/rewrite.h"

namespace hone {
namespace {

struct Pass {
  std::string_view name;
  Graph (*run)(Graph);
};
constexpr Pass kPasses[] = {
    {"fold_constants", fold_constants},
    {"canonicalise", canonicalise},
    {"fold_pad", fold_pad},
    {"fold_batch_norm", fold_batch_norm},
    {"pool_first", pool_first},
    {"channel_shuffle", channel_shuffle},
    {"remove_dead_code", remove_dead_code},
};

}  // namespace

Graph simplify(Graph graph, const PassObserver& observer) {
  std::string before, after = to_text(graph);
  while (before != after) {
    for (const Pass& pass : kPasses) {
      graph = pass.run(std::move(graph));
      if (observer) observer(pass.name, graph);
    }
    before = std::exchange(after, to_text(graph));
  }
  return graph;
}

}  // namespace hone
