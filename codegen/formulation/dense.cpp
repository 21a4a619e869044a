// Dense layers: x[M,K] plain, weights packed [N/B][K][B] so that one tile reads one stream, B a few vectors
// wide. With one row the weights pass once from memory at its full speed; with many rows a tile holds several
// of them.
#include <algorithm>

#include "codegen/formulation/blocks.h"
#include "codegen/formulation/builder.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/tiles.h"

namespace hone {
namespace {

struct DenseShape {
  int64_t m, k, n;
  int64_t lanes;    ///< of the vector axis
  int64_t vectors;  ///< per tile
  int64_t padded;   ///< n rounded up to lanes * vectors
  bool direct;      ///< nothing is padded: the sums go straight into the chain
};

DenseShape dense_shape(const Task& task, const Target& target) {
  const Shape& x = operand_shape(task, 0);
  DenseShape d{x[0], x[1], anchor_shape(task)[1], 0, 0, 0, false};
  d.lanes = vector_width(d.n, target.lanes());
  const int64_t vectors = (d.n + d.lanes - 1) / d.lanes;
  d.vectors = 1;
  for (const int64_t v : divisors(vectors, 4)) d.vectors = v;
  if (d.vectors < 3 && vectors > 8) d.vectors = 4;
  d.padded = round_up(d.n, d.lanes * d.vectors);
  d.direct = d.padded == d.n;
  return d;
}

bool applies(const Task& task, const Target&) {
  return anchor_is(task, Op::dense) && fits(task, 1, 2) && task.anchor().inputs.size() >= 2 &&
         operand_shape(task, 0).size() == 2 && operand_shape(task, 1).size() == 2;
}

Result<Formulated> formulate(const Task& task, const Target& target, const Ports& ports) {
  const DenseShape d = dense_shape(task, target);
  const Node& node = task.anchor();
  Builder builder(task, target, ports);
  const int x = builder.input(node.inputs[0]);
  const Index m = Index::axis("m"), n = Index::axis("n"), k = Index::axis("k");
  const bool transposed = node.integer("transpose_b", 0) != 0;
  Layout layout{{0, 1}, {}};
  if (d.lanes * d.vectors > 1) layout.blocks.push_back({0, d.lanes * d.vectors});
  const std::vector<Axis> pack_axes{{"n", d.padded}, {"k", d.k}};
  auto weight = scalar::read(builder.logical(node.inputs[1]),
                             transposed ? std::vector<Index>{n, k} : std::vector<Index>{k, n},
                             d.direct ? std::nullopt : std::optional<double>(0));
  const int w = builder.packed(task.graph.value(node.inputs[1]).name, {d.padded, d.k}, layout,
                               range_for(task, node.inputs[1]), pack_axes, {n, k}, weight);
  Stage sum;
  sum.name = "dense";
  sum.axes = {{"m", d.m}, {"n", d.padded}};
  sum.store_index = {m, n};
  sum.reduction = Reduction{{{"k", d.k}},
                            Combiner::sum,
                            scalar::binary(ScalarOp::mul, scalar::read(x, {m, k}), scalar::read(w, {n, k}))};
  const auto finished = [&](ScalarPtr value) {
    if (node.inputs.size() > 2)
      value = scalar::binary(ScalarOp::add, value, builder.operand(node.inputs[2], {m, n}, 1));
    return chain_value(task, value, builder.operand_reader({m, n}, 1));
  };
  if (d.direct) {
    sum.value = finished(scalar::accumulator());
    sum.output = builder.output();
    builder.stage(sum);
    return builder.finish(sum_bound(d.k));
  }
  const int sums = builder.scratch("sums", {d.m, d.padded}, Layout::plain(2));
  sum.value = scalar::accumulator();
  sum.output = sums;
  builder.stage(sum);
  Stage last;
  last.name = "finish";
  last.axes = {{"m", d.m}, {"n", d.n}};
  last.store_index = {m, n};
  last.value = finished(scalar::read(sums, {m, n}));
  last.output = builder.output();
  builder.stage(last);
  return builder.finish(sum_bound(d.k));
}

int64_t row_limit(const Task& task, const Target& target) {
  const DenseShape d = dense_shape(task, target);
  return std::min(d.m, std::max<int64_t>(1, accumulator_budget(target) / d.vectors));
}

SearchSpace space(const Task& task, const Target& target, const Ports&) {
  std::vector<int64_t> rows;
  for (int64_t r = 1; r <= row_limit(task, target); ++r)
    if (r == row_limit(task, target) || dense_shape(task, target).m % r == 0) rows.push_back(r);
  return {{"m_tile", rows}, {"unroll", {1, 2, 4, 8}}};
}

Parameters default_parameters(const Task& task, const Target& target, const Ports&) {
  return {{"m_tile", row_limit(task, target)}, {"unroll", 4}};
}

Result<Schedule> schedule(const Task& task, const Target& target, const Ports& ports, const Parameters& p) {
  for (const char* name : {"m_tile", "unroll"})
    if (!p.count(name)) return fail(std::string("parameter ") + name + " is missing", "dense");
  const DenseShape d = dense_shape(task, target);
  const int64_t rows = p.at("m_tile");
  if (rows < 1 || rows > d.m || rows * d.vectors > accumulator_budget(target))
    return fail("m_tile " + std::to_string(rows) + " does not fit", "dense");
  StageSchedule s{"dense", {}};
  std::vector<std::string> tile;
  std::string n = "n", m = "m", vector;
  if (d.lanes > 1) {
    s.steps.push_back(steps::split("n", d.lanes, "n.b", "n.v"));
    n = "n.b";
    vector = "n.v";
  }
  if (rows > 1) {
    s.steps.push_back(steps::split("m", rows, "m.o", "m.t", d.m % rows == 0 ? Tail::exact : Tail::peel));
    m = "m.o";
    tile.push_back("m.t");
  }
  if (d.vectors > 1) {
    s.steps.push_back(steps::split(n, d.vectors, "n.o", "n.t"));
    n = "n.o";
    tile.push_back("n.t");
  }
  std::vector<std::string> all{n, m, "k"};
  all.insert(all.end(), tile.begin(), tile.end());
  if (!vector.empty()) all.push_back(vector);
  s.steps.push_back(steps::reorder(all));
  if (p.at("unroll") > 1) s.steps.push_back(steps::unroll("k", std::min(p.at("unroll"), d.k)));
  if (!tile.empty()) s.steps.push_back(steps::tile(tile));
  if (!vector.empty()) s.steps.push_back(steps::vectorize(vector));
  s.steps.push_back(steps::parallel({n}));
  Schedule result{{s}};
  if (!d.direct) {
    HONE_TRY(const Formulated formulated, formulate(task, target, ports));
    result.stages.push_back(plain_stage_schedule(formulated.run, formulated.run.stages[1], target));
  }
  return result;
}

}  // namespace

Formulation dense_formulation() {
  Formulation f = plain_formulation<formulate>("dense");
  f.applies = applies;
  f.space = space;
  f.default_parameters = default_parameters;
  f.schedule = schedule;
  return f;
}

}  // namespace hone
