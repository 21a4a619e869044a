// Random graphs by seed: they print and parse back, passes keep what they compute, and partition covers each
// node once in an order that can run.
#include <gmock/gmock.h>

#include <cmath>
#include <random>
#include <set>

#include "codegen/base/generator.h"
#include "codegen/graph/evaluate.h"
#include "codegen/graph/task.h"

namespace hone {
namespace {

/// Grows a graph of rank-4 values by random nodes, some with a second reader, some dead.
class RandomGraph {
 public:
  explicit RandomGraph(unsigned seed) : random_(seed) {
    add_value("x", {1, 4, 7, 6}, false);
    graph_.inputs = {0};
  }

  Graph make() {
    const int nodes = 3 + pick(12);
    for (int i = 0; i < nodes; ++i) step();
    graph_.outputs = {last_};
    if (pick(3) == 0 && last_ != graph_.nodes[0].output) graph_.outputs.push_back(graph_.nodes[0].output);
    return std::move(graph_);
  }

 private:
  int pick(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  ValueId add_value(const std::string& name, const Shape& shape, bool constant) {
    Value value{name, {DType::f32, shape}, {}, constant, nullptr};
    if (constant) {
      std::vector<float> data(static_cast<size_t>(element_count(shape)));
      const bool positive = name[0] == 'p';
      generate(name, positive ? 0.5f : -0.6f, positive ? 1.5f : 0.6f, data);
      value.constant = std::make_shared<Constant>(constant_of(data));
    }
    graph_.values.push_back(std::move(value));
    return static_cast<ValueId>(graph_.values.size()) - 1;
  }
  ValueId constant(const Shape& shape, bool positive = false) {
    return add_value((positive ? "p" : "c") + std::to_string(graph_.values.size()), shape, true);
  }
  /// Adds a node if its operands fit; its result is the next one's operand.
  ValueId add(Op op, std::vector<ValueId> inputs, std::map<std::string, Attribute> attributes = {}) {
    Node node{op, "n" + std::to_string(graph_.nodes.size()), std::move(inputs), -1, std::move(attributes)};
    const auto type = infer_type(graph_, node);
    if (!type) return last_;
    node.output = add_value("v" + std::to_string(graph_.values.size()), type->shape, false);
    graph_.nodes.push_back(node);
    return last_ = node.output;
  }
  const Shape& shape(ValueId id) const { return graph_.values[id].type.shape; }
  ValueId any() {
    return graph_.nodes.empty() || pick(4)
               ? last_
               : graph_.nodes[static_cast<size_t>(pick(static_cast<int>(graph_.nodes.size())))].output;
  }
  std::vector<int64_t> pads() { return {pick(3), pick(2), pick(2), pick(3)}; }

  void step() {
    const ValueId x = any();
    const Shape s = shape(x);
    const int64_t c = s[1];
    switch (pick(16)) {
      case 0:
      case 1: {
        const int64_t k = 1 + 2 * pick(2);
        std::vector<ValueId> inputs{x, constant({3 + pick(3), c, k, k})};
        if (pick(2)) inputs.push_back(constant({shape(inputs[1])[0]}));
        add(Op::conv, inputs, {{"pads", pads()}});
        break;
      }
      case 2:
        add(Op::conv, {x, constant({c, 1, 3, 3})},
            {{"groups", c}, {"pads", std::vector<int64_t>{1, 1, 1, 1}}});
        break;
      case 3:
      case 4:
        add(Op::batch_norm, {x, constant({c}, true), constant({c}), constant({c}), constant({c}, true)},
            {{"epsilon", 0.01}});
        break;
      case 5:
        add(Op::relu, {x});
        break;
      case 6:
        add(Op::clip, {x}, {{"min", pick(2) ? 0.0 : -0.5}, {"max", pick(2) ? INFINITY : 1.0}});
        break;
      case 7: {
        const ValueId gate =
            add(pick(2) ? Op::sigmoid : Op::hard_sigmoid, {x}, {{"alpha", 1.0 / 6}, {"beta", 0.5}});
        if (pick(2)) add(Op::mul, {gate, x});
        break;
      }
      case 8: {
        const Shape shapes[] = {{c, 1, 1}, {}, {s[3]}, {1, c, 1, 1}, s};
        const Op ops[] = {Op::add, Op::mul, Op::sub, Op::div};
        const Op op = ops[pick(4)];
        const ValueId other = constant(shapes[pick(5)], op == Op::div);
        if (op != Op::div && pick(3) == 0)
          add(op, {other, x});
        else
          add(op, {x, other});
        break;
      }
      case 9:
        add(Op::add, {x, any()});
        break;  // left out where shapes differ
      case 10: {
        const auto p = pads();
        add(Op::pad, {x},
            {{"pads", std::vector<int64_t>{0, 0, p[0], p[1], 0, 0, p[2], p[3]}},
             {"value", pick(3) ? 0.0 : 0.25}});
        break;
      }
      case 11:
        add(Op::average_pool, {x},
            {{"kernel", std::vector<int64_t>{2, 2}},
             {"pads", pick(2) ? std::vector<int64_t>(4, 0) : std::vector<int64_t>(4, 1)},
             {"include_pad", int64_t{pick(2)}}});
        break;
      case 12:
        add(Op::max_pool, {x},
            {{"kernel", std::vector<int64_t>{2, 2}}, {"pads", std::vector<int64_t>{0, 0, 1, 1}}});
        break;
      case 13: {
        add(Op::transpose, {x}, {{"permutation", std::vector<int64_t>{0, 2, 3, 1}}});
        if (pick(2)) add(Op::transpose, {last_}, {{"permutation", std::vector<int64_t>{0, 3, 1, 2}}});
        break;
      }
      case 14: {
        add(Op::reshape, {x}, {{"shape", std::vector<int64_t>{s[1], s[0], s[3], s[2]}}});
        add(Op::reshape, {last_}, {{"shape", pick(2) ? s : Shape{1, s[1], s[2] * s[3], 1}}});
        break;
      }
      default: {
        if (pick(2))
          add(Op::concat, {x, x}, {{"axis", int64_t{1}}});
        else
          add(Op::slice, {x},
              {{"axes", std::vector<int64_t>{1}},
               {"starts", std::vector<int64_t>{pick(2)}},
               {"ends", std::vector<int64_t>{c}},
               {"steps", std::vector<int64_t>{1 + pick(2)}}});
      }
    }
  }

  std::mt19937 random_;
  Graph graph_;
  ValueId last_ = 0;
};

std::vector<Constant> run(const Graph& graph) {
  std::vector<float> data(static_cast<size_t>(element_count(graph.values[graph.inputs[0]].type.shape)));
  generate("x", -1, 1, data);
  auto outputs = interpret(graph, std::vector<Constant>{constant_of(data)});
  EXPECT_TRUE(outputs) << outputs.error().text();
  return outputs ? std::move(*outputs) : std::vector<Constant>{};
}

TEST(RandomGraphs, PassesKeepWhatTheyCompute) {
  size_t before_nodes = 0, after_nodes = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    const Graph graph = RandomGraph(seed).make();
    if (graph.nodes.empty()) continue;
    ASSERT_TRUE(verify(graph)) << seed << verify(graph).error().text();
    const std::string text = to_text(graph);
    ASSERT_EQ(to_text(*parse_graph(text)), text);
    const Graph simple = simplify(graph);
    const auto sound = verify(simple);
    ASSERT_TRUE(sound) << "seed " << seed << ": " << sound.error().text() << '\n'
                       << text << "becomes\n"
                       << to_text(simple);
    before_nodes += graph.nodes.size();
    after_nodes += simple.nodes.size();
    const auto expected = run(graph), got = run(simple);
    ASSERT_EQ(expected.size(), got.size());
    for (size_t k = 0; k < got.size(); ++k) {
      const auto a = floats(expected[k]), b = floats(got[k]);
      ASSERT_EQ(a.size(), b.size());
      double difference = 0, norm = 0;
      for (size_t i = 0; i < a.size(); ++i) {
        difference += std::pow(static_cast<double>(a[i]) - static_cast<double>(b[i]), 2);
        norm += std::pow(static_cast<double>(a[i]), 2);
      }
      ASSERT_LE(std::sqrt(difference), 1e-5 * std::sqrt(norm) + 1e-9) << "seed " << seed << '\n'
                                                                      << text << "becomes\n"
                                                                      << to_text(simple);
    }
  }
  EXPECT_LT(after_nodes, before_nodes);
}

TEST(RandomGraphs, PartitionCoversEachNodeOnceAndCanRun) {
  for (unsigned seed = 0; seed < 1500; ++seed) {
    const Graph graph = simplify(RandomGraph(seed).make());
    if (graph.nodes.empty()) continue;
    std::set<ValueId> ready(graph.inputs.begin(), graph.inputs.end());
    std::set<NodeId> covered;
    for (const FusedOp& op : partition(graph)) {
      for (const ValueId id : op.inputs)
        ASSERT_TRUE(ready.count(id)) << "seed " << seed << '\n' << to_text(graph);
      for (const ValueId id : op.constants) ASSERT_TRUE(graph.values[id].is_constant);
      for (const NodeId node : op.nodes) ASSERT_TRUE(covered.insert(node).second);
      ready.insert(op.output);
      ASSERT_EQ(parse_task(op.task.text)->key, op.task.key);
    }
    ASSERT_EQ(covered.size(), graph.nodes.size());
    for (const ValueId id : graph.outputs)
      ASSERT_TRUE(ready.count(id)) << "seed " << seed << '\n' << to_text(graph);
  }
}

}  // namespace
}  // namespace hone
