// Resolves attributes, and bounds what an element costs: from the output backwards, how many elements of each
// value are worked out.
#include "codegen/oracle/plan.h"

#include <algorithm>
#include <map>
#include <numeric>

namespace hone::oracle {
namespace {

std::vector<int64_t> or_else(std::vector<int64_t> values, std::vector<int64_t> otherwise) {
  return values.empty() ? std::move(otherwise) : std::move(values);
}

double count_of(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1.0, [](double product, int64_t extent) {
    return product * static_cast<double>(extent);
  });
}

/// Moves elements: one element of the output is one of an operand.
bool moves(Op op) {
  switch (op) {
    case Op::concat:
    case Op::reshape:
    case Op::transpose:
    case Op::pad:
    case Op::slice:
    case Op::gather:
    case Op::channel_shuffle:
    case Op::transform:
      return true;
    default:
      return false;
  }
}

/// Reduced dimensions of means and maxima; strides of windows and everything else that an operator's
/// attributes say.
void resolve(const Node& node, Step& s) {
  s.strides = or_else(node.integers("strides"), {1, 1});
  s.dilations = or_else(node.integers("dilations"), {1, 1});
  s.pads = or_else(node.integers("pads"), std::vector<int64_t>(2 * std::max<size_t>(2, s.shape.size()), 0));
  s.kernel = node.integers("kernel");
  s.axes = node.integers("axes");
  s.starts = or_else(node.integers("starts"), std::vector<int64_t>(s.axes.size(), 0));
  s.steps = or_else(node.integers("steps"), std::vector<int64_t>(s.axes.size(), 1));
  s.permutation = node.integers("permutation");
  s.axis = static_cast<size_t>(std::max<int64_t>(0, node.integer("axis", 0)));
  s.groups = node.integer("groups", 1);
  s.size = node.integer("size", 1);
  switch (s.op) {
    case Op::batch_norm:
      s.a = node.real("epsilon", 1e-5);
      break;
    case Op::clip:
      s.a = node.real("min", -3.4028234663852886e38);
      s.b = node.real("max", 3.4028234663852886e38);
      break;
    case Op::hard_sigmoid:
      s.a = node.real("alpha", 0.2);
      s.b = node.real("beta", 0.5);
      break;
    case Op::lrn:
      s.a = node.real("alpha", 1e-4);
      s.b = node.real("beta", 0.75);
      s.c = node.real("bias", 1);
      break;
    case Op::pad:
      s.a = node.real("value", 0);
      break;
    case Op::average_pool:
      s.flag = node.integer("include_pad", 0) != 0;
      break;
    case Op::dense:
      s.flag = node.integer("transpose_b", 0) != 0;
      break;
    case Op::global_average_pool:
    case Op::global_max_pool:
      s.axes.resize(s.shapes[0].size() - 2);
      std::iota(s.axes.begin(), s.axes.end(), 2);
      break;
    case Op::reduce_mean:
      std::sort(s.axes.begin(), s.axes.end());
      s.axes.erase(std::unique(s.axes.begin(), s.axes.end()), s.axes.end());
      break;
    default:
      break;
  }
}

/// What one element reads of each operand.
std::vector<double> reads_of(const Step& s) {
  std::vector<double> reads(s.operands.size(), 1);
  const auto extent = [&](size_t operand, size_t d) { return static_cast<double>(s.shapes[operand][d]); };
  switch (s.op) {
    case Op::conv:
      reads[0] = reads[1] = extent(1, 1) * extent(1, 2) * extent(1, 3);
      break;
    case Op::max_pool:
    case Op::average_pool:
      reads[0] = static_cast<double>(s.kernel[0]) * static_cast<double>(s.kernel[1]);
      break;
    case Op::dense:
    case Op::matmul:
      reads[0] = reads[1] = static_cast<double>(s.shapes[0].back());
      break;
    case Op::global_average_pool:
    case Op::global_max_pool:
    case Op::reduce_mean:
      for (const int64_t axis : s.axes) reads[0] *= extent(0, static_cast<size_t>(axis));
      break;
    case Op::softmax:
    case Op::log_softmax:
      reads[0] = 2 * extent(0, s.axis) + 1;
      break;
    case Op::lrn:
      reads[0] = std::min(static_cast<double>(s.size), extent(0, 1)) + 1;
      break;
    default:
      break;
  }
  return reads;
}

std::vector<int64_t> broadcast_strides(const Shape& shape, const Shape& output) {
  std::vector<int64_t> strides = strides_of(shape);
  for (size_t d = 0; d < shape.size(); ++d)
    if (shape[d] == 1) strides[d] = 0;
  strides.insert(strides.begin(), output.size() - shape.size(), 0);
  return strides;
}

Step step_of(const Graph& graph, const Node& node) {
  Step s;
  s.op = node.op;
  s.operands = node.inputs;
  for (const ValueId id : node.inputs) s.shapes.push_back(graph.value(id).type.shape);
  s.shape = graph.value(node.output).type.shape;
  resolve(node, s);
  s.reads = reads_of(s);
  s.work = s.op == Op::concat ? 1 : std::accumulate(s.reads.begin(), s.reads.end(), 0.0);
  if (is_elementwise(s.op))
    for (const Shape& shape : s.shapes) s.at.push_back(broadcast_strides(shape, s.shape));
  return s;
}

/// How often elements of a value are read for one element of the output, and how many different ones at most.
/// What reads element by element reads the same elements that are read of it.
struct Wanted {
  double reads = 0;
  std::map<int, double> sets;  ///< number of a set of indices, and its size
  int readers = 0;
  bool again = false;  ///< windows overlap, and softmax goes over its axis twice

