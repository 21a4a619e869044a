// Any placement the planner may choose gives the same values: wider halos, parts of wider buffers; halo,
// slack and the neighbours' channels are left alone. And a fault in a kernel does not pass.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/numeric/task_texts.h"

namespace hone::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Placement, ConvolutionsWorkInAnyPlacement) {
  EXPECT_THAT(sweep(
                  "direct", 40, 101, [](std::mt19937& r) { return random_conv(r).text(); }, true)
                  .failures,
              IsEmpty());
}

TEST(Placement, DepthwiseConvolutionsWorkInAnyPlacement) {
  const auto make = [](std::mt19937& r) {
    ConvText c = random_conv(r);
    c.in = c.out = c.groups = pick<int64_t>(r, {16, 20, 32});
    return c.text();
  };
  EXPECT_THAT(sweep("depthwise", 15, 102, make, true).failures, IsEmpty());
}

TEST(Placement, FirstLayersWorkInAnyPlacement) {
  const auto make = [](std::mt19937& r) {
    ConvText c = random_conv(r);
    c.in = 3;
    return c.text();
  };
  EXPECT_THAT(sweep("first_layer", 15, 103, make, true).failures, IsEmpty());
}

TEST(Placement, PoolsWorkInAnyPlacement) {
  EXPECT_THAT(sweep("pool", 25, 104, random_pool, true).failures, IsEmpty());
}

TEST(Placement, GlobalPoolsWorkInAnyPlacement) {
  const auto make = [](std::mt19937& r) {
    return input("x", random_image(r)) + "%0 = global_average_pool %x\noutput %0\n";
  };
  EXPECT_THAT(sweep("global_pool", 10, 105, make, true).failures, IsEmpty());
}

TEST(Placement, ElementwiseChainsWorkInAnyPlacement) {
  const auto make = [](std::mt19937& r) {
    const Shape x = random_image(r);
    return input("x", x) + input("z", x) + "%0 = add %x %z\n%1 = sigmoid %0\noutput %1\n";
  };
  EXPECT_THAT(sweep("elementwise", 25, 106, make, true).failures, IsEmpty());
}

TEST(Placement, TransformsWorkBetweenAnyLayoutsAndPlacements) {
  std::mt19937 random(107);
  const auto targets = runnable_targets();
  for (int i = 0; i < 40; ++i) {
    const Shape shape = random_image(random);
    const Target& target = targets[static_cast<size_t>(i) % targets.size()];
    const Task task = task_of(input("x", shape) + "%0 = transform %x\noutput %0\n");
    const auto layout = [&] {
      const int64_t block = pick<int64_t>(random, {1, 4, 8, 16});
      return block == 1 ? Layout::plain(4) : Layout::channel_blocked(block);
    };
    const Ports ports = random_placements(task, {{{layout(), {}}}, {layout(), {}}}, random);
    const Formulation* transform = find_formulation("transform");
    auto candidate =
        make_candidate(task, target, *transform, ports, transform->default_parameters(task, target, ports));
    ASSERT_TRUE(candidate) << candidate.error().text();
    const CheckReport report = checked(*candidate, "placement" + std::to_string(i));
    EXPECT_TRUE(report.ok) << report.reason << "\n"
                           << task.text << to_text(ports) << "\n"
                           << to_text(candidate->schedule);
  }
}

TEST(Placement, PlainRank4ChainsWork) {
  const Task task = task_of(input("x", {1, 20, 7, 13}) + "%0 = tanh %x\noutput %0\n");
  const Target target = runnable_targets()[0];
  const Formulation* map = find_formulation("elementwise");
  const Ports ports{{{Layout::plain(4), {}}}, {Layout::plain(4), {}}};
  auto candidate = make_candidate(task, target, *map, ports, map->default_parameters(task, target, ports));
  ASSERT_TRUE(candidate) << candidate.error().text();
  EXPECT_EQ(checked(*candidate, "plain").reason, "");
}

/// The artifact of `task` at trial 0, but checked against the reference of `other`.
CheckReport checked_as(const std::string& task, const std::string& other) {
  const Target target = runnable_targets()[0];
  auto candidate = default_candidate(task_of(task), target);
  auto reference = reference_output(task_of(other), target, "fault");
  HONE_CHECK(candidate && reference);
  return checked_against(*candidate, *reference, "fault");
}

