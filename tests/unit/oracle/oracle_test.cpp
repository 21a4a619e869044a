// The interpreter of task texts: every operator against values worked out by hand or by the graph's
// evaluator, and texts that mean harm. tests/numeric holds it to reference artifacts.
#include "codegen/oracle/oracle.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "codegen/base/digest.h"
#include "codegen/graph/evaluate.h"
#include "codegen/graph/task.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

std::string task_text(const std::string& graph_text) {
  auto graph = parse_graph(graph_text);
  EXPECT_TRUE(graph) << graph.error().text() << "\n" << graph_text;
  return graph ? make_task(std::move(*graph)).text : "";
}

Oracle oracle_of(const std::string& graph_text) {
  auto oracle = Oracle::create(task_text(graph_text));
  EXPECT_TRUE(oracle) << oracle.error().text();
  return *oracle;
}

std::string refusal(const std::string& text) {
  const auto oracle = Oracle::create(text);
  return oracle ? "accepted" : oracle.error().text();
}

/// One task for each operator, some in more than one form.
const std::vector<std::string>& samples() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> texts;
    const std::string x = "%x = input f32[2x6x7x5]\n";
    const auto chain = [&](const std::string& node) {
      texts.push_back(x + "%y = " + node + "\noutput %y\n");
    };
    for (const char* op : {"relu",
                           "clip {min=-0.5 max=0.25}",
                           "clip",
                           "sigmoid",
                           "tanh",
                           "exp",
                           "neg",
                           "abs",
                           "sqrt",
                           "reciprocal",
                           "hard_sigmoid {alpha=0.3 beta=0.4}",
                           "hard_swish",
                           "transform",
                           "global_average_pool",
                           "global_max_pool",
                           "channel_shuffle {groups=3}",
                           "max_pool {kernel=[3,3] strides=[2,2] pads=[1,1,1,1]}",
                           "max_pool {kernel=[2,2] strides=[1,1] pads=[1,1,1,1] dilations=[2,2]}",
                           "average_pool {kernel=[3,2] strides=[2,1] pads=[1,1,1,0]}",
                           "average_pool {kernel=[3,2] strides=[2,1] pads=[1,1,1,0] include_pad=1}",
                           "average_pool {kernel=[2,2] strides=[2,2]}",
                           "reshape {shape=[2,35,6]}",
                           "transpose {permutation=[2,0,3,1]}",
                           "softmax {axis=1}",
                           "softmax {axis=3}",
                           "log_softmax {axis=2}",
                           "pad {pads=[0,1,2,0,1,0,0,3] value=0.5}",
                           "reduce_mean {axes=[1,3] keep_dims=0}",
                           "reduce_mean {axes=[0,1,2,3] keep_dims=1}",
                           "slice {axes=[1,3] starts=[1,0] ends=[6,5] steps=[2,3]}",
                           "lrn {size=3 alpha=0.5 beta=0.75 bias=1.0}",
                           "lrn {size=4 alpha=0.5 beta=0.6 bias=2.0}"}) {
      const std::string text = op;
      const size_t open = text.find(' ');
      chain(text.substr(0, open) + " %x" + (open == std::string::npos ? "" : text.substr(open)));
    }
    const std::string z = "%z = input f32[6x1x5]\n";
    for (const char* op : {"add", "sub", "mul", "div", "maximum", "minimum"})
      texts.push_back(x + z + "%y = " + op + " %x %z\noutput %y\n");
    texts.push_back(x + "%z = input f32[2x3x7x5]\n%y = concat %x %z %x {axis=1}\noutput %y\n");
    texts.push_back(x +
                    "%w = constant f32[8x3x3x2]\n%b = constant f32[8]\n%y = conv %x %w %b {strides=[2,1] "
                    "pads=[1,0,2,1] dilations=[2,1] groups=2}\noutput %y\n");
    texts.push_back(x + "%w = constant f32[6x1x3x3]\n%y = conv %x %w {pads=[1,1,1,1] groups=6}\noutput %y\n");
    texts.push_back(x +
                    "%a = constant f32[6]\n%b = constant f32[6]\n%c = constant f32[6]\n%d = constant f32[6]\n"
                    "%y = batch_norm %x %a %b %c %d {epsilon=0.001}\noutput %y\n");
    texts.push_back(
        "%x = input f32[3x300]\n%w = constant f32[300x4]\n%b = constant f32[4]\n"
        "%y = dense %x %w %b\noutput %y\n");
    texts.push_back(
        "%x = input f32[3x4]\n%w = constant f32[5x4]\n%y = dense %x %w {transpose_b=1}\noutput %y\n");
    texts.push_back("%x = input f32[2x1x3x4]\n%z = input f32[5x4x2]\n%y = matmul %x %z\noutput %y\n");
    texts.push_back("%x = input f32[3x4]\n%i = constant i64[2x2]\n%y = gather %x %i {axis=1}\noutput %y\n");
    // Chains: a residual block's end, x * sigmoid(x), a gate and a pre-activation before a convolution.
    texts.push_back(
        x +
        "%r = input f32[2x4x7x5]\n%w = constant f32[4x6x1x1]\n%0 = conv %x %w\n%1 = relu %0\n%2 = add %1 "
        "%r\n%3 = relu %2\noutput %3\n");
    texts.push_back(
        x + "%w = constant f32[4x6x1x1]\n%0 = conv %x %w\n%1 = sigmoid %0\n%2 = mul %0 %1\noutput %2\n");
    texts.push_back(
        "%x = input f32[1x6x4x4]\n%g = input f32[1x6x1x1]\n%w = constant f32[4x6x1x1]\n%0 = mul %x %g\n%1 = "
        "conv "
        "%0 %w\noutput %1\n");
    texts.push_back(
        x +
        "%s = constant f32[6x1x1]\n%t = constant f32[6x1x1]\n%w = constant f32[4x6x1x1]\n%0 = mul %x "
        "%s\n%1 = add %0 %t\n%2 = relu %1\n%3 = conv %2 %w\noutput %3\n");
    // Values that windows and two passes read again.
    texts.push_back(
        x +
        "%0 = max_pool %x {kernel=[2,2]}\n%1 = softmax %0 {axis=1}\n%2 = average_pool %1 {kernel=[3,3]}\n"
        "output %2\n");
    return texts;
  }();
  return all;
}

