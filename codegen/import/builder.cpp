// Typing, naming and eager evaluation of the nodes that importers add.
// See builder.h.
#include "codegen/import/builder.h"

#include <algorithm>

#include "codegen/graph/evaluate.h"

namespace hone {
namespace {

constexpr int64_t kMaxConstantBytes = int64_t{8} << 30;
constexpr int64_t kMaxOperandElements = int64_t{1} << 36;  // as verify() allows
constexpr int64_t kMaxEvaluatedElements = int64_t{1} << 30;

/// Element count, or nothing if it exceeds `most` or an extent is negative.
std::optional<int64_t> bounded_count(const Shape& shape, int64_t most) {
  int64_t count = 1;
  for (const int64_t extent : shape) {
    if (extent < 0 || (extent > 0 && count > most / extent)) return std::nullopt;
    count *= extent;
  }
  return count;
}

}  // namespace

std::optional<std::vector<int64_t>> GraphBuilder::known_integers(ValueId id) const {
  if (!data(id) || type(id).dtype != DType::i64) return std::nullopt;
  const auto values = integers(*data(id));
  return std::vector<int64_t>(values.begin(), values.end());
}

std::optional<double> GraphBuilder::known_number(ValueId id) const {
  if (!data(id) || element_count(shape(id)) != 1) return std::nullopt;
  if (type(id).dtype == DType::i64) return static_cast<double>(integers(*data(id))[0]);
  return floats(*data(id))[0];
}

ValueId GraphBuilder::add_value(const std::string& name, TensorType type) {
  std::string unique = name;
  for (int i = 1; !used_.insert(unique).second || (i > 1 && names_.count(unique)); ++i)
    unique = name + "." + std::to_string(i);
  graph_.values.push_back({std::move(unique), std::move(type), {}, false, nullptr});
  return static_cast<ValueId>(graph_.values.size()) - 1;
}

ValueId GraphBuilder::input(const std::string& name, TensorType type) {
  const ValueId id = add_value(name, std::move(type));
  graph_.inputs.push_back(id);
  return id;
}

Result<ValueId> GraphBuilder::constant(const std::string& name, TensorType type, Constant data) {
  HONE_CHECK(static_cast<int64_t>(data.bytes.size()) == element_count(type.shape) * size_of(type.dtype));
  constant_bytes_ += static_cast<int64_t>(data.bytes.size());
  if (constant_bytes_ > kMaxConstantBytes) return fail("the constants are larger than 8 GiB", name);
  const ValueId id = add_value(name, std::move(type));
  graph_.values[id].is_constant = true;
  graph_.values[id].constant = std::make_shared<Constant>(std::move(data));
  return id;
}

Result<ValueId> GraphBuilder::scalar(const std::string& name, float value) {
  return constant(name, {DType::f32, {}}, constant_of(std::span<const float>(&value, 1)));
}

Result<ValueId> GraphBuilder::add(Op op, const std::string& name, std::vector<ValueId> inputs,
                                  std::map<std::string, Attribute> attributes) {
  Node node{op, node_name_, std::move(inputs), -1, std::move(attributes)};
  std::vector<const Constant*> operands;
  for (const ValueId id : node.inputs) {
    if (element_count(shape(id)) == 0) return fail("an operand is empty");
    if (element_count(shape(id)) > kMaxOperandElements)
      return fail("an operand of shape " + to_text(shape(id)) + " is too large");
    if (data(id)) operands.push_back(data(id));
  }
  HONE_TRY(TensorType type, infer_type(graph_, node));
  if (operands.size() == node.inputs.size()) {
    if (!bounded_count(type.shape, kMaxEvaluatedElements))
      return fail("a constant of shape " + to_text(type.shape) + " is too large");
    if (auto result = evaluate(graph_, node, type, operands))
      return constant(name, std::move(type), std::move(*result));
  }
  node.output = add_value(name, std::move(type));
  graph_.nodes.push_back(std::move(node));
  return graph_.nodes.back().output;
}

Result<ValueId> GraphBuilder::reshape(const std::string& name, ValueId id, Shape shape) {
  if (this->shape(id) == shape) return id;
  return add(Op::reshape, name, {id}, {{"shape", std::move(shape)}});
}

Result<ValueId> GraphBuilder::transpose(const std::string& name, ValueId id,
                                        std::vector<int64_t> permutation) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return id;
  return add(Op::transpose, name, {id}, {{"permutation", std::move(permutation)}});
}

void GraphBuilder::add_output(ValueId id, const std::string& name) {
  graph_.outputs.push_back(id);
  const auto other = std::find_if(graph_.values.begin(), graph_.values.end(),
                                  [&](const Value& v) { return v.name == name; });
  if (other == graph_.values.end())
    graph_.values[id].name = name;
  else
    std::swap(other->name, graph_.values[id].name);
}

Graph GraphBuilder::finish(std::string name) {
  graph_.name = std::move(name);
  return std::move(graph_);
}

}  // namespace hone
