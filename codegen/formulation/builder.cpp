// Tensors, packing and operands of a formulation, see builder.h.
#include "codegen/formulation/builder.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "codegen/formulation/blocks.h"

namespace hone {

namespace {

using Renumbered = std::map<const Scalar*, ScalarPtr>;

ScalarPtr renumber_shared(const ScalarPtr& scalar, const std::vector<int>& numbers, Renumbered& done) {
  if (!scalar) return scalar;
  auto& result = done[scalar.get()];
  if (result) return result;
  auto copy = std::make_shared<Scalar>(*scalar);
  if (copy->op == ScalarOp::read) copy->tensor = numbers.at(copy->tensor);
  for (auto& arg : copy->args) arg = renumber_shared(arg, numbers, done);
  return done[scalar.get()] = copy;
}

}  // namespace

ScalarPtr renumber(const ScalarPtr& scalar, const std::vector<int>& numbers) {
  Renumbered done;
  return renumber_shared(scalar, numbers, done);
}

Computation in_role_order(const Computation& computation) {
  std::vector<int> order(computation.tensors.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return computation.tensors[static_cast<size_t>(a)].role <
           computation.tensors[static_cast<size_t>(b)].role;
  });
  std::vector<int> numbers(order.size());
  Computation result;
  result.arithmetic = computation.arithmetic;
  for (size_t i = 0; i < order.size(); ++i) {
    numbers[static_cast<size_t>(order[i])] = static_cast<int>(i);
    result.tensors.push_back(computation.tensors[static_cast<size_t>(order[i])]);
  }
  for (Stage stage : computation.stages) {
    stage.output = numbers[static_cast<size_t>(stage.output)];
    stage.value = renumber(stage.value, numbers);
    if (stage.reduction) stage.reduction->update = renumber(stage.reduction->update, numbers);
    result.stages.push_back(std::move(stage));
  }
  return result;
}

std::vector<Axis> axes_of(const std::vector<std::string>& names, const Shape& shape) {
  std::vector<Axis> axes;
  for (size_t d = 0; d < shape.size(); ++d) axes.push_back({names.at(d), shape[d]});
  return axes;
}

std::vector<Index> indices_of(const std::vector<Axis>& axes) {
  std::vector<Index> indices;
  for (const Axis& axis : axes) indices.push_back(Index::axis(axis.name));
  return indices;
}

std::vector<std::string> dimension_names(size_t rank) {
  std::vector<std::string> names;
  for (size_t d = 0; d < rank; ++d) names.push_back("d" + std::to_string(d));
  return names;
}

Builder::Builder(const Task& task, const Target&, const Ports& ports) : task_(task), ports_(ports) {
  for (size_t i = 0; i < task.graph.inputs.size(); ++i) {
    const ValueId id = task.graph.inputs[i];
    const Value& value = task.graph.value(id);
    run_.tensors.push_back({value.name, Role::input, value.type, ports.inputs.at(i).layout,
                            ports.inputs.at(i).placement, range_for(task, id), 0});
  }
  for (const ValueId id : constants_of(task)) {
    const Value& value = task.graph.value(id);
    TensorType type = value.type;
    type.dtype = DType::f32;  // logical constants are float32 for every task
    prepare_.tensors.push_back({value.name,
                                Role::input,
                                type,
                                Layout::plain(static_cast<int>(type.shape.size())),
                                {},
                                range_for(task, id),
                                0});
  }
}

int Builder::input(ValueId id) const {
  const auto& inputs = task_.graph.inputs;
  const auto at = std::find(inputs.begin(), inputs.end(), id);
  HONE_CHECK(at != inputs.end());
  return static_cast<int>(at - inputs.begin());
}

int Builder::logical(ValueId id) const {
  const auto constants = constants_of(task_);
  const auto at = std::find(constants.begin(), constants.end(), id);
  HONE_CHECK(at != constants.end());
  return static_cast<int>(at - constants.begin());
}

int Builder::output() {
  if (output_ < 0) {
    const Value& value = task_.graph.value(task_.graph.outputs.front());
    output_ = static_cast<int>(run_.tensors.size());
    run_.tensors.push_back(
        {value.name, Role::output, value.type, ports_.output.layout, ports_.output.placement, {}, 0});
  }
  return output_;
}

