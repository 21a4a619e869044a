// Graphs of very many operators: passes, partition and texts walk them without recursion, and fused operators
// stay short.
#include <gmock/gmock.h>

#include <set>

#include "codegen/graph/task.h"

namespace hone {
namespace {

/// x, then `count` nodes, each of the one before it.
Graph chain(int count, const std::string& even, const std::string& odd) {
  Graph graph;
  graph.values.push_back({"x", {DType::f32, {1, 4, 2, 2}}, {}, false, nullptr});
  graph.inputs = {0};
  for (int i = 0; i < count; ++i) {
    const Op op = parse_op(i % 2 == 0 ? even : odd).value();
    Node node{op, "n" + std::to_string(i), {i}, i + 1, {}};
    if (op == Op::max_pool) node.attributes["kernel"] = std::vector<int64_t>{1, 1};
    graph.values.push_back({"v" + std::to_string(i), graph.values[0].type, {}, false, nullptr});
    graph.nodes.push_back(std::move(node));
  }
  graph.outputs = {count};
  return graph;
}

TEST(ManyOperators, AreVerifiedSimplifiedPartitionedAndPrinted) {
  constexpr int kCount = 30000;
  for (const auto& [even, odd] : {std::pair{"relu", "sigmoid"}, std::pair{"max_pool", "tanh"}}) {
    const Graph graph = simplify(chain(kCount, even, odd));
    ASSERT_TRUE(verify(graph));
    ASSERT_EQ(graph.nodes.size(), size_t{kCount});
    const auto again = parse_graph(to_text(graph));
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(to_text(*again), to_text(graph));
    size_t nodes = 0;
    for (const FusedOp& op : partition(graph)) {
      nodes += op.nodes.size();
      EXPECT_LE(op.nodes.size(), kMostTaskNodes);
      EXPECT_TRUE(parse_task(op.task.text));
    }
    EXPECT_EQ(nodes, size_t{kCount});
  }
}

TEST(ManyOperators, AMeanGoesBeforeAllPointwiseConvolutionsAtOnce) {
  std::string text = "%x = input f32[1x8x6x6]\n%w = constant f32[8x8x1x1]\n";
  for (int i = 0; i < 3000; ++i)
    text += "%v" + std::to_string(i) + " = conv " + (i == 0 ? "%x" : "%v" + std::to_string(i - 1)) + " %w\n";
  const Graph graph = simplify(parse_graph(text + "%y = global_average_pool %v2999\noutput %y\n").value());
  ASSERT_TRUE(verify(graph));
  ASSERT_EQ(graph.nodes.size(), 3001u);
  EXPECT_EQ(graph.nodes[0].op, Op::global_average_pool);
  EXPECT_EQ(graph.value(graph.nodes[3000].output).type.shape, (Shape{1, 8, 1, 1}));
}

TEST(ManyOperators, OfAChainBecomeFewTasksOfTheLargestSize) {
  std::set<Digest> keys;
  size_t tasks = 0;
  for (const FusedOp& op : partition(chain(30000, "relu", "sigmoid"))) {
    keys.insert(op.task.key);
    ++tasks;
  }
  EXPECT_LE(tasks, 30000 / (kMostTaskNodes - 8));
  EXPECT_LE(keys.size(), 4u);
}

}  // namespace
}  // namespace hone
