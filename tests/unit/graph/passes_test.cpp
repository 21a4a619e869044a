// Passes: what becomes of a graph, and that it still computes the same (by the interpreter, on seeded data).
#include <gmock/gmock.h>

#include "codegen/base/generator.h"
#include "codegen/graph/evaluate.h"
#include "codegen/graph/graph.h"

namespace hone {
namespace {

using testing::ElementsAre;

Constant seeded(const Value& value) {
  std::vector<float> data(static_cast<size_t>(element_count(value.type.shape)));
  const auto range = value.range.value_or(ValueRange{});
  generate(value.name, range.lo, range.hi, data);
  return constant_of(data);
}

Graph with_data(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().text();
  for (Value& value : graph->values)
    if (value.is_constant) value.constant = std::make_shared<Constant>(seeded(value));
  return std::move(*graph);
}

std::vector<Constant> run(const Graph& graph) {
  std::vector<Constant> inputs;
  for (const ValueId id : graph.inputs) inputs.push_back(seeded(graph.values[id]));
  auto outputs = interpret(graph, inputs);
  EXPECT_TRUE(outputs) << outputs.error().text();
  return std::move(*outputs);
}

std::vector<std::string> operators(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.emplace_back(to_text(node.op));
  return names;
}

/// Simplifies, checks that graph and results stay sound, and returns what is left.
Graph simplified(std::string_view text) {
  const Graph before = with_data(text);
  Graph after = simplify(before);
  const auto sound = verify(after);
  EXPECT_TRUE(sound) << sound.error().text();
  const auto expected = run(before), got = run(after);
  for (size_t k = 0; k < expected.size(); ++k) {
    EXPECT_EQ(after.values[after.outputs[k]].name, before.values[before.outputs[k]].name);
    EXPECT_EQ(after.values[after.outputs[k]].type, before.values[before.outputs[k]].type);
    const auto a = floats(expected[k]), b = floats(got[k]);
    for (size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i], 1e-5) << text << " element " << i;
  }
  return after;
}

constexpr const char* kConv = "%x = input f32[1x3x6x6]\n%w = constant f32[4x3x3x3]\n%b = constant f32[4]\n";
constexpr const char* kParameters =
    "%s = constant f32[4] in [0.5,1.5]\n%o = constant f32[4]\n%m = constant f32[4]\n%v = constant f32[4] in "
    "[0.5,1.5]\n";

TEST(FoldBatchNorm, GoesIntoTheConvolutionBeforeIt) {
  const auto graph = simplified(
      std::string(kConv) + kParameters +
      "%0 = conv %x %w %b\n%1 = batch_norm %0 %s %o %m %v {epsilon=0.01}\n%2 = relu %1\noutput %2\n");
  EXPECT_THAT(operators(graph), ElementsAre("conv", "relu"));
}

TEST(FoldBatchNorm, GoesIntoAConvolutionWithoutBias) {
  const auto graph = simplified(std::string(kConv) + kParameters +
                                "%0 = conv %x %w\n%1 = batch_norm %0 %s %o %m %v\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("conv"));
  EXPECT_EQ(graph.nodes[0].inputs.size(), 3u);
}

TEST(FoldBatchNorm, StandingAloneItBecomesAMultiplicationAndAnAddition) {
  const auto graph = simplified("%x = input f32[2x4x3x3]\n" + std::string(kParameters) +
                                "%0 = relu %x\n%1 = batch_norm %0 %s %o %m %v\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("relu", "mul", "add"));
}

TEST(FoldBatchNorm, LeavesAConvolutionAloneThatIsReadTwice) {
  const auto graph =
      simplified(std::string(kConv) + kParameters +
                 "%0 = conv %x %w\n%1 = batch_norm %0 %s %o %m %v\n%2 = mul %0 %1\noutput %2\n");
  EXPECT_THAT(operators(graph), ElementsAre("conv", "mul", "add", "mul"));
}

TEST(FoldAffine, AScaleLayerAfterBatchNormJoinsIt) {
  const auto graph =
      simplified("%x = input f32[1x4x3x3]\n" + std::string(kParameters) +
                 "%p = constant f32[4x1x1]\n%q = constant f32[4x1x1]\n%0 = relu %x\n"
                 "%1 = batch_norm %0 %s %o %m %v\n%2 = mul %1 %p\n%3 = add %q %2\n%4 = relu %3\noutput %4\n");
  EXPECT_THAT(operators(graph), ElementsAre("relu", "mul", "add", "relu"));
}

TEST(FoldAffine, GoesIntoDenseLayersOfBothOrientations) {
  for (const char* w : {"%w = constant f32[8x5]\n%0 = dense %x %w\n",
                        "%w = constant f32[5x8]\n%0 = dense %x %w {transpose_b=1}\n"}) {
    const auto graph =
        simplified(std::string("%x = input f32[2x8]\n%c = constant f32[5]\n%d = constant f32[1x5]\n") + w +
                   "%1 = add %0 %c\n%2 = mul %1 %d\n%3 = sub %2 %c\noutput %3\n");
    EXPECT_THAT(operators(graph), ElementsAre("dense"));
  }
}

TEST(FoldAffine, ANumberPerColumnIsNoNumberPerChannel) {
  const auto graph =
      simplified(std::string(kConv) + "%c = constant f32[4]\n%0 = conv %x %w\n%1 = mul %0 %c\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("conv", "mul"));
}

TEST(FoldPad, ZerosBelongToTheConvolution) {
  const auto graph =
      simplified(std::string(kConv) +
                 "%0 = pad %x {pads=[0,0,1,2,0,0,1,0]}\n%1 = conv %0 %w {pads=[1,0,0,0]}\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("conv"));
  EXPECT_THAT(graph.nodes[0].integers("pads"), ElementsAre(2, 2, 1, 0));
}

TEST(FoldPad, ZerosAreCountedByTheAveragePool) {
  const auto graph = simplified(
      "%x = input f32[1x2x5x5]\n%0 = pad %x {pads=[0,0,1,1,0,0,1,1]}\n%1 = average_pool %0 "
      "{kernel=[3,3]}\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("average_pool"));
}

TEST(FoldPad, AnythingButZerosStays) {
  const auto graph = simplified(
      std::string(kConv) + "%0 = pad %x {pads=[0,0,1,1,0,0,1,1] value=2.5}\n%1 = conv %0 %w\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("pad", "conv"));
}

TEST(FoldPad, APoolThatDoesNotCountItsOwnPaddingKeepsThePad) {
  const auto graph = simplified(
      "%x = input f32[1x2x5x5]\n%0 = pad %x {pads=[0,0,1,1,0,0,1,1]}\n"
      "%1 = average_pool %0 {kernel=[3,3] pads=[1,1,1,1]}\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("pad", "average_pool"));
}

constexpr const char* kPointwise =
    "%x = input f32[2x3x6x6]\n%w = constant f32[4x3x1x1]\n%b = constant f32[4]\n";

TEST(PoolFirst, AMeanChangesPlacesWithTheConvolutionBeforeIt) {
  const Graph graph = simplified(std::string(kPointwise) +
                                 "%0 = conv %x %w %b\n%1 = average_pool %0 {kernel=[2,2] strides=[2,2]}\n"
                                 "%2 = relu %1\noutput %2\n");
  EXPECT_THAT(operators(graph), ElementsAre("average_pool", "conv", "relu"));
}

TEST(PoolFirst, AWholeMeanDoesToo) {
  const Graph graph =
      simplified(std::string(kPointwise) + "%0 = conv %x %w %b\n%1 = global_average_pool %0\noutput %1\n");
  EXPECT_THAT(operators(graph), ElementsAre("global_average_pool", "conv"));
}

TEST(PoolFirst, StaysBehindWhatIsNotLinearPaddedWiderReadTwiceOrNoCheaper) {
  const auto stays = [](const std::string& text) {
    return operators(simplified(std::string(kPointwise) + text)).front() == "conv";
  };
  const std::string pool = " {kernel=[2,2] strides=[2,2]}\n";
  EXPECT_TRUE(stays("%0 = conv %x %w %b\n%1 = relu %0\n%2 = average_pool %1" + pool + "output %2\n"));
  EXPECT_TRUE(stays("%0 = conv %x %w %b\n%1 = max_pool %0" + pool + "output %1\n"));
  EXPECT_TRUE(stays("%0 = conv %x %w %b\n%1 = average_pool %0" + pool + "output %1\noutput %0\n"));
  EXPECT_TRUE(stays("%0 = conv %x %w %b {strides=[2,2]}\n%1 = average_pool %0 {kernel=[2,2]}\noutput %1\n"));
  EXPECT_TRUE(stays("%0 = conv %x %w %b\n%1 = average_pool %0 {kernel=[2,2]}\noutput %1\n"));
  EXPECT_TRUE(
      stays("%0 = conv %x %w %b\n%1 = average_pool %0 {kernel=[3,3] strides=[3,3] pads=[1,1,1,1] "
            "include_pad=1}\noutput %1\n"));
  EXPECT_TRUE(stays("%0 = conv %x %w %b {pads=[1,1,1,1]}\n%1 = average_pool %0" + pool + "output %1\n"));
}

std::string permuted_channels(const std::string& divided, const std::string& permutation,
                              const std::string& rest) {
  return "%x = input f32[2x24x5x7]\n%0 = relu %x\n%1 = reshape %0 {shape=[" + divided +
         "]}\n%2 = transpose %1 {permutation=[" + permutation + "]}\n%3 = reshape %2 {shape=[2,24,5,7]}\n" +
         rest;
}

TEST(ChannelShuffle, IsOneNodeHoweverPixelsAreWritten) {
  const std::string rest = "%4 = neg %3\noutput %4\n";
  EXPECT_THAT(operators(simplified(permuted_channels("2,4,6,5,7", "0,2,1,3,4", rest))),
              ElementsAre("relu", "channel_shuffle", "neg"));
  EXPECT_THAT(operators(simplified(permuted_channels("2,8,3,35", "0,2,1,3", rest))),
              ElementsAre("relu", "channel_shuffle", "neg"));
}

TEST(ChannelShuffle, StaysATransposeOfOddGroupsOtherDimensionsOrWhereSlicesOrOthersRead) {
  const auto stays = [](const std::string& text) {
    const auto names = operators(simplified(text));
    return std::find(names.begin(), names.end(), "channel_shuffle") == names.end();
  };
  const std::string rest = "%4 = neg %3\noutput %4\n";
  EXPECT_TRUE(stays(permuted_channels("2,3,8,5,7", "0,2,1,3,4", rest)));
  EXPECT_TRUE(stays(permuted_channels("2,4,6,5,7", "0,2,1,4,3", rest)));
  EXPECT_TRUE(stays(permuted_channels("2,4,6,5,7", "0,1,3,2,4", rest)));
  EXPECT_TRUE(stays(permuted_channels("2,8,15,7", "0,2,1,3", rest)));
  EXPECT_TRUE(stays(permuted_channels("2,4,6,5,7", "0,2,1,3,4", "%4 = neg %2\noutput %3\noutput %4\n")));
  EXPECT_TRUE(stays(permuted_channels("2,4,6,5,7", "0,2,1,3,4",
                                      "%4 = slice %3 {axes=[1] starts=[0] ends=[12]}\noutput %4\n")));
}

TEST(Canonicalise, AMeanOverThePlaneIsAGlobalPool) {
  EXPECT_THAT(operators(simplified("%x = input f32[1x4x5x5]\n%0 = reduce_mean %x {axes=[2,3] "
                                   "keep_dims=0}\n%1 = relu %0\noutput %1\n")),
              ElementsAre("global_average_pool", "reshape", "relu"));
  EXPECT_THAT(
      operators(simplified("%x = input f32[1x4x5x5]\n%0 = average_pool %x {kernel=[5,5]}\noutput %0\n")),
      ElementsAre("global_average_pool"));
}

TEST(Canonicalise, AProductWithItsHardSigmoidIsHardSwish) {
  EXPECT_THAT(operators(simplified("%x = input f32[1x4x5x5]\n%0 = hard_sigmoid %x {alpha=0.1666666716337204 "
                                   "beta=0.5}\n%1 = mul %x %0\noutput %1\n")),
              ElementsAre("hard_swish"));
}

TEST(FoldConstants, EvaluatesWhatNeedsNoInput) {
  const auto graph = simplified(
      "%x = input f32[1x4]\n%c = constant f32[2x4]\n%0 = transpose %c {permutation=[1,0]}\n"
      "%1 = slice %0 {axes=[1] starts=[1] ends=[2]}\n%2 = exp %1\n%3 = matmul %x %2\noutput %3\n");
  EXPECT_THAT(operators(graph), ElementsAre("matmul"));
}

TEST(RemoveDeadCode, DropsWhatIsNotReadAndWhatChangesNothing) {
  const auto graph = simplified(
      "%x = input f32[1x4x2x2]\n%c = constant f32[4]\n%0 = relu %x\n%1 = exp %0\n"
      "%2 = reshape %0 {shape=[4,4]}\n%3 = reshape %2 {shape=[1,4,2,2]}\n%4 = transpose %3 "
      "{permutation=[0,2,3,1]}\n"
      "%5 = transpose %4 {permutation=[0,3,1,2]}\n%6 = clip %5\noutput %6\n");
  EXPECT_THAT(operators(graph), ElementsAre("relu"));
  EXPECT_EQ(graph.values.size(), 2u);
}

TEST(RemoveDeadCode, KeepsARenamingOfAnInputThatIsAnOutput) {
  EXPECT_THAT(operators(simplified("%x = input f32[4]\n%0 = reshape %x {shape=[4]}\noutput %0\n")),
              ElementsAre("reshape"));
}

TEST(Evaluate, DivisionOfIntegersByZeroIsNotEvaluated) {
  auto graph = *parse_graph(
      "%x = input i64[1]\n%a = constant i64[1]\n%b = constant i64[1]\n%0 = div %a %b\n%1 = add %x %0\noutput "
      "%1\n");
  const std::vector<int64_t> one{1}, zero{0};
  graph.values[1].constant = std::make_shared<Constant>(constant_of(one));
  graph.values[2].constant = std::make_shared<Constant>(constant_of(zero));
  EXPECT_THAT(operators(fold_constants(graph)), ElementsAre("div", "add"));
}

TEST(Interpret, SaysWhichInputDoesNotFit) {
  const auto graph = with_data("%x = input f32[4]\n%0 = relu %x\noutput %0\n");
  const std::vector<Constant> inputs(1);
  EXPECT_EQ(interpret(graph, inputs).error().text(), "x: data does not fit f32[4]");
}

}  // namespace
}  // namespace hone
