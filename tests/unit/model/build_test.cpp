// Whole small models: planned, built, run on one and several threads, compared with the reference.
#include "tests/unit/model/small_models.h"

namespace hone {
namespace {

using testing::HasSubstr;
using namespace testing_models;

constexpr const char* kConvNet = R"(%x = input f32[1x3x17x19]
%w0 = constant f32[24x3x3x3]
%b0 = constant f32[24]
%w1 = constant f32[40x24x3x3]
%b1 = constant f32[40]
%w2 = constant f32[10x40]
%b2 = constant f32[10]
%0 = conv %x %w0 %b0 {strides=[2,2] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = relu %0
%2 = conv %1 %w1 %b1 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%3 = relu %2
%4 = global_average_pool %3
%5 = reshape %4 {shape=[1,40]}
%6 = dense %5 %w2 %b2 {transpose_b=1}
output %6
)";

TEST(Build, ConvolutionsWithMarginsPoolingAndDense) { built_and_right(kConvNet); }

TEST(Build, OneElementwiseOperatorOnThePlainInput) {
  const Plan plan = built_and_right("%x = input f32[1x5x7x3]\n%0 = relu %x\noutput %0\n");
  EXPECT_EQ(plan.ops.size(), 1u);
}

TEST(Build, ResidualAdditionOfTwoBranches) {
  built_and_right(R"(%x = input f32[1x16x9x9]
%w0 = constant f32[32x16x1x1]
%w1 = constant f32[32x32x3x3]
%w2 = constant f32[32x32x5x5]
%0 = conv %x %w0 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%1 = conv %0 %w1 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%2 = add %1 %0
%3 = relu %2
%4 = conv %3 %w2 {strides=[2,2] pads=[2,2,2,2] dilations=[1,1] groups=1}
output %4
output %3
)");
}

TEST(Build, SqueezeAndExciteGoesIntoTheWeightsBehindIt) {
  const Plan plan = built_and_right(R"(%x = input f32[1x24x9x11]
%d = constant f32[24x1x3x3]
%s = constant f32[6x24x1x1]
%e = constant f32[24x6x1x1]
%w = constant f32[40x24x1x1]
%b = constant f32[40]
%0 = conv %x %d {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=24}
%1 = hard_swish %0
%2 = global_average_pool %1
%3 = conv %2 %s
%4 = relu %3
%5 = conv %4 %e
%6 = hard_sigmoid %5
%7 = mul %6 %1
%8 = conv %7 %w %b
output %8
)");
  EXPECT_EQ(count_formulation(plan, "gated"), 1);
  EXPECT_EQ(count_formulation(plan, "elementwise"), 0);
}

TEST(Build, ConcatenationInPlaceNeedsNoOperator) {
  const Plan plan = built_and_right(R"(%x = input f32[1x16x9x11]
%w0 = constant f32[32x16x1x1]
%w1 = constant f32[64x16x3x3]
%w2 = constant f32[16x96x3x3]
%0 = conv %x %w0 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%1 = conv %x %w1 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%2 = concat %0 %1 {axis=1}
%3 = conv %2 %w2 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
output %3
)");
  EXPECT_EQ(count_formulation(plan, "concat"), 0);
}

TEST(Build, ConcatenationOfConcatenationsSharesThePrefix) {
  built_and_right(R"(%x = input f32[1x32x6x6]
%w0 = constant f32[32x32x3x3]
%w1 = constant f32[32x64x3x3]
%w2 = constant f32[32x96x3x3]
%0 = conv %x %w0 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = conv %0 %w0 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%2 = concat %0 %1 {axis=1}
%3 = conv %2 %w1 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%4 = concat %0 %1 %3 {axis=1}
%5 = conv %4 %w2 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
output %5
)");
}

TEST(Build, AChainOfGrowingConcatenationsLiesInOneBuffer) {
  const Plan plan = built_and_right(R"(%x = input f32[1x3x6x6]
%w = constant f32[64x3x3x3]
%w0 = constant f32[32x64x3x3]
%w1 = constant f32[32x96x3x3]
%w2 = constant f32[32x128x3x3]
%w3 = constant f32[16x160x1x1]
%0 = conv %x %w {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = conv %0 %w0 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%2 = concat %0 %1 {axis=1}
%3 = conv %2 %w1 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%4 = concat %0 %1 %3 {axis=1}
%5 = conv %4 %w2 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%6 = concat %4 %5 {axis=1}
%7 = concat %0 %1 %3 %5 {axis=1}
%8 = relu %7
%9 = conv %6 %w3 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
output %8
output %9
)");
  EXPECT_EQ(count_formulation(plan, "concat"), 0);
  // Twice the layers' values would be copied otherwise; what remains makes the outputs plain, and the last
  // concatenation is the same bytes as the one before: it lies in it whole.
  EXPECT_LE(count_formulation(plan, "transform"), 2);
  EXPECT_EQ(std::count_if(plan.buffers.begin(), plan.buffers.end(),
                          [](const PlannedBuffer& b) {
                            return b.type.shape == Shape{1, 160, 6, 6} && !b.port.layout.blocks.empty();
                          }),
            2)
      << "the chain's and the last relu's";
}

TEST(Build, AConcatenationInTheMiddleOfAnotherIsSharedAndAValueUsedTwiceIsCopied) {
  const Plan plan = built_and_right(R"(%x = input f32[1x16x6x6]
%w0 = constant f32[32x16x3x3]
%w1 = constant f32[64x64x1x1]
%w2 = constant f32[16x160x3x3]
%0 = conv %x %w0 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = sigmoid %0
%2 = concat %0 %1 {axis=1}
%3 = conv %2 %w1 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%4 = concat %3 %0 %1 %0 {axis=1}
%5 = conv %4 %w2 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
output %5
)");
  int copies = 0;
  for (const PlannedOp& op : plan.ops)
    copies += op.candidate.formulation == "transform" && op.op.task.graph.values[0].type.shape[1] == 32;
  EXPECT_EQ(copies, 1);
}

TEST(Plan, CountsOneTaskWhereOneKernelCannotServeTwoPlacements) {
  const Graph graph = graph_of(R"(%x = input f32[1x32x6x6]
%w = constant f32[32x32x3x3]
%0 = conv %x %w {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = conv %0 %w {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%2 = concat %0 %1 {axis=1}
output %2
)");
  const auto plan = hone::plan(graph, host(), {});
  ASSERT_TRUE(plan) << plan.error().text();
  const auto convolutions = [](const std::vector<PlannedTask>& tasks) {
    int count = 0;
    for (const PlannedTask& task : tasks) count += task.candidate.task.anchor().op == Op::conv;
    return count;
  };
  EXPECT_EQ(convolutions(distinct_tasks(*plan)), 1);
  EXPECT_EQ(convolutions(distinct_kernels(*plan)), 2);
}

TEST(Build, ConcatenationAtOddOffsetsAndOfAnInput) {
  built_and_right(R"(%x = input f32[1x7x5x6]
%w0 = constant f32[13x7x3x3]
%w1 = constant f32[9x27x3x3]
%0 = conv %x %w0 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = concat %x %0 %x {axis=1}
%2 = conv %1 %w1 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
output %2
)");
}

TEST(Build, PoolingsBesideAConvolutionOfTheSameValue) {
  built_and_right(R"(%x = input f32[1x16x12x12]
%w0 = constant f32[32x16x3x3]
%w1 = constant f32[32x32x1x1]
%0 = conv %x %w0 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = max_pool %0 {kernel=[3,3] strides=[1,1] pads=[1,1,1,1] dilations=[1,1]}
%2 = average_pool %0 {kernel=[3,3] strides=[1,1] pads=[1,1,1,1] include_pad=0}
%3 = conv %0 %w1 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%4 = concat %1 %2 %3 {axis=1}
output %4
)");
}

TEST(Build, ReshapeOfABlockedValueAndTwoOutputs) {
  built_and_right(R"(%x = input f32[1x20x4x4]
%w0 = constant f32[20x20x1x1]
%w1 = constant f32[5x320]
%0 = conv %x %w0 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%1 = reshape %0 {shape=[1,320]}
%2 = dense %1 %w1 {transpose_b=1}
%3 = softmax %2 {axis=1}
output %3
output %2
)");
}

TEST(Build, ReshapeOfTheInputAndOfTheOutput) {
  built_and_right(
      "%x = input f32[2x3x4]\n%0 = reshape %x {shape=[6,4]}\n%1 = relu %0\n%2 = reshape %1 "
      "{shape=[24]}\noutput "
      "%2\n");
}

TEST(Build, SeveralSamplesAtOnce) {
  built_and_right(R"(%x = input f32[3x7x9x8]
%w0 = constant f32[20x7x3x3]
%w1 = constant f32[32x7x1x1]
%w2 = constant f32[5x52x3x3]
%0 = conv %x %w0 {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
%1 = conv %x %w1 {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%2 = concat %1 %0 {axis=1}
%3 = conv %2 %w2 {strides=[2,2] pads=[1,1,1,1] dilations=[1,1] groups=1}
output %3
output %0
)");
}

TEST(Build, PartsOfAPlainConcatenationThatAreOutputsThemselves) {
  built_and_right(R"(%x = input f32[2x3x4x5]
%0 = relu %x
%1 = sigmoid %x
%2 = concat %0 %1 {axis=1}
output %2
output %1
)");
}

TEST(Build, AnInputThatIsAnOutputAndTwoInputs) {
  built_and_right(R"(%x = input f32[1x3x4x5]
%z = input f32[1x3x4x5]
%0 = add %x %z
output %0
output %x
)");
}

TEST(Build, OtherRanksAndMatrixProducts) {
  built_and_right(R"(%x = input f32[2x6x10]
%w = constant f32[10x12]
%0 = matmul %x %w
%1 = transpose %0 {permutation=[0,2,1]}
%2 = softmax %1 {axis=2}
%3 = concat %2 %1 {axis=2}
output %3
)");
}

TEST(Build, TellsTunedFromUntunedTasks) {
  const Graph graph = graph_of(kConvNet);
  const Lookup lookup = [](const Task& task) -> std::optional<Choice> {
    if (task.anchor().op != Op::conv) return std::nullopt;
    const Candidate trial0 = default_candidate(task, host()).value();
    return Choice{trial0.formulation, trial0.parameters, 1e-3};
  };
  const auto plan = hone::plan(graph, host(), lookup);
  ASSERT_TRUE(plan) << plan.error().text();
  const std::string file = scratch_file("tuned.so");
  BuildOptions options;
  options.model_name = "small";
  const auto report = build(*plan, file, options);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_EQ(report->tuned, 2);
  EXPECT_EQ(report->tasks - report->tuned, static_cast<int>(report->untuned.size()));
  auto model = LoadedModel::load(file, 1);
  ASSERT_TRUE(model);
  EXPECT_THAT(model->description(), HasSubstr("\"model\": \"small\""));
  EXPECT_THAT(model->description(), HasSubstr("\"formulation\""));
  unlink(file.c_str());
}

TEST(Plan, AsksForLayoutTransformsToo) {
  // Forty channels of several pixels are not plain when blocked: the reshape needs a transform.
  const Graph graph = graph_of(R"(%x = input f32[1x40x4x4]
%w = constant f32[40x40x1x1]
%0 = conv %x %w {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
%1 = reshape %0 {shape=[1,640]}
output %1
)");
  const Lookup trial0 = [](const Task& task) -> std::optional<Choice> {
    const Candidate candidate = default_candidate(task, host()).value();
    return Choice{candidate.formulation, candidate.parameters, 1e-3};
  };
  const auto plan = hone::plan(graph, host(), trial0);
  ASSERT_TRUE(plan) << plan.error().text();
  EXPECT_GE(count_formulation(*plan, "transform"), 1);
  for (const PlannedOp& op : plan->ops) EXPECT_TRUE(op.tuned) << op.op.name;
}

TEST(Build, NamesAnOutputThatCannotBeWritten) {
  const Graph graph = graph_of("%x = input f32[4]\n%0 = relu %x\noutput %0\n");
  const auto plan = hone::plan(graph, host(), {});
  ASSERT_TRUE(plan);
  const auto report = build(*plan, "/nonexistent/m.so", {});
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("/nonexistent/m.so: cannot be written: No such file"));
  const auto folder = build(*plan, "/tmp", {});
  ASSERT_FALSE(folder);
  EXPECT_THAT(folder.error().text(), HasSubstr("/tmp: cannot be written: it is a folder"));
}

TEST(Build, CrossCompilesForAnotherMachine) {
  const Graph graph = graph_of(kConvNet);
  const auto target = resolve_target(host().triple.starts_with("x86") ? "aarch64-neon" : "x86-64-v3");
  ASSERT_TRUE(target);
  const auto plan = hone::plan(graph, *target, {});
  ASSERT_TRUE(plan) << plan.error().text();
  const std::string file = scratch_file("cross.so");
  const auto report = build(*plan, file, {});
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_FALSE(report->checked);
  const auto model = LoadedModel::load(file, 1);
  ASSERT_FALSE(model);
  EXPECT_THAT(model.error().text(), HasSubstr("the shared object is for"));
  unlink(file.c_str());
}

TEST(Plan, RefusesAnInputThatIsNotFloat) {
  const auto graph = parse_graph("%x = input i64[4]\n%y = input f32[4]\n%0 = relu %y\noutput %0\n");
  ASSERT_TRUE(graph) << graph.error().text();
  const auto plan = hone::plan(*graph, host(), {});
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().text(), HasSubstr("only f32 inputs are covered"));
}

}  // namespace
}  // namespace hone
