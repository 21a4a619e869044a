// Softmax and its logarithm in plain layout along any axis: maximum, exponentials, sum, quotient, as stages
// with scratch. Along the last axis the reductions first run lane by lane, then over the lanes.
#include <limits>

#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{4e-6, 16};
constexpr double kLowest = std::numeric_limits<float>::lowest();

bool applies(const Task& task, const Target&) {
  return (anchor_is(task, Op::softmax) || anchor_is(task, Op::log_softmax)) && fits(task, 1, 0) &&
         !operand_shape(task, 0).empty();
}

struct SoftmaxBuilder {
  Builder& builder;
  Shape shape;
  size_t axis;
  int64_t lanes;
  std::vector<std::string> names;
  std::vector<Axis> axes;  ///< of the whole tensor
  std::vector<Index> whole, collapsed;

  SoftmaxBuilder(Builder& b, const Task& task, const Target& target) : builder(b), shape(anchor_shape(task)) {
    const int64_t a = task.anchor().integer("axis", -1);
    axis = static_cast<size_t>(a < 0 ? a + static_cast<int64_t>(shape.size()) : a);
    lanes = target.lanes();
    names = dimension_names(shape.size());
    axes = axes_of(names, shape);
    whole = indices_of(axes);
    collapsed = whole;
    collapsed[axis] = 0;
  }

  /// Combines tensor `from` along the axis into a scratch tensor of extent 1 there.
  int reduce(const std::string& name, int from, Combiner combiner) {
    int64_t extent = shape[axis];
    if (axis + 1 == shape.size() && extent >= 2 * lanes) {
      const int64_t rounds = (extent + lanes - 1) / lanes;
      const std::optional<double> outside =
          extent % lanes == 0 ? std::nullopt : std::optional<double>(combiner == Combiner::sum ? 0 : kLowest);
      std::vector<Index> at = whole;
      at[axis] = Index::axis("k") * lanes + Index::axis(names[axis]);
      from = reduced(name + ".lanes", lanes, {{"k", rounds}}, scalar::read(from, at, outside), combiner);
      extent = lanes;
    }
    std::vector<Index> at = whole;
    at[axis] = Index::axis("k");
    return reduced(name, 1, {{"k", extent}}, scalar::read(from, at), combiner);
  }

  int reduced(const std::string& name, int64_t extent, std::vector<Axis> over, ScalarPtr update,
              Combiner combiner) {
    Stage stage;
    stage.name = name;
    Shape small = shape;
    small[axis] = extent;
    stage.axes = axes_of(names, small);
    stage.store_index = indices_of(stage.axes);
    stage.reduction = Reduction{std::move(over), combiner, std::move(update)};
    stage.value = scalar::accumulator();
    stage.output = builder.scratch(name, small, Layout::plain(static_cast<int>(shape.size())));
    builder.stage(stage);
    return stage.output;
  }

  int map(const std::string& name, ScalarPtr value, int output = -1) {
    Stage stage;
    stage.name = name;
    stage.axes = axes;
    stage.store_index = whole;
    stage.value = std::move(value);
    stage.output =
        output >= 0 ? output : builder.scratch(name, shape, Layout::plain(static_cast<int>(shape.size())));
    builder.stage(stage);
    return stage.output;
  }
};

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  Builder builder(task, target, ports);
  SoftmaxBuilder s(builder, task, target);
  const int x = builder.input(task.anchor().inputs[0]);
  const int top = s.reduce("top", x, Combiner::maximum);
  auto centred = scalar::binary(ScalarOp::sub, scalar::read(x, s.whole), scalar::read(top, s.collapsed));
  const int powers = s.map("powers", scalar::unary(ScalarOp::exp, centred));
  const int total = s.reduce("total", powers, Combiner::sum);
  auto sum = scalar::read(total, s.collapsed);
  auto value = anchor_is(task, Op::softmax)
                   ? scalar::binary(ScalarOp::div, scalar::read(powers, s.whole), sum)
                   : scalar::binary(ScalarOp::sub, centred, scalar::unary(ScalarOp::log, sum));
  value = chain_value(task, value, builder.operand_reader(s.whole, 1));
  s.map("normalise", value, builder.output());
  return builder.finish(kBound);
}

}  // namespace

Formulation softmax_formulation() {
  Formulation f = plain_formulation<formulate>("softmax");
  f.applies = applies;
  return f;
}

}  // namespace hone
