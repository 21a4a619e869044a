// Private header. What the passes share: a graph whose nodes are written out again one by one, with makers
// and readers at hand.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codegen/graph/graph.h"

namespace hone {

class Rewriter {
 public:
  /// Takes the nodes out of the graph; each is to be given to `push`, changed, replaced or left out.
  explicit Rewriter(Graph graph);

  const std::vector<Node>& nodes() const { return nodes_; }
  const Value& value(ValueId id) const { return graph_.values[id]; }

  void push(Node node);
  /// The node pushed so far that makes `id`, or null.
  Node* maker(ValueId id);
  /// As `maker`, but only if its result is read once and is no output: then it may be changed or absorbed.
  Node* only_for_us(ValueId id);
  bool is_output(ValueId id) const { return outputs_.count(id) != 0; }

  ValueId add_value(const std::string& name, TensorType type);
  ValueId add_constant(const std::string& name, const Shape& shape, const std::vector<double>& values);
  void make_constant(ValueId id, Constant data);

  /// `node`, already pushed, makes `output` instead of its old result, which must have been read once.
  void rename_output(Node& node, ValueId output);
  /// All later readers of `old` read `by` instead. An output keeps its name. False (nothing done) if `old` is
  /// an output and `by` cannot take its place: an input, a constant or itself an output.
  bool replace(ValueId old, ValueId by);
  Graph finish();

 private:
  ValueId resolve(ValueId id) const;

  Graph graph_;
  std::vector<Node> nodes_;
  std::vector<int> maker_, uses_;
  std::vector<ValueId> replaced_by_;
  std::set<ValueId> outputs_;
  std::set<std::string> names_;
};

/// A float32 constant with data that differs along dimension 1 of `type` only (or not at all): one number per
/// channel.
std::optional<std::vector<double>> per_channel(const Value& constant, const TensorType& type);

Graph fold_affine(Graph graph);  ///< per-channel mul, add, sub, div by constants: into the weights before, or
                                 ///< into one another
Graph fold_pad(Graph graph);     ///< zero padding into the convolution or average pool that reads it
Graph pool_first(Graph graph);   ///< means over pixels before the 1x1 convolutions whose results they are of
Graph canonicalise(
    Graph graph);  ///< other spellings of an operator: whole means and pools, hard_swish, clip as relu

}  // namespace hone
