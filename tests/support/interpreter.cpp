// Plain interpreters: recursion over stages, statements and scalars.
#include "tests/support/interpreter.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <map>

#include "codegen/base/generator.h"

namespace hone::test {
namespace {

using Values = std::map<std::string, int64_t>;

double compute(ScalarOp op, const std::vector<double>& a) {
  switch (op) {
    case ScalarOp::neg:
      return -a[0];
    case ScalarOp::abs:
      return std::fabs(a[0]);
    case ScalarOp::exp:
      return std::exp(a[0]);
    case ScalarOp::log:
      return std::log(a[0]);
    case ScalarOp::tanh:
      return std::tanh(a[0]);
    case ScalarOp::sigmoid:
      return 1 / (1 + std::exp(-a[0]));
    case ScalarOp::sqrt:
      return std::sqrt(a[0]);
    case ScalarOp::floor:
      return std::floor(a[0]);
    case ScalarOp::add:
      return a[0] + a[1];
    case ScalarOp::sub:
      return a[0] - a[1];
    case ScalarOp::mul:
      return a[0] * a[1];
    case ScalarOp::div:
      return a[0] / a[1];
    case ScalarOp::maximum:
      return std::fmax(a[0], a[1]);
    case ScalarOp::minimum:
      return std::fmin(a[0], a[1]);
    case ScalarOp::select_less:
      return a[0] < a[1] ? a[2] : a[3];
    default:
      return 0;
  }
}

double combine(Combiner combiner, double a, double b) {
  return combiner == Combiner::sum ? a + b : std::fmax(a, b);
}
double identity(Combiner combiner) {
  return combiner == Combiner::sum ? 0 : -std::numeric_limits<double>::infinity();
}

int64_t value_of(const Index& index, const Values& values) {
  return evaluate(index, [&](const std::string& axis) { return values.at(axis); });
}

/// Evaluates a scalar; `read` gives the value of a read node.
template <class Read>
double evaluate_scalar(const Scalar& s, const Values& values, double accumulator, const Read& read) {
  switch (s.op) {
    case ScalarOp::constant:
      return s.value;
    case ScalarOp::accumulator:
      return accumulator;
    case ScalarOp::from_index:
      return static_cast<double>(value_of(s.index[0], values));
    case ScalarOp::read:
      return read(s);
    default:
      break;
  }
  std::vector<double> args;
  for (const ScalarPtr& arg : s.args) args.push_back(evaluate_scalar(*arg, values, accumulator, read));
  return compute(s.op, args);
}

/// Calls `body` for each point of a box.
template <class Body>
void for_each_point(const std::vector<std::pair<std::string, int64_t>>& axes, size_t depth, Values& values,
                    const Body& body) {
  if (depth == axes.size()) return body();
  for (int64_t i = 0; i < axes[depth].second; ++i) {
    values[axes[depth].first] = i;
    for_each_point(axes, depth + 1, values, body);
  }
  values.erase(axes[depth].first);
}

std::vector<std::pair<std::string, int64_t>> pairs(const std::vector<Axis>& axes) {
  std::vector<std::pair<std::string, int64_t>> result;
  for (const Axis& axis : axes) result.emplace_back(axis.name, axis.extent);
  return result;
}
std::vector<std::pair<std::string, int64_t>> pairs(const std::vector<loop::TileLoop>& loops) {
  std::vector<std::pair<std::string, int64_t>> result;
  for (const loop::TileLoop& loop : loops) result.emplace_back(loop.variable, loop.extent);
  return result;
}

struct ProgramRun {
  const loop::Program& program;
  Buffers& buffers;
  Execution result = {};
  Values values = {};

  void problem(const std::string& text) {
    if (result.problem.empty()) result.problem = text;
  }

  bool inside(const loop::Access& access) const {
    for (const loop::Guard& guard : access.guards) {
      int64_t at = value_of(guard.index, values);
      if (at < guard.lo || at >= guard.hi) return false;
    }
    return true;
  }

  double* address(const loop::Access& access) {
    int64_t offset = value_of(access.offset, values);
    auto& buffer = buffers[access.tensor];
    if (offset >= 0 && offset < static_cast<int64_t>(buffer.size())) return &buffer[offset];
    problem(fmt::format("{}[{}] is {} of {}", program.tensors[access.tensor].name, to_text(access.offset),
                        offset, buffer.size()));
    return nullptr;
  }

  double read(const loop::Access& access) {
    if (!inside(access)) return access.outside;
    double* at = address(access);
    if (!at) return 0;
    if (std::isnan(*at))
      problem(fmt::format("{}[{}] is read before it is written", program.tensors[access.tensor].name,
                          to_text(access.offset)));
    return *at;
  }

