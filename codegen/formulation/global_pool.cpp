// Means and maxima over whole images: global pooling and reduce_mean over any axes. Over h and w the input
// stays in NCHW[V]c and every lane is a channel; over other axes everything is plain.
#include <algorithm>
#include <limits>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"

namespace hone {
namespace {

std::vector<int64_t> reduced_axes(const Task& task) {
  const Node& node = task.anchor();
  if (node.op != Op::reduce_mean) return {2, 3};
  std::vector<int64_t> axes = node.integers("axes");
  const auto rank = static_cast<int64_t>(operand_shape(task, 0).size());
  if (axes.empty())
    for (int64_t d = 0; d < rank; ++d) axes.push_back(d);
  for (int64_t& axis : axes)
    if (axis < 0) axis += rank;
  std::sort(axes.begin(), axes.end());
  return axes;
}

bool spatial(const Task& task) {
  return operand_shape(task, 0).size() == 4 && reduced_axes(task) == std::vector<int64_t>{2, 3};
}

bool applies(const Task& task, const Target&) {
  const bool global = anchor_is(task, Op::global_average_pool) || anchor_is(task, Op::global_max_pool);
  return (global || anchor_is(task, Op::reduce_mean)) && fits(task, 1, 0) &&
         (!global || operand_shape(task, 0).size() == 4);
}

Ports layouts(const Task& task, const Target& target) {
  return spatial(task) ? blocked_ports(task, target) : plain_ports(task, target);
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const Node& node = task.anchor();
  const Shape& shape = operand_shape(task, 0);
  const auto reduced = reduced_axes(task);
  const bool keep = node.op != Op::reduce_mean || node.integer("keep_dims", node.integer("keepdims", 1)) != 0;
  Builder builder(task, target, ports);
  const int x = builder.input(node.inputs[0]);
  const int64_t block = output_type(task).shape.size() == 4 ? block_of(ports.output.layout, 1) : 1;
  Stage stage;
  stage.name = "mean";
  Reduction reduction;
  std::vector<Index> read(shape.size());
  double count = 1;
  int64_t channels = shape.size() > 1 ? shape[1] : 1;
  for (size_t d = 0; d < shape.size(); ++d) {
    std::string name = shape.size() == 4 ? std::string(1, "nchw"[d]) : "d" + std::to_string(d);
    const bool gone = std::find(reduced.begin(), reduced.end(), static_cast<int64_t>(d)) != reduced.end();
    read[d] = Index::axis(name);
    if (gone) {
      reduction.axes.push_back({name, shape[d]});
      count *= static_cast<double>(shape[d]);
      if (keep) stage.store_index.push_back(0);
    } else {
      stage.axes.push_back({name, d == 1 ? round_up(shape[d], block) : shape[d]});
      stage.store_index.push_back(Index::axis(name));
    }
  }
  if (stage.axes.empty()) stage.axes.push_back({"one", 1});
  reduction.combiner = node.op == Op::global_max_pool ? Combiner::maximum : Combiner::sum;
  reduction.update = scalar::read(x, read);
  stage.reduction = reduction;
  ScalarPtr value = scalar::accumulator();
  if (reduction.combiner == Combiner::sum)
    value = scalar::binary(ScalarOp::mul, value, scalar::constant(1 / count));
  value = chain_value(task, value, builder.operand_reader(stage.store_index, block));
  if (block > 1 && channels % block != 0) value = Builder::masked(value, read[1], channels);
  stage.value = value;
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(sum_bound(static_cast<int64_t>(count)));
}

}  // namespace

Formulation global_pool_formulation() {
  Formulation f = plain_formulation<formulate>("global_pool");
  f.applies = applies;
  f.layouts = layouts;
  return f;
}

}  // namespace hone
