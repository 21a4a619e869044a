// Products of two activations, or of ranks above 2: plain layouts, batch dimensions broadcast, a tile of rows
// x one vector.
#include <algorithm>

#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"

namespace hone {
namespace {

bool applies(const Task& task, const Target&) {
  if (!anchor_is(task, Op::matmul) && !anchor_is(task, Op::dense)) return false;
  if (!fits(task, 1, 1) && !fits(task, 2, 0)) return false;
  const bool ranks = operand_shape(task, 0).size() >= 2 && operand_shape(task, 1).size() >= 2;
  return ranks && (anchor_is(task, Op::matmul) || task.anchor().inputs.size() == 2);
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const Node& node = task.anchor();
  const Shape& a = operand_shape(task, 0);
  const Shape& y = anchor_shape(task);
  Builder builder(task, target, ports);
  const size_t rank = y.size();
  auto names = dimension_names(rank);
  names[rank - 2] = "m";
  names[rank - 1] = "n";
  Stage stage;
  stage.name = "matmul";
  stage.axes = axes_of(names, y);
  stage.store_index = indices_of(stage.axes);
  const Index k = Index::axis("k");
  const auto read = [&](size_t operand, const Index& row, const Index& column) {
    const ValueId id = node.inputs[operand];
    const Shape& shape = task.graph.value(id).type.shape;
    const int tensor = task.graph.value(id).is_constant ? builder.packed_copy(id) : builder.input(id);
    auto index = broadcast_index(shape, stage.store_index);
    index[shape.size() - 2] = row;
    index[shape.size() - 1] = column;
    return scalar::read(tensor, index);
  };
  const bool transposed = node.integer("transpose_b", 0) != 0;
  const Index m = Index::axis("m"), n = Index::axis("n");
  auto product = scalar::binary(ScalarOp::mul, read(0, m, k), transposed ? read(1, n, k) : read(1, k, n));
  stage.reduction = Reduction{{{"k", a.back()}}, Combiner::sum, product};
  stage.value = chain_value(task, scalar::accumulator(), builder.operand_reader(stage.store_index, 1));
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(sum_bound(a.back()));
}

}  // namespace

Formulation matmul_formulation() {
  Formulation f = plain_formulation<formulate>("matmul");
  f.applies = applies;
  return f;
}

}  // namespace hone
