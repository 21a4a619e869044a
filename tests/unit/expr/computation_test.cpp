// Computations: their text, and every way in which a bad one is refused.
#include "codegen/expr/computation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/samples.h"

namespace hone {
namespace {

using testing::HasSubstr;

Index ax(const char* name) { return Index::axis(name); }

std::string problem(const Computation& computation) {
  Status status = verify(computation);
  return status ? "" : status.error().text();
}

TEST(Computation, SamplesAreWellFormed) {
  EXPECT_EQ(problem(test::conv({})), "");
  EXPECT_EQ(problem(test::max_pool(20, 5, 7, 8)), "");
  EXPECT_EQ(problem(test::elementwise(3, 7)), "");
  EXPECT_EQ(problem(test::depthwise_pointwise(20, 24, 4, 13, 8)), "");
}

TEST(Computation, PrintsAsFormulas) {
  Computation c = test::elementwise(3, 7);
  using namespace scalar;
  ScalarPtr x = read(0, {ax("r"), ax("w")});
  ScalarPtr sum = binary(ScalarOp::add, x, constant(1)), product = binary(ScalarOp::mul, sum, constant(-0.5));
  EXPECT_EQ(to_text(c, *product), "(x[r,w] + 1) * -0.5");
  EXPECT_EQ(to_text(c, *binary(ScalarOp::sub, x, binary(ScalarOp::sub, x, x))), "x[r,w] - (x[r,w] - x[r,w])");
  EXPECT_EQ(to_text(c, *unary(ScalarOp::neg, sum)), "-(x[r,w] + 1)");
  EXPECT_EQ(to_text(c, *select_less(x, constant(0), constant(0.1), x)),
            "select_less(x[r,w], 0, 0.1, x[r,w])");
  EXPECT_EQ(to_text(c, *read(0, {ax("r") - 1, 0}, 0.0)), "x[r - 1,0] else 0");
}

TEST(Computation, AReadPastTheHaloNamesTensorDimensionAndReach) {
  Computation c = test::conv({});
  c.tensors[0].placement = {};
  EXPECT_THAT(problem(c),
              HasSubstr("conv: reads x dimension 2 at kh + oh - 1, which reaches -1 to 8, but its buffer "
                        "holds 0 to 7"));
}

TEST(Computation, AStorePastTheBufferIsRefused) {
  Computation c = test::elementwise(3, 7);
  c.stages[0].axes[1].extent = 8;
  c.stages[0].value = scalar::constant(0);
  EXPECT_THAT(problem(c), HasSubstr("add: writes y dimension 1 at w, which reaches 0 to 7"));
}

TEST(Computation, NamesMustBeUniqueAndInScope) {
  Computation c = test::elementwise(3, 7);
  c.tensors[1].name = "x";
  EXPECT_THAT(problem(c), HasSubstr("tensor name 'x' is empty or used twice"));
  c = test::elementwise(3, 7);
  c.stages[0].axes[1].name = "r";
  EXPECT_THAT(problem(c), HasSubstr("axis name 'r' is empty or used twice"));
  c = test::elementwise(3, 7);
  c.stages[0].value = scalar::read(0, {ax("r"), ax("q")});
  EXPECT_THAT(problem(c), HasSubstr("names axis 'q', which is not in scope"));
  c = test::elementwise(3, 7);
  c.stages.push_back(c.stages[0]);
  EXPECT_THAT(problem(c), HasSubstr("stage name 'add' is empty or used twice"));
}

TEST(Computation, ReduceAxesEndWithTheReduction) {
  Computation c = test::conv({});
  c.stages[0].value = scalar::read(2, {ax("ic")});
  EXPECT_THAT(problem(c), HasSubstr("names axis 'ic', which is not in scope"));
}

TEST(Computation, StagesReadWhatEarlierOnesWrote) {
  Computation c = test::depthwise_pointwise(8, 8, 4, 4, 8);
  std::swap(c.stages[0], c.stages[1]);
  EXPECT_THAT(problem(c), HasSubstr("pw: reads t before any stage writes it"));
}

TEST(Computation, InputsAreNotWrittenAndAccumulatorsNeedAReduction) {
  Computation c = test::elementwise(3, 7);
  c.stages[0].output = 0;
  EXPECT_THAT(problem(c), HasSubstr("writes x, which is an input"));
  c = test::elementwise(3, 7);
  c.stages[0].value = scalar::accumulator();
  EXPECT_THAT(problem(c), HasSubstr("the accumulator is read where there is no finished reduction"));
}

TEST(Computation, LayoutsAndPlacementsMustFitTheirShapes) {
  Computation c = test::conv({});
  c.tensors[0].layout = Layout::plain(3);
  EXPECT_THAT(problem(c), HasSubstr("tensor x: layout abc does not fit shape 1x16x8x8"));
  c = test::conv({});
  c.tensors[0].placement.halo_after[1] = 1;
  EXPECT_THAT(problem(c), HasSubstr("has a halo that dimension 1 cannot have"));
  c = test::conv({});
  c.tensors[3].placement.buffer_channels = 64;
  c.tensors[3].placement.channel_offset = 40;
  EXPECT_THAT(problem(c),
              HasSubstr("tensor y: placement channels 64+40 does not hold the channels of 1x32x8x8"));
  c = test::conv({});
  c.tensors[0].type.shape = {1, 0, 8, 8};
  EXPECT_THAT(problem(c), HasSubstr("is empty"));
}

TEST(Computation, RanksAndTensorsMustFit) {
  Computation c = test::elementwise(3, 7);
  c.stages[0].value = scalar::read(0, {ax("r")});
  EXPECT_THAT(problem(c), HasSubstr("reads x with 1 indices, but its rank is 2"));
  c.stages[0].value = scalar::read(5, {ax("r")});
  EXPECT_THAT(problem(c), HasSubstr("reads tensor 5, which does not exist"));
}

TEST(ComputationText, PrintsAndParsesBack) {
  using namespace scalar;
  Computation c = test::depthwise_pointwise(20, 24, 4, 13, 8);
  c.tensors[0].halo_value = -2.5;
  c.tensors[1].range = {0.5, 1.5};
  c.tensors[3].placement.buffer_channels = 64;
  c.tensors[3].placement.channel_offset = 16;
  c.arithmetic = DType::f64;
  AxisRanges any = [](const std::string&) { return Interval{0, 1000}; };
  Index odd = floor_div(ax("oh") + 1, 2, any) * 3 - modulo(ax("ow"), 5, any) +
              minimum(maximum(ax("ow"), 2, any), 9, any);
  ScalarPtr acc = accumulator();
  c.stages[1].value = binary(ScalarOp::div, unary(ScalarOp::neg, unary(ScalarOp::exp, acc)),
                             select_less(from_index(odd), constant(-0.25), constant(INFINITY),
                                         binary(ScalarOp::sub, acc, constant(3))));
  Result<Computation> parsed = parse_computation(to_text(c));
  ASSERT_TRUE(parsed) << parsed.error().text();
  EXPECT_EQ(to_text(*parsed), to_text(c));
  EXPECT_EQ(parsed->stages[1].reduction->axes, c.stages[1].reduction->axes);
  EXPECT_EQ(parsed->tensors[1].range, c.tensors[1].range);
}

std::string parse_problem(const std::string& stage) {
  Result<Computation> c = parse_computation("input x f32[4x8] ab\noutput y f32[4x8] ab\n" + stage);
  return c ? "" : c.error().text();
}

TEST(ComputationText, BadTextNamesLineAndPlace) {
  EXPECT_EQ(parse_problem("s: y[a,b] over a 4, b 8 = x[a,b] * 2"), "");
  EXPECT_EQ(parse_problem("s: y[a,b] over a 4, b 8 = x[a,b"),
            "computation line 3: expected ']' at the end of the line");
  EXPECT_THAT(parse_problem("s: z[a,b] over a 4 = 1"), HasSubstr("there is no tensor 'z' before"));
  EXPECT_THAT(parse_problem("s: y[a,b] over a = 1"), HasSubstr("expected an integer at '= 1'"));
  EXPECT_THAT(parse_problem("s: y[a,b] over a 4 = sin(x[a,b])"), HasSubstr("there is no function 'sin'"));
  EXPECT_THAT(parse_problem("s: y[a,b] over a 4 = max(x[a,b])"),
              HasSubstr("'max' has another number of arguments"));
  EXPECT_THAT(parse_problem("s: y[a,b] over a 4 = sum[k 2](1) + sum[k 2](2)"),
              HasSubstr("a stage has one reduction"));
  EXPECT_THAT(parse_problem("s: y[a,b] over a 4 = 1 1"), HasSubstr("expected the end of the line at '1'"));
  EXPECT_THAT(parse_problem("s: y[a/0,b] over a 4 = 1"), HasSubstr("division by 0"));
  EXPECT_THAT(parse_problem("s y[a,b]"), HasSubstr("'s' begins neither a tensor nor a stage"));
  EXPECT_THAT(parse_problem("input q f32[4"), HasSubstr("computation line 3"));
  EXPECT_THAT(parse_problem("input q f32[4] a halo"), HasSubstr("'halo' has no value"));
}

}  // namespace
}  // namespace hone
