// One short line that a person recognises a task by: "conv3x3 s2 3>64 111x111 +relu".
// Not canonical: different tasks may share a summary.
#include "codegen/graph/task.h"

namespace hone {
namespace {

std::string pair(int64_t h, int64_t w) { return std::to_string(h) + "x" + std::to_string(w); }

/// " s2" or " s2x1" if it is not 1 everywhere.
std::string unless_one(const char* prefix, const std::vector<int64_t>& values) {
  if (values.size() != 2 || (values[0] == 1 && values[1] == 1)) return "";
  if (values[0] == values[1]) return std::string(" ") + prefix + std::to_string(values[0]);
  return std::string(" ") + prefix + pair(values[0], values[1]);
}

std::string conv(const Graph& graph, const Node& node) {
  const Shape &x = graph.value(node.inputs[0]).type.shape, &w = graph.value(node.inputs[1]).type.shape;
  const Shape& y = graph.value(node.output).type.shape;
  const int64_t groups = node.integer("groups", 1);
  const bool depthwise = groups > 1 && groups == x[1] && w[0] == groups;
  std::string text = (depthwise ? "dwconv" : "conv") + pair(w[2], w[3]) +
                     unless_one("s", node.integers("strides")) + unless_one("d", node.integers("dilations"));
  if (groups > 1 && !depthwise) text += " g" + std::to_string(groups);
  text += ' ' + (depthwise ? std::to_string(x[1]) : std::to_string(x[1]) + ">" + std::to_string(y[1]));
  return text + ' ' + pair(y[2], y[3]) + (x[0] > 1 ? " n" + std::to_string(x[0]) : "");
}

std::string dense(const Graph& graph, const Node& node) {
  const Shape &x = graph.value(node.inputs[0]).type.shape, &y = graph.value(node.output).type.shape;
  return "dense " + std::to_string(x[1]) + ">" + std::to_string(y[1]) +
         (x[0] > 1 ? " n" + std::to_string(x[0]) : "");
}

std::string pool(const Graph& graph, const Node& node) {
  const auto kernel = node.integers("kernel");
  const Shape& y = graph.value(node.output).type.shape;
  return std::string(to_text(node.op)) + pair(kernel[0], kernel[1]) +
         unless_one("s", node.integers("strides")) + ' ' + std::to_string(y[1]) + ' ' + pair(y[2], y[3]);
}

}  // namespace

std::string summary(const Task& task) {
  const Graph& graph = task.graph;
  const Node& anchor = task.anchor();
  std::string text;
  switch (anchor.op) {
    case Op::conv:
      text = conv(graph, anchor);
      break;
    case Op::dense:
      text = dense(graph, anchor);
      break;
    case Op::max_pool:
    case Op::average_pool:
      text = pool(graph, anchor);
      break;
    case Op::global_average_pool:
    case Op::global_max_pool:
    case Op::reduce_mean:
      text = std::string(to_text(anchor.op)) + ' ' + to_text(graph.value(anchor.inputs[0]).type.shape);
      break;
    default:
      text = std::string(to_text(anchor.op)) + ' ' + to_text(graph.value(anchor.output).type.shape);
  }
  std::string before;
  for (const Node& node : graph.nodes) {
    if (&node < &anchor) before += std::string(to_text(node.op)) + "+ ";
    if (&node > &anchor) text += " +" + std::string(to_text(node.op));
  }
  return before + text;
}

}  // namespace hone
