// Local response normalisation across channels, plain layout: x / (bias + alpha / size * sum of
// squares)^beta.
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{4e-6, 16};

bool applies(const Task& task, const Target&) {
  return anchor_is(task, Op::lrn) && fits(task, 1, 0) && operand_shape(task, 0).size() >= 2;
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const Node& node = task.anchor();
  const Shape& shape = anchor_shape(task);
  Builder builder(task, target, ports);
  const int x = builder.input(node.inputs[0]);
  const int64_t size = node.integer("size", 5);
  Stage stage;
  stage.name = "lrn";
  stage.axes = axes_of(dimension_names(shape.size()), shape);
  stage.store_index = indices_of(stage.axes);
  std::vector<Index> near = stage.store_index;
  near[1] = near[1] + Index::axis("k") - (size - 1) / 2;
  auto neighbour = scalar::read(x, near, 0);
  stage.reduction =
      Reduction{{{"k", size}}, Combiner::sum, scalar::binary(ScalarOp::mul, neighbour, neighbour)};
  auto base =
      scalar::binary(ScalarOp::add, scalar::constant(node.real("bias", 1)),
                     scalar::binary(ScalarOp::mul, scalar::accumulator(),
                                    scalar::constant(node.real("alpha", 1e-4) / static_cast<double>(size))));
  auto power = scalar::unary(ScalarOp::exp, scalar::binary(ScalarOp::mul, scalar::unary(ScalarOp::log, base),
                                                           scalar::constant(-node.real("beta", 0.75))));
  auto value = scalar::binary(ScalarOp::mul, scalar::read(x, stage.store_index), power);
  stage.value = chain_value(task, value, builder.operand_reader(stage.store_index, 1));
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(kBound);
}

}  // namespace

Formulation lrn_formulation() {
  Formulation f = plain_formulation<formulate>("lrn");
  f.applies = applies;
  return f;
}

}  // namespace hone