int Builder::scratch(const std::string& name, const Shape& shape, const Layout& layout) {
  run_.tensors.push_back({name, Role::scratch, {DType::f32, shape}, layout, {}, {}, 0});
  return static_cast<int>(run_.tensors.size()) - 1;
}

int Builder::packed(const std::string& name, const Shape& shape, const Layout& layout, ValueRange range,
                    std::vector<Axis> axes, std::vector<Index> store, ScalarPtr value) {
  const std::string packed_name = name + ".packed";
  const int target = static_cast<int>(prepare_.tensors.size());
  prepare_.tensors.push_back({packed_name, Role::output, {DType::f32, shape}, layout, {}, range, 0});
  prepare_.stages.push_back(
      {"pack." + name, target, std::move(axes), std::move(store), {}, std::move(value)});
  run_.tensors.push_back({packed_name, Role::constant, {DType::f32, shape}, layout, {}, range, 0});
  return static_cast<int>(run_.tensors.size()) - 1;
}

int Builder::packed_copy(ValueId id, int padded_dimension, int64_t padded_extent, const Layout* layout) {
  const Value& value = task_.graph.value(id);
  Shape shape = value.type.shape;
  std::optional<double> outside;
  if (padded_dimension >= 0 && shape[padded_dimension] != padded_extent) {
    shape[padded_dimension] = padded_extent;
    outside = 0;
  }
  const auto axes = axes_of(dimension_names(shape.size()), shape);
  const auto index = indices_of(axes);
  return packed(value.name, shape, layout ? *layout : Layout::plain(static_cast<int>(shape.size())),
                range_for(task_, id), axes, index, scalar::read(logical(id), index, outside));
}

ScalarPtr Builder::operand(ValueId id, const std::vector<Index>& output_index, int64_t block) {
  const Value& value = task_.graph.value(id);
  const Shape& shape = value.type.shape;
  const int channel = static_cast<int>(shape.size()) - 3;  // the channel of an operand of a rank-4 output
  const bool blocked = block > 1 && output_index.size() == 4 && channel >= 0 && shape[channel] > 1;
  if (!value.is_constant) {
    // The output's padding lanes may reach beyond an operand whose channels are in smaller blocks or in none.
    const bool short_of_lanes =
        blocked && round_up(shape[channel], block) >
                       round_up(shape[channel], block_of(run_.tensors[input(id)].layout, channel));
    return scalar::read(input(id), broadcast_index(shape, output_index),
                        short_of_lanes ? std::optional<double>(0) : std::nullopt);
  }
  int tensor = -1;
  for (const auto& [packed_id, packed_tensor] : packed_operands_)
    if (packed_id == id) tensor = packed_tensor;
  if (tensor < 0) {
    if (blocked) {
      Layout layout = Layout::plain(static_cast<int>(shape.size()));
      layout.blocks.push_back({channel, block});
      tensor = packed_copy(id, channel, round_up(shape[channel], block), &layout);
    } else {
      tensor = packed_copy(id);
    }
    packed_operands_.push_back({id, tensor});
  }
  return scalar::read(tensor, broadcast_index(shape, output_index));
}

OperandReader Builder::operand_reader(std::vector<Index> output_index, int64_t block) {
  return [this, output_index = std::move(output_index), block](ValueId id) {
    return operand(id, output_index, block);
  };
}

ScalarPtr Builder::masked(ScalarPtr value, const Index& channel, int64_t channels) {
  return scalar::select_less(scalar::from_index(channel), scalar::constant(static_cast<double>(channels)),
                             std::move(value), scalar::constant(0));
}

Formulated Builder::finish(ErrorBound bound) {
  HONE_CHECK(output_ >= 0);
  Formulated result;
  result.run = in_role_order(run_);
  result.prepare = prepare_;
  // Constants that are computed, not copied, are computed in float64: their errors would count in every
  // element.
  for (const Stage& stage : prepare_.stages)
    if (stage.value->op != ScalarOp::read) result.prepare.arithmetic = DType::f64;
  if (prepare_.stages.empty()) result.prepare = {};
  result.bound = bound;
  return result;
}

}  // namespace hone
