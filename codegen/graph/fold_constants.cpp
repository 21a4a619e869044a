// Constant folding: a node whose operands all have data becomes a constant.
// A node that makes an output of the graph stays, and so does one that the evaluator does not know.
#include "codegen/graph/evaluate.h"
#include "codegen/graph/rewrite.h"

namespace hone {

Graph fold_constants(Graph graph) {
  Rewriter rewriter(std::move(graph));
  for (const Node& node : rewriter.nodes()) {
    std::vector<const Constant*> operands;
    for (const ValueId id : node.inputs)
      if (const auto& data = rewriter.value(id).constant) operands.push_back(data.get());
    std::optional<Constant> result;
    if (operands.size() == node.inputs.size() && !rewriter.is_output(node.output)) {
      Graph types;  // the evaluator needs the operands' types only
      Node call = node;
      for (ValueId& id : call.inputs) {
        types.values.push_back({"", rewriter.value(id).type, {}, true, nullptr});
        id = static_cast<ValueId>(types.values.size()) - 1;
      }
      result = evaluate(types, call, rewriter.value(node.output).type, operands);
    }
    if (result)
      rewriter.make_constant(node.output, std::move(*result));
    else
      rewriter.push(node);
  }
  return rewriter.finish();
}

}  // namespace hone
