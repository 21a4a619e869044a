// What trial 0 is, as text: ports, parameters, computation and schedule of one task of each family on every
// named target.
#include <gtest/gtest.h>

#include "codegen/artifact/artifact.h"
#include "tests/support/golden.h"

namespace hone {
namespace {

void expect_trial_0(const std::string& name, const std::string& graph) {
  auto parsed = parse_graph(graph);
  ASSERT_TRUE(parsed) << parsed.error().text();
  const Task task = make_task(std::move(*parsed));
  std::string text = task.text;
  for (const char* target_name : {"x86-64-v4", "x86-64-v3", "aarch64-neon"}) {
    const Target target = *resolve_target(target_name);
    auto candidate = default_candidate(task, target);
    ASSERT_TRUE(candidate) << candidate.error().text();
    const Formulation* formulation = find_formulation(candidate->formulation);
    auto formulated = formulation->formulate(task, target, candidate->ports);
    ASSERT_TRUE(formulated) << formulated.error().text();
    text += "\n=== " + std::string(target_name) + ": " + candidate->formulation + "\nports " +
            to_text(candidate->ports) + "\nparameters " + to_text(candidate->parameters) + "\n--- run\n" +
            to_text(formulated->run) + "--- schedule\n" + to_text(candidate->schedule) + "--- prepare\n" +
            to_text(formulated->prepare);
  }
  test::expect_golden("formulation/" + name + ".txt", text);
}

TEST(Trial0, OfAConvolutionWithAResidual) {
  expect_trial_0("direct",
                 "%x = input f32[1x64x28x28]\n%r = input f32[1x128x14x14]\n%w = constant f32[128x64x3x3]\n"
                 "%b = constant f32[128]\n%0 = conv %x %w %b {strides=[2,2] pads=[1,1,1,1]}\n%1 = add %0 %r\n"
                 "%2 = relu %1\noutput %2\n");
}

TEST(Trial0, OfAPointwiseConvolution) {
  expect_trial_0("pointwise",
                 "%x = input f32[1x24x7x7]\n%w = constant f32[100x24x1x1]\n%0 = conv %x %w\noutput %0\n");
}

TEST(Trial0, OfADepthwiseConvolution) {
  expect_trial_0("depthwise",
                 "%x = input f32[1x32x17x17]\n%w = constant f32[32x1x3x3]\n"
                 "%0 = conv %x %w {pads=[1,1,1,1] groups=32}\noutput %0\n");
}

TEST(Trial0, OfAFirstLayer) {
  expect_trial_0(
      "first_layer",
      "%x = input f32[1x3x35x35]\n%w = constant f32[32x3x3x3]\n%0 = conv %x %w {strides=[2,2]}\noutput %0\n");
}

TEST(Trial0, OfAPaddedMaximum) {
  expect_trial_0("max_pool",
                 "%x = input f32[1x20x13x13]\n%0 = max_pool %x {kernel=[3,3] strides=[2,2] pads=[1,1,1,1]}\n"
                 "output %0\n");
}

TEST(Trial0, OfADenseLayer) {
  expect_trial_0("dense",
                 "%x = input f32[1x512]\n%w = constant f32[1000x512]\n%b = constant f32[1000]\n"
                 "%0 = dense %x %w %b {transpose_b=1}\noutput %0\n");
}

TEST(Trial0, OfASoftmax) {
  expect_trial_0("softmax", "%x = input f32[1x1000]\n%0 = softmax %x {axis=1}\noutput %0\n");
}

TEST(Trial0, OfAnUnalignedConcat) {
  expect_trial_0(
      "concat",
      "%x = input f32[1x24x7x7]\n%z = input f32[1x40x7x7]\n%0 = concat %x %z {axis=1}\noutput %0\n");
}

}  // namespace
}  // namespace hone
