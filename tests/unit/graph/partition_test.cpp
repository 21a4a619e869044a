// Partition: what is fused, what is not, and that the groups come in an order in which they can run.
#include <gmock/gmock.h>

#include <set>

#include "codegen/graph/task.h"

namespace hone {
namespace {

std::vector<FusedOp> parts(std::string_view text, Graph* keep = nullptr) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().text();
  auto result = partition(*graph);
  std::set<ValueId> ready(graph->inputs.begin(), graph->inputs.end());
  size_t nodes = 0;
  for (const FusedOp& op : result) {  // holds for every partition
    for (const ValueId id : op.inputs)
      EXPECT_TRUE(ready.count(id)) << graph->values[id].name << " is not ready";
    EXPECT_EQ(op.inputs.size(), op.task.graph.inputs.size());
    for (size_t i = 0; i < op.inputs.size(); ++i)
      EXPECT_EQ(graph->values[op.inputs[i]].type, op.task.graph.values[op.task.graph.inputs[i]].type);
    ready.insert(op.output);
    nodes += op.nodes.size();
  }
  EXPECT_EQ(nodes, graph->nodes.size());
  if (keep) *keep = std::move(*graph);
  return result;
}

std::vector<std::string> summaries(std::string_view text) {
  std::vector<std::string> result;
  for (const FusedOp& op : parts(text)) result.push_back(summary(op.task));
  return result;
}

constexpr const char* kInput =
    "%x = input f32[1x8x6x6]\n%w = constant f32[8x8x1x1]\n%v = constant f32[8x8x1x1]\n";

TEST(Partition, AConvolutionTakesTheChainAfterIt) {
  EXPECT_THAT(summaries(std::string(kInput) +
                        "%0 = conv %x %w\n%1 = clip %0 {max=6.0 min=0.0}\n%2 = conv %1 %v\noutput %2\n"),
              testing::ElementsAre("conv1x1 8>8 6x6 +clip", "conv1x1 8>8 6x6"));
}

TEST(Partition, OfTwoConvolutionsThatMeetTheFirstTakesTheAdditionAndRunsSecond) {
  Graph graph;
  const auto ops = parts(
      std::string(kInput) + "%0 = conv %x %w\n%1 = conv %x %v\n%2 = add %0 %1\n%3 = relu %2\noutput %3\n",
      &graph);
  ASSERT_EQ(ops.size(), 2u);
  EXPECT_EQ(summary(ops[0].task), "conv1x1 8>8 6x6");
  EXPECT_EQ(summary(ops[1].task), "conv1x1 8>8 6x6 +add +relu");
  EXPECT_EQ(graph.values[ops[1].inputs[1]].name, "1");
  EXPECT_EQ(graph.values[ops[1].constants[0]].name, "w");
  EXPECT_EQ(ops[1].name, "0");
}

TEST(Partition, AValueWithASecondReaderOutsideEndsTheChain) {
  EXPECT_THAT(summaries(std::string(kInput) +
                        "%0 = conv %x %w\n%1 = relu %0\n%2 = conv %0 %v\n%3 = add %1 %2\noutput %3\n"),
              testing::ElementsAre("conv1x1 8>8 6x6", "relu 1x8x6x6", "conv1x1 8>8 6x6 +add"));
}

TEST(Partition, AGraphOutputEndsTheChain) {
  EXPECT_THAT(summaries(std::string(kInput) + "%0 = conv %x %w\n%1 = relu %0\noutput %0\noutput %1\n"),
              testing::ElementsAre("conv1x1 8>8 6x6", "relu 1x8x6x6"));
}

TEST(Partition, ADiamondOfElementwiseNodesIsTakenWhole) {
  EXPECT_THAT(summaries(std::string(kInput) +
                        "%0 = conv %x %w\n%1 = sigmoid %0\n%2 = mul %0 %1\n%3 = conv %2 %v\noutput %3\n"),
              testing::ElementsAre("conv1x1 8>8 6x6 +sigmoid +mul", "conv1x1 8>8 6x6"));
}

TEST(Partition, SqueezeAndExciteKeepsTheBigTensorOutOfTheSmallChain) {
  EXPECT_THAT(summaries(std::string(kInput) +
                        "%0 = conv %x %w\n%1 = relu %0\n%2 = global_average_pool %1\n%3 = conv %2 %v\n"
                        "%4 = sigmoid %3\n%5 = mul %4 %1\noutput %5\n"),
              testing::ElementsAre("conv1x1 8>8 6x6 +relu", "global_average_pool 1x8x6x6",
                                   "conv1x1 8>8 1x1 +sigmoid", "mul 1x8x6x6"));
}

/// x * gate, the gate from x's means, and what reads the product.
std::string gated(const std::string& rest, const char* pixels = "6x6", int batch = 1) {
  const std::string shape = "f32[" + std::to_string(batch) + "x8x";
  return "%x = input " + shape + pixels + "]\n%g = input " + shape +
         "1x1]\n%w = constant f32[16x8x1x1]\n%v = constant f32[16x8x3x3]\n%0 = mul %g %x\n" + rest;
}

TEST(Partition, APointwiseConvolutionTakesTheGateBeforeIt) {
  EXPECT_THAT(summaries(gated("%1 = conv %0 %w\n%2 = relu %1\noutput %2\n")),
              testing::ElementsAre("mul+ conv1x1 8>16 6x6 +relu"));
}

TEST(Partition, TheGateStaysOutsideWhereItIsReadTwiceOrWeightsAreManyOrWindowsLargeOrSamplesSeveral) {
  const auto apart = [](const std::string& text) {
    return summaries(text).front().starts_with("mul 1x8") || summaries(text).front().starts_with("mul 2x8");
  };
  EXPECT_TRUE(apart(gated("%1 = conv %0 %w\noutput %1\noutput %0\n")));
  EXPECT_TRUE(apart(gated("%1 = conv %0 %w\n%2 = relu %0\noutput %1\noutput %2\n")));
  EXPECT_TRUE(apart(gated("%1 = conv %0 %w\noutput %1\n", "5x6")));
  EXPECT_TRUE(apart(gated("%1 = conv %0 %v {pads=[1,1,1,1]}\noutput %1\n")));
  EXPECT_TRUE(apart(gated("%1 = conv %0 %w {strides=[2,2]}\noutput %1\n", "20x20")));
  EXPECT_TRUE(apart(gated("%1 = conv %0 %w\noutput %1\n", "6x6", 2)));
}

/// Batch normalisation and relu of two values side by side, as in a dense block, and what reads the result.
std::string preactivated(const std::string& rest, const char* pixels = "28x28",
                         const char* scale = "1x16x1x1") {
  const std::string half = std::string("f32[1x8x") + pixels + "]\n";
  return "%x = input " + half + "%z = input " + half + "%m = constant f32[" + scale +
         "]\n%a = constant f32[1x16x1x1]\n%w = constant f32[16x16x1x1]\n%v = constant f32[16x16x3x3]\n"
         "%0 = concat %x %z {axis=1}\n%1 = mul %0 %m\n%2 = add %1 %a\n%3 = relu %2\n" +
         rest;
}

TEST(Partition, APointwiseConvolutionTakesTheBatchNormalisationAndReluBeforeIt) {
  EXPECT_THAT(summaries(preactivated("%4 = conv %3 %w\n%5 = relu %4\noutput %5\n")),
              testing::ElementsAre("concat 1x16x28x28", "mul+ add+ relu+ conv1x1 16>16 28x28 +relu"));
}

TEST(Partition, APreactivationStaysOutsideWhereItIsReadTwiceOrWindowsAreLargeOrAnOperandIsAnImage) {
  const auto apart = [](const std::string& text) { return summaries(text)[1].starts_with("mul 1x16"); };
  EXPECT_TRUE(apart(preactivated("%4 = conv %3 %w\noutput %4\noutput %3\n")));
  EXPECT_TRUE(apart(preactivated("%4 = conv %3 %w\n%5 = neg %3\noutput %4\noutput %5\n")));
  EXPECT_TRUE(apart(preactivated("%4 = conv %3 %v {pads=[1,1,1,1]}\noutput %4\n")));
  EXPECT_TRUE(apart(preactivated("%4 = conv %3 %w {strides=[2,2]}\noutput %4\n")));
  EXPECT_FALSE(apart(preactivated("%4 = conv %3 %w\noutput %4\n", "28x28", "1")));
  EXPECT_THAT(summaries(preactivated("%4 = conv %3 %w\noutput %4\n", "28x28", "1x16x28x28")),
              testing::ElementsAre("concat 1x16x28x28", "mul 1x16x28x28", "add+ relu+ conv1x1 16>16 28x28"));
  EXPECT_TRUE(apart(preactivated("%4 = conv %3 %w\noutput %4\n", "14x14"))) << "too few rows";
}

TEST(Partition, PureElementwiseNodesFuseTogether) {
  EXPECT_THAT(summaries("%x = input f32[1x8x6x6]\n%s = constant f32[8x1x1]\n%0 = mul %x %s\n%1 = add %0 "
                        "%s\n%2 = relu %1\noutput %2\n"),
              testing::ElementsAre("mul 1x8x6x6 +add +relu"));
}

TEST(Partition, SoftmaxConcatAndReshapeStandAlone) {
  EXPECT_THAT(
      summaries("%x = input f32[1x8x1x1]\n%0 = concat %x %x {axis=1}\n%1 = reshape %0 {shape=[1,16]}\n"
                "%2 = softmax %1 {axis=1}\n%3 = relu %2\noutput %3\n"),
      testing::ElementsAre("concat 1x16x1x1", "reshape 1x16", "softmax 1x16", "relu 1x16"));
}

}  // namespace
}  // namespace hone