/// Takes the last term off every reduction over a single axis; gives how many there were.
int drop_last_terms(std::vector<loop::Statement>& body) {
  int count = 0;
  for (loop::Statement& statement : body) {
    for (loop::Loop& inner : statement.loop) count += drop_last_terms(inner.body);
    for (loop::Tile& tile : statement.tile)
      if (tile.reduce.size() == 1 && tile.reduce[0].extent > 1) --tile.reduce[0].extent, ++count;
  }
  return count;
}

TEST(Fault, DroppingOneOfManyTermsOfAReductionFails) {
  const Task task =
      task_of(input("x", {1, 4096}) + constant("w", {4096, 64}) + "%0 = dense %x %w\noutput %0\n");
  const Target target = runnable_targets()[0];
  auto candidate = default_candidate(task, target);
  ASSERT_TRUE(candidate);
  auto reference = reference_output(task, target, "fault");
  ASSERT_TRUE(reference);
  for (const bool faulty : {false, true}) {
    auto lowered = lower_candidate(*candidate);
    ASSERT_TRUE(lowered);
    if (faulty) {
      ASSERT_GT(drop_last_terms(lowered->run.phases[0].body), 0);
    }
    EmitOptions options;
    options.data = {{"hone_signature", to_json(lowered->signature) + '\0'}};
    auto object = emit({{"hone_run", &lowered->run}, {"hone_prepare", &*lowered->prepare}}, target, options);
    ASSERT_TRUE(object) << object.error().text();
    auto linked = link_shared({object->elf}, target, {"hone_run", "hone_prepare", "hone_signature"});
    ASSERT_TRUE(linked) << linked.error().text();
    auto loaded = LoadedArtifact::load(*linked);
    ASSERT_TRUE(loaded) << loaded.error().text();
    auto buffers = make_buffers(*loaded, "fault");
    ASSERT_TRUE(buffers);
    loaded->run(buffers->pointers.data());
    const CheckReport report = check(loaded->signature(), *buffers, *reference);
    EXPECT_EQ(report.ok, !faulty) << report.reason;
    if (faulty) {
      EXPECT_THAT(report.reason, HasSubstr("x epsilon x magnitude"));
    }
  }
}

TEST(Fault, AHundredthOfOneTermInOneElementFails) {
  const Task task = task_of(ConvText{512, 16, 7, 7, 3, 1, 1}.text());
  const Target target = runnable_targets()[0];
  const Formulation& direct = *find_formulation("direct");
  const Ports ports = default_ports(direct, task, target);
  auto candidate =
      make_candidate(task, target, direct, ports, direct.default_parameters(task, target, ports));
  ASSERT_TRUE(candidate);
  auto reference = reference_output(task, target, "fault");
  ASSERT_TRUE(reference);
  EXPECT_EQ(checked_against(*candidate, *reference, "fault").reason, "");
  ReferenceOutput other = *reference;
  other.value[17] -= other.magnitude[17] / (2 * 4608 * 100.0);
  EXPECT_THAT(checked_against(*candidate, other, "fault").reason, HasSubstr("x epsilon x magnitude"));
}

TEST(Fault, AnotherOperatorsResultFails) {
  const std::string x = input("x", {1, 20, 13, 17});
  EXPECT_EQ(checked_as(x + "%0 = relu %x\noutput %0\n", x + "%0 = relu %x\noutput %0\n").reason, "");
  EXPECT_THAT(checked_as(x + "%0 = relu %x\noutput %0\n", x + "%0 = abs %x\noutput %0\n").reason,
              HasSubstr("element"));
  const std::string pads = "{kernel=[3,3] strides=[1,1] pads=[1,1,1,1]";
  EXPECT_THAT(checked_as(x + "%0 = average_pool %x " + pads + " include_pad=1}\noutput %0\n",
                         x + "%0 = average_pool %x " + pads + " include_pad=0}\noutput %0\n")
                  .reason,
              HasSubstr("element"));
}

}  // namespace
}  // namespace hone::testing
