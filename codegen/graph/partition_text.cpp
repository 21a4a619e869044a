// A partition as text: what each operator is, what it covers and which values of the graph it binds.
#include <algorithm>

#include "codegen/graph/task.h"

namespace hone {
namespace {

std::string padded(std::string text, size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

/// " x=%input w=%conv0.w": the task's name of each value that it reads, and the graph's.
std::string bindings(const Graph& graph, const FusedOp& op) {
  std::string text;
  const auto add = [&](ValueId whole, const Value& own) {
    text += " " + own.name + "=%" + graph.value(whole).name;
  };
  for (size_t i = 0; i < op.inputs.size(); ++i)
    add(op.inputs[i], op.task.graph.value(op.task.graph.inputs[i]));
  size_t next = 0;
  for (const Value& value : op.task.graph.values)
    if (value.is_constant) add(op.constants[next++], value);
  return text;
}

}  // namespace

std::string to_text(const Graph& graph, const std::vector<FusedOp>& ops) {
  size_t title_width = 0, name_width = 0;
  for (const FusedOp& op : ops) {
    title_width = std::max(title_width, summary(op.task).size());
    name_width = std::max(name_width, op.name.size());
  }
  std::string text;
  for (size_t i = 0; i < ops.size(); ++i) {
    const FusedOp& op = ops[i];
    text += padded(std::to_string(i), 4) + padded(summary(op.task), title_width + 2) +
            padded(op.name, name_width + 2) + "task " + op.task.key.hex(12) + "\n    %" +
            graph.value(op.output).name + " from" + bindings(graph, op) + ":";
    for (size_t k = 0; k < op.nodes.size(); ++k) {
      const Node& node = graph.nodes[static_cast<size_t>(op.nodes[k])];
      text += (k == 0 ? " " : ", ") + std::string(to_text(node.op)) + " %" + graph.value(node.output).name;
    }
    text += '\n';
  }
  return text;
}

}  // namespace hone
