// Convolutions of random shapes and random parameters give what the float64 reference gives.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/numeric/task_texts.h"

namespace hone::testing {
namespace {

using ::testing::IsEmpty;

void report(const char* name, const Sweep& s) {
  std::printf("%s: %d checked, worst factor %.3g, worst L2 %.3g\n", name, s.checked, s.worst_factor,
              s.worst_l2);
}

TEST(Conv, DirectMatchesTheReferenceOnRandomShapesAndParameters) {
  const Sweep s = sweep("direct", 40, 1, [](std::mt19937& random) { return random_conv(random).text(); });
  report("direct", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, FirstLayerMatchesTheReference) {
  const Sweep s = sweep("first_layer", 20, 2, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.in = pick<int64_t>(random, {1, 2, 3, 4});
    c.kernel = pick<int64_t>(random, {3, 5, 7});
    c.h = c.w = pick<int64_t>(random, {17, 32, 35});
    c.dilation = 1;
    c.pad = pick<int64_t>(random, {0, c.kernel / 2});
    return c.text();
  });
  report("first_layer", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, GroupsMatchTheReference) {
  const Sweep s = sweep("grouped", 15, 3, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.groups = pick<int64_t>(random, {2, 3, 5});
    c.in = c.groups * pick<int64_t>(random, {1, 4, 7});
    c.out = c.groups * pick<int64_t>(random, {1, 2, 8});
    return c.text();
  });
  report("grouped", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, PointwiseGroupsOfAnySizeMatchTheReference) {
  const Sweep s = sweep("grouped", 25, 10, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.groups = pick<int64_t>(random, {1, 2, 4});
    c.in = c.groups * pick<int64_t>(random, {1, 3, 7, 34});
    c.out = c.groups * pick<int64_t>(random, {1, 2, 5, 34});
    c.kernel = c.stride = 1;
    c.pad = 0;
    return c.text();
  });
  report("pointwise groups", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

TEST(Conv, GroupsOfWholeBlocksMatchTheReference) {
  const Sweep s = sweep("direct", 10, 4, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.groups = pick<int64_t>(random, {2, 3});
    c.in = c.groups * pick<int64_t>(random, {16, 32});
    c.out = c.groups * pick<int64_t>(random, {16, 48});
    return c.text();
  });
  report("direct groups", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

/// Stride 1, with sizes that tiles divide and that they hang over. A window of height 1 or width 1 where
/// `side` says.
enum class Side { both, height, width };
ConvText winograd_conv(std::mt19937& random, int64_t window, Side side = Side::both) {
  ConvText c = random_conv(random);
  c.in = pick<int64_t>(random, {16, 20, 32, 48});
  c.out = pick<int64_t>(random, {16, 24, 32, 64});
  c.stride = c.dilation = 1;
  c.kernel = window;
  c.pad = pick<int64_t>(random, {0, window / 2, window / 2});
  if (side != Side::both) c.kernel_w = window, c.pad_w = c.pad;
  if (side == Side::height) c.kernel_w = 1, c.pad_w = 0;
  if (side == Side::width) c.kernel = 1, c.pad = 0;
  c.h = pick<int64_t>(random, {12, 13, 14, 16, 17, 28});
  c.w = pick<int64_t>(random, {12, 13, 14, 16, 17, 35});
  return c;
}

/// Shapes are drawn again until the formulation takes them: tiny images do not pay.
void expect_winograd(const char* name, uint32_t seed, int count, const std::vector<int64_t>& windows,
                     const std::vector<Side>& sides) {
  const Target widest = runnable_targets()[0];
  for (const int64_t window : windows)
    for (const Side side : sides) {
      const Sweep s = sweep(name, count, seed, [&](std::mt19937& random) {
        for (int tries = 0; tries < 100; ++tries) {
          const std::string text = winograd_conv(random, window, side).text();
          if (find_formulation(name)->applies(task_of(text), widest)) return text;
        }
        return winograd_conv(random, window, side).text();
      });
      report((name + std::string(side == Side::both ? " " : " along one side ") + std::to_string(window))
                 .c_str(),
             s);
      EXPECT_THAT(s.failures, IsEmpty()) << window;
    }
}

TEST(Conv, WinogradOfFourByFourMatchesTheReference) {
  expect_winograd("winograd4", 6, 25, {3}, {Side::both});
}
TEST(Conv, WinogradOfTwoByTwoMatchesTheReference) { expect_winograd("winograd2", 7, 25, {3}, {Side::both}); }
TEST(Conv, WinogradOfSixBySixMatchesTheReference) { expect_winograd("winograd6", 8, 25, {3}, {Side::both}); }
TEST(Conv, WinogradOfLargerWindowsMatchesTheReference) {
  // Each vector width once: LLVM takes seconds for transforms of this size.
  expect_winograd("winograd2", 9, 4, {5, 7}, {Side::both});
  expect_winograd("winograd4", 9, 4, {5}, {Side::both});
}
TEST(Conv, WinogradAlongOneSideMatchesTheReference) {
  for (const char* name : {"winograd2", "winograd4", "winograd6"})
    expect_winograd(name, 10, 6, {3, 5, 7}, {Side::height, Side::width});
}

/// A 1x1 convolution of x * gate, the gate first or second.
std::string gated_conv(std::mt19937& random) {
  const int64_t in = pick<int64_t>(random, {5, 8, 16, 20, 24, 40, 96}),
                out = pick<int64_t>(random, {1, 3, 16, 24, 40}), h = pick<int64_t>(random, {7, 9, 14}),
                w = pick<int64_t>(random, {7, 14, 17, 28});
  const bool adds = random() % 2;
  std::string s = input("x", {1, in, h, w}) + input("g", {1, in, 1, 1});
  if (adds) s += input("r", {1, out, h, w});
  const bool bias = random() % 2;
  s += constant("w", {out, in, 1, 1}) + (bias ? constant("b", {out}) : "");
  s += random() % 2 ? "%0 = mul %x %g\n" : "%0 = mul %g %x\n";
  s += bias ? "%1 = conv %0 %w %b\n" : "%1 = conv %0 %w\n";
  if (adds) return s + "%2 = add %1 %r\n%3 = relu %2\noutput %3\n";
  return s + pick<std::string>(random, {"%2 = hard_swish %1\noutput %2\n", "output %1\n",
                                        "%2 = sigmoid %1\n%3 = mul %1 %2\noutput %3\n"});
}

TEST(Conv, GatedMatchesTheReference) {
  const Sweep s = sweep("gated", 30, 8, gated_conv);
  report("gated", s);
  EXPECT_THAT(s.failures, IsEmpty());
  const Sweep placed = sweep("gated", 15, 9, gated_conv, true);
  report("gated in any placement", placed);
  EXPECT_THAT(placed.failures, IsEmpty());
}

/// A 1x1 convolution of what up to four elementwise nodes make of x, most with a constant per channel.
std::string preactivated_conv(std::mt19937& random) {
  const int64_t batch = pick<int64_t>(random, {1, 1, 2}), in = pick<int64_t>(random, {5, 8, 16, 20, 24, 40, 96}),
                out = pick<int64_t>(random, {1, 3, 16, 24, 32, 40}), h = pick<int64_t>(random, {1, 7, 9, 14}),
                w = pick<int64_t>(random, {1, 7, 14, 17, 28});
  const bool adds = random() % 2, bias = random() % 2;
  std::string s = input("x", {batch, in, h, w});
  if (adds) s += input("r", {batch, out, h, w});
  const Shape each = pick<Shape>(random, {{1, in, 1, 1}, {in, 1, 1}, {1}});
  s += constant("m", each) + constant("a", {1, in, 1, 1});
  s += constant("w", {out, in, 1, 1}) + (bias ? constant("b", {out}) : "");
  s += pick<std::string>(random, {"%0 = mul %x %m\n%1 = add %0 %a\n%2 = relu %1\n",
                                  "%0 = sub %a %x\n%1 = hard_swish %0\n%2 = maximum %1 %m\n", "%2 = sigmoid %x\n",
                                  "%0 = add %x %a\n%2 = clip %0 {min=-0.5 max=0.75}\n"});
  s += bias ? "%3 = conv %2 %w %b\n" : "%3 = conv %2 %w\n";
  if (adds) return s + "%4 = add %3 %r\n%5 = relu %4\noutput %5\n";
  return s + pick<std::string>(random, {"%4 = hard_swish %3\noutput %4\n", "output %3\n",
                                        "%4 = exp %3\n%5 = mul %3 %4\noutput %5\n"});
}

TEST(Conv, PreactivatedMatchesTheReference) {
  const Sweep s = sweep("preactivated", 40, 12, preactivated_conv);
  report("preactivated", s);
  EXPECT_THAT(s.failures, IsEmpty());
  const Sweep placed = sweep("preactivated", 20, 13, preactivated_conv, true);
  report("preactivated in any placement", placed);
  EXPECT_THAT(placed.failures, IsEmpty());
}

/// Outputs of a run in which every phase is divided into `parts` ranges, the last range first.
std::vector<std::vector<float>> outputs_in_parts(const LoadedArtifact& artifact, int64_t parts) {
  const auto buffers = make_buffers(artifact, "parts");
  HONE_CHECK(buffers.has_value());
  const Signature& signature = artifact.signature();
  for (size_t phase = 0; phase < signature.phases.size(); ++phase) {
    const int64_t extent = signature.phases[phase].extent;
    for (int64_t part = parts; part-- > 0;)
      artifact.run_range(buffers->pointers.data(), static_cast<int32_t>(phase), extent * part / parts,
                         extent * (part + 1) / parts);
  }
  std::vector<std::vector<float>> outputs;
  for (size_t k = 0; k < signature.buffers.size(); ++k)
    if (signature.buffers[k].role == Role::output)
      outputs.push_back(unpack(signature.buffers[k], buffers->owned[k].data()));
  return outputs;
}

TEST(Conv, WinogradIsBitEqualHoweverThreadsDivideIt) {
  std::mt19937 random(11);
  for (const Target& target : runnable_targets())
    for (const char* name : {"winograd2", "winograd4", "winograd6"})
      for (const Side side : {Side::both, Side::height, Side::width}) {
        ConvText text = winograd_conv(random, 3, side);
        text.h = text.w = 28;
        const Task task = task_of(text.text());
        const Formulation& formulation = *find_formulation(name);
        ASSERT_TRUE(formulation.applies(task, target));
        const Ports ports = default_ports(formulation, task, target);
        const auto first = make_candidate(task, target, formulation, ports,
                                          formulation.default_parameters(task, target, ports));
        ASSERT_TRUE(first) << first.error().text();
        for (const Candidate& candidate :
             {*first, random_candidate(task, target, formulation, ports, random)}) {
          const auto artifact = compile(candidate);
          ASSERT_TRUE(artifact) << artifact.error().text();
          const auto loaded = LoadedArtifact::load(artifact->shared_object);
          ASSERT_TRUE(loaded) << loaded.error().text();
          const auto whole = outputs_in_parts(*loaded, 1);
          ASSERT_FALSE(whole.at(0).empty());
          EXPECT_EQ(whole, outputs_in_parts(*loaded, 2)) << to_text(candidate.parameters);
          EXPECT_EQ(whole, outputs_in_parts(*loaded, 3)) << to_text(candidate.parameters);
        }
      }
}

TEST(Conv, DepthwiseMatchesTheReference) {
  const Sweep s = sweep("depthwise", 25, 5, [](std::mt19937& random) {
    ConvText c = random_conv(random);
    c.in = c.out = c.groups = pick<int64_t>(random, {3, 5, 16, 20, 24, 32, 100});
    c.kernel = pick<int64_t>(random, {3, 3, 5, 7});
    c.pad = pick<int64_t>(random, {1, c.kernel / 2});
    c.dilation = c.kernel == 3 ? pick<int64_t>(random, {1, 1, 2}) : 1;
    return c.text();
  });
  report("depthwise", s);
  EXPECT_THAT(s.failures, IsEmpty());
}

}  // namespace
}  // namespace hone::testing