  void run(const loop::Tile& tile) {
    std::vector<std::pair<std::string, int64_t>> points = pairs(tile.copies);
    if (!tile.vector_variable.empty()) points.emplace_back(tile.vector_variable, tile.active_lanes);
    auto load = [&](const Scalar& s) { return read(tile.accesses[s.tensor]); };
    for_each_point(points, 0, values, [&] {
      double accumulator = identity(tile.combiner);
      if (tile.update)
        for_each_point(pairs(tile.reduce), 0, values, [&] {
          accumulator = combine(tile.combiner, accumulator, evaluate_scalar(*tile.update, values, 0, load));
        });
      double value = evaluate_scalar(*tile.value, values, accumulator, load);
      if (double* at = address(tile.store)) {
        *at = value;
        ++result.written[tile.store.tensor][at - buffers[tile.store.tensor].data()];
      }
    });
  }

  void run(const std::vector<loop::Statement>& body) {
    for (const loop::Statement& s : body) {
      for (const loop::Loop& loop : s.loop)
        for_each_point({{loop.variable, loop.extent}}, 0, values, [&] { run(loop.body); });
      for (const loop::Tile& tile : s.tile) run(tile);
    }
  }
};

}  // namespace

Buffers make_buffers(const Computation& computation, uint64_t seed) {
  Buffers buffers;
  for (const Tensor& t : computation.tensors) {
    Geometry g = geometry(t.type.shape, t.layout, t.placement);
    std::vector<double> buffer(g.elements, std::numeric_limits<double>::quiet_NaN());
    if (t.role == Role::input || t.role == Role::constant) {
      for (double& value : buffer) value = t.halo_value;
      std::vector<Axis> box;
      std::vector<int64_t> index(t.type.shape.size());
      for (size_t d = 0; d < index.size(); ++d) {
        int64_t after = t.placement.halo_after.empty() ? 0 : t.placement.halo_after[d];
        box.push_back({std::to_string(d), addressable(t, static_cast<int>(d)).hi + 1 - after});
      }
      Values values;
      uint64_t name = fnv1a64(std::to_string(seed) + "/" + t.name), count = 0;
      for_each_point(pairs(box), 0, values, [&] {
        for (size_t d = 0; d < index.size(); ++d) index[d] = values[std::to_string(d)];
        buffer[element_offset(g, index)] = generated_value(name, count++, t.range.lo, t.range.hi);
      });
    }
    buffers.push_back(std::move(buffer));
  }
  return buffers;
}

void interpret(const Computation& computation, Buffers& buffers) {
  std::vector<Geometry> geometries;
  for (const Tensor& t : computation.tensors)
    geometries.push_back(geometry(t.type.shape, t.layout, t.placement));
  for (const Stage& stage : computation.stages) {
    Values values;
    auto at = [&](const std::vector<Index>& index) {
      std::vector<int64_t> result;
      for (const Index& one : index) result.push_back(value_of(one, values));
      return result;
    };
    auto load = [&](const Scalar& s) {
      std::vector<int64_t> index = at(s.index);
      if (s.outside)
        for (size_t d = 0; d < index.size(); ++d)
          if (index[d] < 0 || index[d] >= computation.tensors[s.tensor].type.shape[d]) return *s.outside;
      return buffers[s.tensor].at(element_offset(geometries[s.tensor], index));
    };
    for_each_point(pairs(stage.axes), 0, values, [&] {
      double accumulator = 0;
      if (stage.reduction) {
        accumulator = identity(stage.reduction->combiner);
        for_each_point(pairs(stage.reduction->axes), 0, values, [&] {
          accumulator = combine(stage.reduction->combiner, accumulator,
                                evaluate_scalar(*stage.reduction->update, values, 0, load));
        });
      }
      double value = evaluate_scalar(*stage.value, values, accumulator, load);
      buffers[stage.output].at(element_offset(geometries[stage.output], at(stage.store_index))) = value;
    });
  }
}

Execution interpret(const loop::Program& program, Buffers& buffers) {
  ProgramRun run{program, buffers};
  for (const std::vector<double>& buffer : buffers) run.result.written.emplace_back(buffer.size(), 0);
  for (const loop::Phase& phase : program.phases) {
    for (int t : phase.locals) {
      buffers[t].assign(program.geometries[t].elements, std::numeric_limits<double>::quiet_NaN());
      run.result.written[t].assign(buffers[t].size(), 0);
    }
    for_each_point(pairs(phase.parallel), 0, run.values, [&] {
      // What one iteration leaves in local memory is not the next one's.
      for (int t : phase.locals)
        std::fill(buffers[t].begin(), buffers[t].end(), std::numeric_limits<double>::quiet_NaN());
      run.run(phase.body);
    });
  }
  return std::move(run.result);
}

}  // namespace hone::test