/// All elements of the task's output by the graph's own evaluator, in float32.
std::vector<float> evaluated(const Oracle& oracle) {
  auto task = parse_task(oracle.task());
  Graph graph = task->graph;
  const auto source = test_data(oracle, "seed");
  std::vector<Constant> inputs;
  size_t number = 0;
  for (const OracleTensor& tensor : oracle.inputs()) {
    std::vector<float> data(static_cast<size_t>(element_count(tensor.type.shape)));
    source(number++, 0, 1, data);
    Constant constant = constant_of(data);
    for (Value& value : graph.values) {
      if (value.name != tensor.name || !tensor.constant) continue;
      if (value.type.dtype == DType::i64) {
        std::vector<int64_t> integers;
        for (const float one : data) integers.push_back(static_cast<int64_t>(std::floor(one)));
        constant = constant_of(integers);
      }
      value.constant = std::make_shared<Constant>(constant);
    }
    if (!tensor.constant) inputs.push_back(std::move(constant));
  }
  auto outputs = interpret(graph, inputs);
  EXPECT_TRUE(outputs) << outputs.error().text();
  const auto y = floats((*outputs)[0]);
  return {y.begin(), y.end()};
}

TEST(Oracle, AgreesWithTheEvaluatorOfGraphsInEveryElement) {
  for (const std::string& text : samples()) {
    const Oracle oracle = oracle_of(text);
    const std::vector<float> wanted = evaluated(oracle);
    const auto source = test_data(oracle, "seed");
    ASSERT_EQ(oracle.elements(), static_cast<int64_t>(wanted.size())) << text;
    for (int64_t i = 0; i < oracle.elements(); ++i) {
      const auto element = oracle.element(i, source);
      ASSERT_TRUE(element) << element.error().text() << text;
      ASSERT_NEAR(element->value, wanted[static_cast<size_t>(i)], 4e-6 * (1 + element->magnitude))
          << i << " of\n"
          << text;
      ASSERT_GE(element->magnitude, std::abs(element->value) * (1 - 1e-9)) << i << " of\n" << text;
    }
  }
}

