// Graphs print and parse back, and what is wrong with a text is said with its line.
#include <gmock/gmock.h>

#include "codegen/graph/graph.h"

namespace hone {
namespace {

constexpr std::string_view kBlock =
    "%x = input f32[1x64x56x56]\n"
    "%\"a name\" = constant f32[64x64x3x3]\n"
    "%v = constant f32[64] in [0.5,1.5]\n"
    "%0 = conv %x %\"a name\" %v {dilations=[1,1] groups=1 pads=[1,1,1,1] strides=[1,1]}\n"
    "%1 = clip %0 {max=6.0 min=-inf}\n"
    "%2 = reshape %1 {shape=[1,64,3136]}\n"
    "output %2\n";

TEST(GraphText, PrintsWhatItParsed) {
  const auto graph = parse_graph(kBlock);
  ASSERT_TRUE(graph) << graph.error().text();
  EXPECT_EQ(to_text(*graph), kBlock);
}

TEST(GraphText, EveryOperatorHasANameThatParsesBack) {
  for (int i = 0; i <= static_cast<int>(Op::transform); ++i)
    EXPECT_EQ(*parse_op(to_text(static_cast<Op>(i))), static_cast<Op>(i));
}

TEST(GraphText, NumbersReadBackExactly) {
  const auto graph = parse_graph(
      "%x = input f32[4]\n%0 = hard_sigmoid %x {alpha=0.1 beta=0.30000000000000004}\noutput %0\n");
  ASSERT_TRUE(graph) << graph.error().text();
  EXPECT_EQ(graph->nodes[0].real("alpha", 0), 0.1);
  EXPECT_EQ(graph->nodes[0].real("beta", 0), 0.1 + 0.2);
}

struct Bad {
  const char *text, *message;
};
class BadGraphText : public testing::TestWithParam<Bad> {};
TEST_P(BadGraphText, IsRefusedWithItsReason) {
  const auto graph = parse_graph(GetParam().text);
  ASSERT_FALSE(graph);
  EXPECT_THAT(graph.error().text(), testing::HasSubstr(GetParam().message));
}
INSTANTIATE_TEST_SUITE_P(
    All, BadGraphText,
    testing::Values(
        Bad{"", "the graph has no output"},
        Bad{"hello\n", "line 1: expected '%name = ...' or 'output %name'"},
        Bad{"%x = input f32[4]\n%0 = relo %x\noutput %0\n", "line 2: no operator is called 'relo'"},
        Bad{"%x = input f32[4]\n%0 = relu %y\noutput %0\n", "line 2: %y is not made before"},
        Bad{"%x = input f32[4]\n%x = relu %x\noutput %x\n", "line 2: %x is made twice"},
        Bad{"%x = input f32[4]\n%0 = relu %x %x\noutput %0\n", "line 2: relu: has 2 operands"},
        Bad{"%x = input f32[4]\n%0 = clip %x {min=1 max}\noutput %0\n",
            "line 2: expected 'key=value' or '}'"},
        Bad{"%x = input f32[4]\n%0 = clip %x {min=1.x}\noutput %0\n", "line 2: '1.x' is no number"},
        Bad{"%x = input f32[4\n", "line 1: "}, Bad{"%\"x = input f32[4]\n", "line 1: a quote is not closed"},
        Bad{"%x = input f32[1x3x8x8]\n%w = constant f32[8x4x3x3]\n%0 = conv %x %w\noutput %0\n",
            "line 3: conv: weights 8x4x3x3 with 1 groups do not fit 1x3x8x8"},
        Bad{"%x = input f32[1x3x2x2]\n%w = constant f32[8x3x3x3]\n%0 = conv %x %w\noutput %0\n",
            "line 3: conv: a window of 3 does not fit an extent of 2"},
        Bad{"%x = input f32[2x3]\n%y = input f32[4]\n%0 = add %x %y\noutput %0\n",
            "line 3: add: shapes 2x3 and 4 do not broadcast"},
        Bad{"%x = input f32[2x3]\n%0 = reshape %x {shape=[2,-1]}\noutput %0\n", "is not resolved"},
        Bad{"%x = input f32[2x3]\n%0 = reshape %x {shape=[7]}\noutput %0\n",
            "reshape: 2x3 does not become 7"},
        Bad{"%x = input f32[1099511627776]\noutput %x\n", "is empty or too large"},
        Bad{"%x = input f32[8]\n%0 = slice %x {axes=[0] ends=[9] starts=[0]}\noutput %0\n",
            "slice: from 0 to 9 of 8"}));

TEST(GraphVerify, FindsAnOutputTypeThatIsNotWhatTheOperatorMakes) {
  auto graph = *parse_graph(kBlock);
  graph.values[graph.nodes[1].output].type.shape = {1, 64, 55, 56};
  EXPECT_THAT(verify(graph).error().text(),
              testing::HasSubstr("clip makes f32[1x64x56x56], not f32[1x64x55x56]"));
}

TEST(GraphVerify, FindsNodesInTheWrongOrder) {
  auto graph = *parse_graph(kBlock);
  std::swap(graph.nodes[0], graph.nodes[1]);
  EXPECT_THAT(verify(graph).error().text(), testing::HasSubstr("operand '0' is read before it is made"));
}

TEST(GraphVerify, FindsAConstantWhoseBytesDoNotFit) {
  auto graph = *parse_graph(kBlock);
  graph.values[2].constant = std::make_shared<Constant>(Constant{std::vector<std::byte>(8)});
  EXPECT_THAT(verify(graph).error().text(),
              testing::HasSubstr("constant has 8 bytes, which do not fit f32[64]"));
}

TEST(GraphFlops, OfAConvolutionCountAMultiplyAddAsTwo) {
  const auto graph =
      *parse_graph("%x = input f32[1x8x10x10]\n%w = constant f32[16x8x3x3]\n%0 = conv %x %w\noutput %0\n");
  EXPECT_EQ(flops(graph, graph.nodes[0]), 2.0 * 16 * 8 * 8 * 8 * 9);
}

TEST(GraphEdges, ConsumersListEachReaderOnceInOrder) {
  const auto graph = *parse_graph("%x = input f32[4]\n%0 = add %x %x\n%1 = mul %0 %x\noutput %1\n");
  EXPECT_THAT(graph.consumers()[0], testing::ElementsAre(0, 1));
  EXPECT_THAT(graph.producers(), testing::ElementsAre(-1, 0, 1));
}

}  // namespace
}  // namespace hone
