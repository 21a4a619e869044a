// Private header. What importers build graphs with: every node is typed as it is added, and evaluated at once
// if all its operands are constants, so that shape arithmetic never reaches the graph.
#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/graph/graph.h"

namespace hone {

class GraphBuilder {
 public:
  /// `reserved`: names that the model uses itself; values that the importer invents get others.
  explicit GraphBuilder(std::set<std::string> reserved = {}) : names_(std::move(reserved)) {}

  const Graph& graph() const { return graph_; }
  const TensorType& type(ValueId id) const { return graph_.values[id].type; }
  const Shape& shape(ValueId id) const { return type(id).shape; }
  /// The data of a constant, or null.
  const Constant* data(ValueId id) const { return graph_.values[id].constant.get(); }
  /// The elements of an int64 constant, or nothing.
  std::optional<std::vector<int64_t>> known_integers(ValueId id) const;
  /// The single element of a float32 or int64 constant, or nothing.
  std::optional<double> known_number(ValueId id) const;

  ValueId input(const std::string& name, TensorType type);
  /// Error: constants are larger than the limit.
  Result<ValueId> constant(const std::string& name, TensorType type, Constant data);
  Result<ValueId> scalar(const std::string& name, float value);
  /// The node's output, or a constant in its place. Names are made unique.
  Result<ValueId> add(Op op, const std::string& name, std::vector<ValueId> inputs,
                      std::map<std::string, Attribute> attributes = {});
  /// `id` itself if it has that shape.
  Result<ValueId> reshape(const std::string& name, ValueId id, Shape shape);
  Result<ValueId> transpose(const std::string& name, ValueId id, std::vector<int64_t> permutation);
  /// For messages: what `name` of the model the nodes added from now on belong to.
  void set_node_name(std::string name) { node_name_ = std::move(name); }
  void add_output(ValueId id, const std::string& name);

  Graph finish(std::string name);

 private:
  ValueId add_value(const std::string& name, TensorType type);

  Graph graph_;
  std::set<std::string> names_, used_;
  std::string node_name_;
  int64_t constant_bytes_ = 0;
};

}  // namespace hone