  double different() const {
    double sum = 0;
    for (const auto& [number, size] : sets) sum += size;
    return sum;
  }
};

/// How many elements of each value are worked out, what of them is kept, and the sum of all work.
void bound_costs(Plan& plan) {
  const Graph& graph = plan.task.graph;
  std::vector<Wanted> wanted(graph.values.size());
  int sets = 1;
  plan.kept.assign(graph.values.size(), false);
  wanted[plan.result] = {1, {{0, 1}}, 1, false};
  for (size_t i = plan.steps.size(); i-- > 0;) {
    const ValueId made = graph.nodes[i].output;
    const Wanted& w = wanted[made];
    const double elements = count_of(graph.value(made).type.shape);
    const double different = std::min(w.different(), elements);
    plan.kept[made] = w.readers > 1 || w.again || w.reads > elements;
    const double worked_out = plan.kept[made] ? different : w.reads;
    if (plan.kept[made]) plan.keeps += different;
    const Step& s = plan.steps[i];
    plan.cost += worked_out * s.work;
    if (worked_out == 0) continue;
    const int own_set = w.sets.size() == 1 ? w.sets.begin()->first : sets++;
    const bool each_once = is_elementwise(s.op) || moves(s.op) || s.op == Op::batch_norm;
    for (size_t k = 0; k < s.operands.size(); ++k) {
      Wanted& of = wanted[s.operands[k]];
      of.reads += worked_out * s.reads[k];
      ++of.readers;
      if (is_elementwise(s.op) && s.shapes[k] == s.shape)
        of.sets[own_set] = different;
      else
        of.sets[sets++] = different * s.reads[k];
      of.again = of.again || s.op == Op::softmax || s.op == Op::log_softmax || (!each_once && worked_out > 1);
    }
  }
}

}  // namespace

std::vector<int64_t> strides_of(const Shape& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

Result<Plan> plan(Task task) {
  Plan plan;
  plan.task = std::move(task);
  const Graph& graph = plan.task.graph;
  plan.leaf.assign(graph.values.size(), -1);
  plan.maker.assign(graph.values.size(), -1);
  for (const Value& value : graph.values)
    if (value.type.dtype != DType::f32 && !(value.is_constant && value.type.dtype == DType::i64))
      return fail("values of type " + std::string(to_text(value.type.dtype)) + " are not interpreted",
                  value.name);
  const auto leaf = [&](ValueId id) {
    const Value& value = graph.value(id);
    plan.leaf[id] = static_cast<int>(plan.inputs.size());
    plan.inputs.push_back(
        {value.name, {DType::f32, value.type.shape}, range_for(plan.task, id), value.is_constant});
  };
  for (const ValueId id : graph.inputs) leaf(id);
  for (size_t id = 0; id < graph.values.size(); ++id)
    if (graph.values[id].is_constant) leaf(static_cast<ValueId>(id));
  for (const Node& node : graph.nodes) {
    plan.maker[node.output] = static_cast<int>(plan.steps.size());
    plan.steps.push_back(step_of(graph, node));
  }
  plan.result = graph.outputs.front();
  plan.output = {graph.value(plan.result).name, graph.value(plan.result).type, {}, false};
  bound_costs(plan);
  return plan;
}

}  // namespace hone::oracle