// Whoever adds an operator adds a sample here, and so learns that the interpreter needs it.
TEST(Oracle, CoversEveryOperatorThatATaskMayHave) {
  std::set<Op> seen;
  for (const std::string& text : samples()) {
    const Task task = parse_task(task_text(text)).value();
    for (const Node& node : task.graph.nodes) seen.insert(node.op);
  }
  for (int op = 0; op <= static_cast<int>(Op::transform); ++op)
    EXPECT_TRUE(seen.contains(static_cast<Op>(op))) << to_text(static_cast<Op>(op));
}

TEST(Oracle, GivesTheMagnitudesOfTheContract) {
  const std::string x = "%x = input f32[1]\n%z = input f32[1]\n";
  const auto of = [&](const std::string& nodes) {
    const Oracle oracle = oracle_of(x + nodes);
    const auto source = [](size_t tensor, int64_t, int64_t, std::span<float> out) {
      std::fill(out.begin(), out.end(), tensor == 0 ? -3.0f : 0.5f);
    };
    return oracle.element(0, source).value();
  };
  EXPECT_EQ(of("%y = add %x %z\noutput %y\n").magnitude, 3.5);
  EXPECT_EQ(of("%y = mul %x %z\noutput %y\n").magnitude, 3);
  EXPECT_EQ(of("%y = div %x %z\noutput %y\n").magnitude, 6 + 6);
  EXPECT_EQ(of("%0 = add %x %z\n%y = relu %0\noutput %y\n").magnitude, 3.5);
  EXPECT_EQ(of("%0 = add %x %z\n%y = relu %0\noutput %y\n").value, 0);
  EXPECT_EQ(of("%0 = add %x %z\n%y = exp %0\noutput %y\n").magnitude, std::exp(-2.5) * 4.5);
  EXPECT_EQ(of("%0 = add %x %z\n%y = tanh %0\noutput %y\n").magnitude, std::tanh(2.5) + 3.5);
}

TEST(Oracle, NamesInputsThenConstantsWithTheRangesOfSignatures) {
  const Oracle oracle = oracle_of(
      "%p = input f32[2x6x4x4]\n%q = input f32[2x4x4x4]\n%w = constant f32[4x6x1x1]\n%0 = conv %p %w\n%1 = "
      "div %0 "
      "%q\noutput %1\n");
  ASSERT_EQ(oracle.inputs().size(), 3u);
  EXPECT_EQ(oracle.inputs()[0].name, "x");
  EXPECT_EQ(oracle.inputs()[1].name, "x1");
  EXPECT_EQ(oracle.inputs()[1].range, (ValueRange{0.5f, 1.5f}));
  EXPECT_EQ(oracle.inputs()[2].name, "w");
  EXPECT_TRUE(oracle.inputs()[2].constant);
  EXPECT_EQ(oracle.output().name, "y");
  EXPECT_EQ(oracle.output().type.shape, (Shape{2, 4, 4, 4}));
}

TEST(Oracle, SaysWhatAnElementCostsBeforeItIsWorkedOut) {
  const Oracle conv = oracle_of(
      "%x = input f32[1x64x56x56]\n%w = constant f32[64x64x3x3]\n%0 = conv %x %w {pads=[1,1,1,1]}\n%1 = relu "
      "%0\noutput %1\n");
  EXPECT_EQ(conv.cost(), 2 * 64 * 9 + 1);
  // x * sigmoid(x): the convolution once, not twice.
  const Oracle swish = oracle_of(
      "%x = input f32[1x64x8x8]\n%w = constant f32[64x64x1x1]\n%0 = conv %x %w\n%1 = sigmoid %0\n%2 = mul %0 "
      "%1\noutput %2\n");
  EXPECT_EQ(swish.cost(), 2 * 64 + 1 + 2);
}

