// Local response normalisation across channels: x / (bias + alpha / size * sum of squares)^beta. In NCHW[V]c
// a channel's neighbours lie in other blocks, far away; so squares are first written with all channels of a
// pixel in a row, between zeros, where neighbours are vectors that begin a few elements earlier or later.
#include <algorithm>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

namespace hone {
namespace {

constexpr ErrorBound kBound{4e-6, 16};

bool applies(const Task& task, const Target&) {
  return anchor_is(task, Op::lrn) && fits(task, 1, 0) && operand_shape(task, 0).size() >= 2;
}

int64_t size_of_window(const Task& task) { return task.anchor().integer("size", 5); }

/// x of the normalisation, given the sum of squares: x * base^-beta.
ScalarPtr normalised(const Node& node, const ScalarPtr& x, int64_t size) {
  using namespace scalar;
  const double alpha = node.real("alpha", 1e-4), beta = node.real("beta", 0.75);
  const auto base = binary(ScalarOp::add, constant(node.real("bias", 1)),
                           binary(ScalarOp::mul, accumulator(), constant(alpha / static_cast<double>(size))));
  if (beta == 0.75) {  // what all known networks have: two roots and a division instead of log and exp
    const auto root = unary(ScalarOp::sqrt, base);
    return binary(ScalarOp::div, x, binary(ScalarOp::mul, root, unary(ScalarOp::sqrt, root)));
  }
  const auto power = unary(ScalarOp::exp, binary(ScalarOp::mul, unary(ScalarOp::log, base), constant(-beta)));
  return binary(ScalarOp::mul, x, power);
}

Formulated formulate_plain(const Task& task, Builder& builder, int x) {
  const Node& node = task.anchor();
  const int64_t size = size_of_window(task);
  Stage stage;
  stage.name = "lrn";
  stage.axes = axes_of(dimension_names(anchor_shape(task).size()), anchor_shape(task));
  stage.store_index = indices_of(stage.axes);
  std::vector<Index> near = stage.store_index;
  near[1] = near[1] + Index::axis("k") - (size - 1) / 2;
  const auto neighbour = scalar::read(x, near, 0);
  stage.reduction =
      Reduction{{{"k", size}}, Combiner::sum, scalar::binary(ScalarOp::mul, neighbour, neighbour)};
  stage.value = chain_value(task, normalised(node, scalar::read(x, stage.store_index), size),
                            builder.operand_reader(stage.store_index, 1));
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(kBound);
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  Builder builder(task, target, ports);
  const int x = builder.input(task.anchor().inputs[0]);
  const int64_t block = block_of(ports.output.layout, 1);
  if (block == 1) return formulate_plain(task, builder, x);
  const Shape& shape = anchor_shape(task);
  const int64_t size = size_of_window(task), before = (size - 1) / 2;
  // Zeros in front in whole blocks, so that squares are written as they are read.
  const int64_t front = round_up(before, block), channels = round_up(shape[1], block);
  const int64_t row = front + channels + size - 1 - before;
  const Index n = Index::axis("n"), c = Index::axis("c"), h = Index::axis("h"), w = Index::axis("w");

  Stage squares;
  squares.name = "squares";
  squares.axes = {{"n", shape[0]}, {"c", row}, {"h", shape[2]}, {"w", shape[3]}};
  squares.store_index = {n, c, h, w};
  const auto one = scalar::read(x, {n, c - front, h, w}, 0);
  squares.value = scalar::binary(ScalarOp::mul, one, one);
  // The block makes what is computed of a row begin with its first zero; the order is the same without it.
  squares.output =
      builder.scratch("squares", {shape[0], row, shape[2], shape[3]}, Layout{{0, 2, 3, 1}, {{1, block}}});
  builder.stage(squares);

  Stage stage;
  stage.name = "lrn";
  stage.axes = {{"n", shape[0]}, {"c", channels}, {"h", shape[2]}, {"w", shape[3]}};
  stage.store_index = {n, c, h, w};
  stage.reduction =
      Reduction{{{"k", size}},
                Combiner::sum,
                scalar::read(squares.output, {n, c + Index::axis("k") + (front - before), h, w})};
  ScalarPtr value = chain_value(task, normalised(task.anchor(), scalar::read(x, {n, c, h, w}), size),
                                builder.operand_reader(stage.store_index, block));
  if (channels != shape[1]) value = Builder::masked(value, c, shape[1]);
  stage.value = value;
  stage.output = builder.output();
  builder.stage(stage);
  return builder.finish(kBound);
}

Result<Schedule> schedule(const Task& task, const Target& target, const Ports& ports, const Parameters& p) {
  if (!p.count("tile") || p.at("tile") < 1) return fail("parameter tile is missing", "lrn");
  const int64_t block = block_of(ports.output.layout, 1);
  if (block == 1) {
    HONE_TRY(const Formulated formulated, formulate(task, target, ports));
    return schedule_plainly(formulated.run, target, p);
  }
  const int64_t columns = anchor_shape(task)[3], size = size_of_window(task);
  const int64_t tile = std::min({p.at("tile"), columns, accumulator_budget(target)});
  // Loops outside, then the reduction, then the tile and the vector.
  const auto steps_of = [&](const char* name, Tail tail, bool reduces) {
    StageSchedule s{name, {}};
    std::vector<std::string> loops{"n", "h", "w", "c.b"};
    s.steps.push_back(steps::split("c", block, "c.b", "c.v", tail));
    if (tile > 1) {
      s.steps.push_back(
          steps::split("w", tile, "w.o", "w.t", reduces && columns % tile != 0 ? Tail::peel : Tail::exact));
      loops[2] = "w.o";
    }
    if (reduces) loops.push_back("k");
    if (tile > 1) loops.push_back("w.t");
    loops.push_back("c.v");
    s.steps.push_back(steps::reorder(loops));
    if (reduces && size > 1 && size <= 16) s.steps.push_back(steps::unroll("k", size));
    if (tile > 1) s.steps.push_back(steps::tile({"w.t"}));
    s.steps.push_back(steps::vectorize("c.v"));
    return s;
  };
  StageSchedule squares = steps_of("squares", Tail::guard, false);
  squares.steps.insert(squares.steps.begin(),
                       {StepKind::compute_at, {tile > 1 ? "w.o" : "w"}, 0, Tail::exact, "lrn"});
  StageSchedule lrn = steps_of("lrn", Tail::exact, true);
  lrn.steps.push_back(steps::parallel({"n", "h"}));
  return Schedule{{std::move(squares), std::move(lrn)}};
}

}  // namespace

Formulation lrn_formulation() {
  Formulation f = plain_base("lrn");
  f.space_version = 2;
  f.applies = applies;
  f.layouts = blocked_ports;
  f.formulate = formulate;
  f.schedule = schedule;
  return f;
}

}  // namespace hone
