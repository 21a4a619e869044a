// The passes' common ground: see rewrite.h.
#include "codegen/graph/rewrite.h"

#include <algorithm>

#include "codegen/graph/evaluate.h"

namespace hone {

Rewriter::Rewriter(Graph graph) : graph_(std::move(graph)), nodes_(std::move(graph_.nodes)) {
  graph_.nodes.clear();
  maker_.assign(graph_.values.size(), -1);
  uses_.assign(graph_.values.size(), 0);
  replaced_by_.assign(graph_.values.size(), -1);
  for (const Node& node : nodes_)
    for (const ValueId id : node.inputs) ++uses_[id];
  outputs_.insert(graph_.outputs.begin(), graph_.outputs.end());
  for (const Value& value : graph_.values) names_.insert(value.name);
}

ValueId Rewriter::resolve(ValueId id) const {
  while (replaced_by_[id] >= 0) id = replaced_by_[id];
  return id;
}

void Rewriter::push(Node node) {
  for (ValueId& id : node.inputs) id = resolve(id);
  maker_[node.output] = static_cast<int>(graph_.nodes.size());
  graph_.nodes.push_back(std::move(node));
}

Node* Rewriter::maker(ValueId id) {
  id = resolve(id);
  return maker_[id] < 0 ? nullptr : &graph_.nodes[maker_[id]];
}

Node* Rewriter::only_for_us(ValueId id) {
  id = resolve(id);
  return uses_[id] == 1 && !is_output(id) ? maker(id) : nullptr;
}

ValueId Rewriter::add_value(const std::string& name, TensorType type) {
  std::string unique = name;
  for (int i = 1; !names_.insert(unique).second; ++i) unique = name + "." + std::to_string(i);
  graph_.values.push_back({std::move(unique), std::move(type), {}, false, nullptr});
  maker_.push_back(-1);
  uses_.push_back(1);
  replaced_by_.push_back(-1);
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

ValueId Rewriter::add_constant(const std::string& name, const Shape& shape,
                               const std::vector<double>& values) {
  const std::vector<float> rounded(values.begin(), values.end());
  const ValueId id = add_value(name, {DType::f32, shape});
  make_constant(id, constant_of(rounded));
  return id;
}

void Rewriter::make_constant(ValueId id, Constant data) {
  graph_.values[id].is_constant = true;
  graph_.values[id].constant = std::make_shared<Constant>(std::move(data));
}

void Rewriter::rename_output(Node& node, ValueId output) {
  maker_[output] = maker_[node.output];
  maker_[node.output] = -1;
  node.output = output;
}

bool Rewriter::replace(ValueId old, ValueId by) {
  by = resolve(by);
  if (is_output(old)) {
    if (is_output(by) || maker_[by] < 0) return false;
    for (ValueId& id : graph_.outputs)
      if (id == old) id = by;
    outputs_.erase(old);
    outputs_.insert(by);
    std::swap(graph_.values[old].name, graph_.values[by].name);
  }
  replaced_by_[old] = by;
  uses_[by] += uses_[old] - 1;
  return true;
}

Graph Rewriter::finish() { return std::move(graph_); }

std::optional<std::vector<double>> per_channel(const Value& constant, const TensorType& type) {
  const Shape& shape = constant.type.shape;
  if (!constant.constant || constant.type.dtype != DType::f32 || type.shape.size() < 2 ||
      shape.size() > type.shape.size())
    return std::nullopt;
  const int64_t channels = type.shape[1];
  for (size_t i = 0; i < shape.size(); ++i) {
    const bool is_channel = i + type.shape.size() - shape.size() == 1;
    if (shape[i] != 1 && !(is_channel && shape[i] == channels)) return std::nullopt;
  }
  const auto data = floats(*constant.constant);
  if (data.size() == 1) return std::vector<double>(static_cast<size_t>(channels), data[0]);
  return std::vector<double>(data.begin(), data.end());
}

}  // namespace hone