TEST(Oracle, AsksForNoElementThatATensorHasNot) {
  for (const std::string& text : samples()) {
    const Oracle oracle = oracle_of(text);
    double asked = 0;
    const auto source = [&](size_t tensor, int64_t first, int64_t stride, std::span<float> out) {
      const int64_t count = element_count(oracle.inputs().at(tensor).type.shape);
      const int64_t last = first + stride * (static_cast<int64_t>(out.size()) - 1);
      ASSERT_TRUE(first >= 0 && first < count && last >= 0 && last < count) << text;
      asked += static_cast<double>(out.size());
      std::fill(out.begin(), out.end(), 1.0f);
    };
    for (int64_t i = 0; i < oracle.elements(); ++i) {
      asked = 0;
      ASSERT_TRUE(oracle.element(i, source));
      ASSERT_LE(asked, oracle.cost()) << text;
    }
  }
}

TEST(Oracle, RefusesElementsOutsideTheOutput) {
  const Oracle oracle = oracle_of("%x = input f32[4]\n%y = relu %x\noutput %y\n");
  const auto source = test_data(oracle, "seed");
  for (const int64_t index : {int64_t{-1}, int64_t{4}, std::numeric_limits<int64_t>::min()}) {
    const auto element = oracle.element(index, source);
    ASSERT_FALSE(element);
    EXPECT_THAT(element.error().text(), HasSubstr("of f32[4]"));
  }
}

TEST(Oracle, RefusesTextsThatAreNoTask) {
  EXPECT_THAT(refusal(""), HasSubstr("begins with 'task v1'"));
  EXPECT_THAT(refusal("task v1\n%x = input f32[4]\noutput %x\n"), HasSubstr("needs a node"));
  EXPECT_THAT(refusal("task v1\n%y = relu %y\noutput %y\n"), HasSubstr("%y is not made before"));
  EXPECT_THAT(refusal("task v1\n%x = input i64[4]\n%y = add %x %x\noutput %y\n"),
              HasSubstr("i64 are not interpreted"));
}

TEST(Oracle, RefusesShapesWhoseElementsOverflow) {
  EXPECT_THAT(refusal("task v1\n%x = input f32[4294967296x4294967296]\n%y = relu %x\noutput %y\n"),
              HasSubstr("empty or too large"));
  EXPECT_THAT(refusal("task v1\n%x = input f32[9223372036854775807]\n%y = pad %x {pads=[1,1]}\noutput %y\n"),
              HasSubstr("empty or too large"));
  EXPECT_THAT(
      refusal("task v1\n%x = input f32[4]\n%y = reshape %x {shape=[4294967296,4294967296,4]}\noutput %y\n"),
      HasSubstr("not resolved, or too large"));
  EXPECT_THAT(
      refusal(
          "task v1\n%x = input f32[4x4]\n%y = slice %x {axes=[0,0] starts=[0,3] ends=[4,4]}\noutput %y\n"),
      HasSubstr("axis 0 is given twice"));
}

TEST(Oracle, RefusesWhatWouldTakeForEver) {
  std::string deep = "task v1\n%x = input f32[4]\n";
  for (size_t i = 0; i <= kMostTaskNodes; ++i)
    deep += "%" + std::to_string(i) + " = relu %" + (i == 0 ? "x" : std::to_string(i - 1)) + "\n";
  EXPECT_THAT(refusal(deep + "output %" + std::to_string(kMostTaskNodes) + "\n"),
              HasSubstr("129 nodes, more than 128"));

  const Oracle wide = oracle_of(
      "%x = input f32[65536x65536]\n%0 = softmax %x {axis=0}\n%1 = softmax %0 {axis=1}\noutput %1\n");
  EXPECT_GT(wide.cost(), 65536.0 * 65536.0);
  const auto element = wide.element(0, test_data(wide, "seed"));
  ASSERT_FALSE(element);
  EXPECT_THAT(element.error().text(), HasSubstr("too many"));
}

}  // namespace
}  // namespace hone
