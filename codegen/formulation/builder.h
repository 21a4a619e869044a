// Builder: collects the tensors and stages of a formulation and the packing of its constants, then numbers
// them in the order that signatures want. Formulations describe arithmetic; this knows about ports, packing
// and operands of chains.
#pragma once

#include <string>
#include <vector>

#include "codegen/formulation/chain.h"
#include "codegen/formulation/formulation.h"

namespace hone {

class Builder {
 public:
  /// Declares the inputs with their ports, and all logical constants.
  Builder(const Task& task, const Target& target, const Ports& ports);

  int input(ValueId id) const;    ///< tensor of an activation
  int logical(ValueId id) const;  ///< tensor of a logical constant, in `prepare`
  int output();                   ///< the output tensor, with its port
  int scratch(const std::string& name, const Shape& shape, const Layout& layout);

  /// Declares a packed constant, and the stage of `prepare` that fills it: at every point of `axes` (which
  /// span the packed shape, blocks included) `value`, an expression over logical constants.
  int packed(const std::string& name, const Shape& shape, const Layout& layout, ValueRange range,
             std::vector<Axis> axes, std::vector<Index> store, ScalarPtr value);
  /// A constant copied as it is, but with dimension `padded_dimension` (if >= 0) padded to `padded_extent`
  /// with zeros.
  int packed_copy(ValueId id, int padded_dimension = -1, int64_t padded_extent = 0,
                  const Layout* layout = nullptr);

  /// An activation or constant at the output's index, broadcast. Constants are packed to suit an output
  /// blocked by `block`.
  ScalarPtr operand(ValueId id, const std::vector<Index>& output_index, int64_t block);
  OperandReader operand_reader(std::vector<Index> output_index, int64_t block);

  void stage(Stage stage) { run_.stages.push_back(std::move(stage)); }
  /// `value`, but 0 in the padding lanes of the channel axis where that is needed to keep them finite.
  static ScalarPtr masked(ScalarPtr value, const Index& channel, int64_t channels);

  const Task& task() const { return task_; }
  const Ports& ports() const { return ports_; }
  Formulated finish(ErrorBound bound);

 private:
  const Task& task_;
  const Ports& ports_;
  Computation run_, prepare_;
  std::vector<std::pair<ValueId, int>> packed_operands_;
  int output_ = -1;
};

/// The same scalar with every tensor number replaced.
ScalarPtr renumber(const ScalarPtr& scalar, const std::vector<int>& numbers);

/// The same computation with its tensors in the order inputs, constants, outputs, scratch.
Computation in_role_order(const Computation& computation);

/// Axes named after `names` with the extents of `shape`.
std::vector<Axis> axes_of(const std::vector<std::string>& names, const Shape& shape);
std::vector<Index> indices_of(const std::vector<Axis>& axes);
/// Names for the dimensions of plain tensors: d0, d1, ...
std::vector<std::string> dimension_names(size_t rank);

}  // namespace hone
