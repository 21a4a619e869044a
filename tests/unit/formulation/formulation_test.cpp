// Formulations without running any code: blocks, texts, spaces whose every point lowers, errors.
#include "codegen/formulation/formulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "codegen/artifact/artifact.h"
#include "codegen/formulation/blocks.h"
#include "codegen/formulation/magnitude.h"
#include "codegen/formulation/tiles.h"

namespace hone {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;

Task task_of(const std::string& text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().text();
  return make_task(*graph);
}

Target named(const char* name) { return *resolve_target(name); }

const char* const kConv =
    "%x = input f32[1x64x28x28]\n%w = constant f32[128x64x3x3]\n%b = constant f32[128]\n"
    "%0 = conv %x %w %b {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}\n%1 = relu %0\noutput %1\n";

TEST(Blocks, AreTheLanesOrTheNextPowerOfTwoForFewChannels) {
  const Target wide = named("x86-64-v4"), narrow = named("x86-64-v2");
  EXPECT_EQ(channel_block(wide, 64), 16);
  EXPECT_EQ(channel_block(wide, 9), 16);
  EXPECT_EQ(channel_block(wide, 8), 8);
  EXPECT_EQ(channel_block(wide, 3), 4);
  EXPECT_EQ(channel_block(wide, 1), 1);
  EXPECT_EQ(channel_block(narrow, 64), 4);
  EXPECT_EQ(to_text(activation_layout(wide, {1, 64, 7, 7})), "aBcd16b");
  EXPECT_TRUE(activation_layout(wide, {1, 1, 7, 7}).is_plain());
  EXPECT_TRUE(activation_layout(wide, {64, 7}).is_plain());
}

TEST(Tiles, FitTheRegistersOfEveryTarget) {
  for (const char* name : {"x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64-neon"}) {
    const Target target = named(name);
    for (const int64_t columns : {7, 13, 17, 28, 35, 55, 56}) {
      const TileProblem problem{8, columns, columns, 4, 576};
      const RegisterTile tile = best_tile(target, problem);
      EXPECT_TRUE(fits_registers(target, tile)) << name << " " << columns;
      EXPECT_GE(tile.channels * tile.rows * tile.columns, 6) << name << " " << columns;
    }
  }
}

TEST(Tiles, OfTheWidestTargetAreFourteenColumnsByTwoBlocks) {
  EXPECT_EQ(best_tile(named("x86-64-v4"), {4, 56, 56, 4, 576}), (RegisterTile{2, 1, 14}));
}

TEST(Text, OfPortsParsesBack) {
  const Ports ports{
      {{Layout::channel_blocked(16), {{0, 0, 1, 1}, {0, 0, 2, 2}, 0, 0}}, {Layout::plain(2), {}}},
      {Layout::channel_blocked(8), {{}, {}, 64, 16}}};
  auto back = parse_ports(to_text(ports));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, ports);
}

TEST(Text, OfParametersParsesBack) {
  const Parameters parameters{{"oc_tile", 2}, {"ow_tile", 14}};
  EXPECT_EQ(to_text(parameters), "oc_tile=2 ow_tile=14");
  EXPECT_EQ(*parse_parameters(to_text(parameters)), parameters);
  EXPECT_TRUE(parse_parameters("")->empty());
}

TEST(Text, OfBrokenParametersAndPortsIsRefused) {
  EXPECT_THAT(parse_parameters("oc_tile").error().text(), HasSubstr("'oc_tile' is not a parameter"));
  EXPECT_THAT(parse_parameters("a=1 a=2").error().text(), HasSubstr("given twice"));
  EXPECT_THAT(parse_parameters("a=1x").error().text(), HasSubstr("not a parameter"));
  EXPECT_THAT(parse_ports("abcd").error().text(), HasSubstr("not a list of ports"));
  EXPECT_FALSE(parse_ports("abcd -> zz!"));
}

TEST(Formulations, HaveDistinctNames) {
  for (const Formulation& one : formulations()) EXPECT_EQ(find_formulation(one.name), &one);
  EXPECT_EQ(find_formulation("winograd9"), nullptr);
}

std::string conv_text(int64_t in, int64_t out, int64_t size, int64_t kh, int64_t kw, int64_t stride = 1) {
  const auto n = [](int64_t value) { return std::to_string(value); };
  return "%x = input f32[1x" + n(in) + "x" + n(size) + "x" + n(size) + "]\n%w = constant f32[" + n(out) +
         "x" + n(in) + "x" + n(kh) + "x" + n(kw) + "]\n%0 = conv %x %w {strides=[" + n(stride) + "," +
         n(stride) + "] pads=[" + n(kh / 2) + "," + n(kw / 2) + "," + n(kh / 2) + "," + n(kw / 2) +
         "] dilations=[1,1] groups=1}\noutput %0\n";
}

TEST(Formulations, WinogradTakesARowOfAPrimeNumberOfTilesAtOnce) {
  const Formulation& winograd = *find_formulation("winograd4");
  for (const int64_t out : {32, 64}) {
    const Task task = task_of(conv_text(32, out, 147, 3, 3));
    for (const char* name : {"x86-64-v3", "x86-64-v4", "aarch64-neon"}) {
      const Target target = named(name);
      const Parameters first =
          winograd.default_parameters(task, target, default_ports(winograd, task, target));
      EXPECT_EQ(first.at("columns"), 37) << to_text(first);
    }
  }
}

std::string chosen(const std::string& text, const char* target = "x86-64-v4") {
  return std::string((*default_formulation(task_of(text), named(target)))->name);
}

TEST(Formulations, LargerTilesAreChosenForLargerImages) {
  EXPECT_EQ(chosen(conv_text(80, 192, 71, 3, 3)), "winograd6");
  EXPECT_EQ(chosen(conv_text(256, 256, 14, 3, 3)), "winograd4") << "36 tiles of 6 would be no fewer products";
  EXPECT_EQ(chosen(conv_text(512, 512, 7, 3, 3)), "winograd2") << "larger weights would take longer to read";
}

TEST(Formulations, WindowsAlongOneSideAndOfFiveAreTransformedToo) {
  EXPECT_EQ(chosen(conv_text(192, 192, 17, 1, 7)), "winograd6");
  EXPECT_EQ(chosen(conv_text(192, 192, 17, 7, 1)), "winograd6");
  EXPECT_EQ(chosen(conv_text(64, 192, 27, 5, 5)), "winograd4");
  EXPECT_THAT(chosen(conv_text(384, 384, 8, 3, 1)), HasSubstr("winograd"));
}

TEST(Formulations, WhatWinogradCannotDoIsDirect) {
  EXPECT_EQ(chosen(conv_text(64, 64, 28, 3, 3, 2)), "direct") << "stride";
  EXPECT_EQ(chosen(conv_text(64, 64, 28, 1, 1)), "direct");
  EXPECT_EQ(chosen(conv_text(64, 64, 28, 3, 5)), "direct") << "sides differ";
  EXPECT_EQ(chosen(conv_text(64, 64, 28, 7, 7)), "winograd2") << "eight products a side";
  EXPECT_EQ(chosen(conv_text(64, 64, 28, 9, 9)), "direct") << "ten products a side on both";
  EXPECT_EQ(chosen(conv_text(64, 64, 4, 3, 3)), "direct") << "few tiles";
}

TEST(Formulations, ForATaskAreThoseThatCoverItOnceEach) {
  const Task task = task_of(conv_text(64, 64, 28, 3, 3));
  const auto all = formulations_for(task, named("x86-64-v4"));
  std::set<std::string_view> names;
  for (const Formulation* one : all) names.insert(one->name);
  EXPECT_EQ(names.size(), all.size());
  EXPECT_EQ(names, (std::set<std::string_view>{"direct", "grouped", "winograd2", "winograd4", "winograd6"}));
  EXPECT_EQ(all.back()->name, "grouped") << "has no estimate: keeps its place";
}

TEST(Formulations, EveryPointOfWinogradsSpacesLowersOrSaysWhyNot) {
  for (const std::string& text :
       {conv_text(32, 64, 14, 3, 3), conv_text(32, 32, 17, 1, 7), conv_text(32, 32, 9, 5, 5)})
    for (const char* target_name : {"x86-64-v3", "x86-64-v4"})
      for (const char* name : {"winograd2", "winograd4", "winograd6"}) {
        const Task task = task_of(text);
        const Target target = named(target_name);
        const Formulation& winograd = *find_formulation(name);
        if (!winograd.applies(task, target)) continue;
        const Ports ports = default_ports(winograd, task, target);
        std::vector<Parameters> points{{}};
        for (const ParameterRange& range : winograd.space(task, target, ports)) {
          std::vector<Parameters> more;
          for (const Parameters& point : points)
            for (const int64_t value : range.choices) {
              if (range.name == "unroll" && value != 4) continue;
              more.push_back(point);
              more.back()[range.name] = value;
            }
          points = more;
        }
        int legal = 0, number = 0;
        for (const Parameters& point : points) {
          auto candidate = make_candidate(task, target, winograd, ports, point);
          if (!candidate) {
            EXPECT_THAT(candidate.error().text(), AnyOf(HasSubstr("does not fit the registers"),
                                                        HasSubstr("part of one row of tiles or whole rows"),
                                                        HasSubstr("bytes, at most")));
            continue;
          }
          ++legal;
          if (++number % 7 != 1) continue;  // lowering all of them would take seconds
          auto lowered = lower_candidate(*candidate);
          EXPECT_TRUE(lowered) << lowered.error().text() << to_text(point);
        }
        EXPECT_GT(legal, 4) << name << text;
      }
}

TEST(Formulations, EveryPointOfASpaceLowersOrSaysWhyNot) {
  const Task task = task_of(kConv);
  for (const char* name : {"x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64-neon"}) {
    const Target target = named(name);
    const Formulation& direct = *find_formulation("direct");
    const Ports ports = default_ports(direct, task, target);
    std::vector<Parameters> points{{}};
    for (const ParameterRange& range : direct.space(task, target, ports)) {
      std::vector<Parameters> more;
      for (const Parameters& point : points)
        for (const int64_t value : range.choices) {
          more.push_back(point);
          more.back()[range.name] = value;
        }
      points = more;
    }
    int legal = 0;
    for (const Parameters& point : points) {
      auto candidate = make_candidate(task, target, direct, ports, point);
      if (!candidate) {
        EXPECT_THAT(candidate.error().text(), HasSubstr("does not fit the registers"));
        continue;
      }
      ++legal;
      auto lowered = lower_candidate(*candidate);
      EXPECT_TRUE(lowered) << lowered.error().text();
    }
    EXPECT_GT(legal, 8) << name;
  }
}

TEST(Formulations, TheHaloOfAConvolutionIsExactlyWhatItReads) {
  const Task task = task_of(kConv);
  const Target target = named("x86-64-v4");
  const Ports ports = default_ports(*find_formulation("direct"), task, target);
  EXPECT_EQ(ports.inputs[0].placement.halo_before, (std::vector<int64_t>{0, 0, 1, 1}));
  EXPECT_EQ(ports.inputs[0].placement.halo_after, (std::vector<int64_t>{0, 0, 1, 1}));
  Ports tight = ports;
  tight.inputs[0].placement = {};
  auto candidate = make_candidate(task, target, *find_formulation("direct"), tight,
                                  find_formulation("direct")->default_parameters(task, target, tight));
  ASSERT_TRUE(candidate);
  auto lowered = lower_candidate(*candidate);
  ASSERT_FALSE(lowered);
  EXPECT_THAT(lowered.error().text(), HasSubstr("larger halo"));
}

TEST(Formulations, RefuseParametersThatAreMissingOrIllegal) {
  const Task task = task_of(kConv);
  const Target target = named("x86-64-v4");
  const Formulation& direct = *find_formulation("direct");
  const Ports ports = default_ports(direct, task, target);
  Parameters parameters = direct.default_parameters(task, target, ports);
  parameters["oc_tile"] = 3;
  EXPECT_THAT(make_candidate(task, target, direct, ports, parameters).error().text(),
              HasSubstr("does not divide 8"));
  parameters["oc_tile"] = 8;
  parameters["ow_tile"] = 28;
  EXPECT_THAT(make_candidate(task, target, direct, ports, parameters).error().text(),
              HasSubstr("does not fit the registers"));
  parameters.erase("unroll");
  EXPECT_THAT(make_candidate(task, target, direct, ports, parameters).error().text(),
              HasSubstr("unroll is missing"));
}

TEST(Formulations, RefuseATileTunedForFusedPixelsWhereAMarginKeepsRowsApart) {
  const Task task = task_of(conv_text(64, 64, 7, 1, 1));
  const Target target = named("x86-64-v4");
  const Formulation& direct = *find_formulation("direct");
  Ports ports = default_ports(direct, task, target);
  Parameters parameters = direct.default_parameters(task, target, ports);
  parameters["oc_tile"] = 1, parameters["oh_tile"] = 1, parameters["ow_tile"] = 9;
  EXPECT_TRUE(make_candidate(task, target, direct, ports, parameters));
  for (auto* list : {&ports.output.placement.halo_before, &ports.output.placement.halo_after})
    *list = {0, 0, 1, 1};
  const auto refused = make_candidate(task, target, direct, ports, parameters);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text(), HasSubstr("a tile of 1 x 9 pixels does not fit 7 x 7"));
}

TEST(Formulations, RefuseTasksAndPortsOfOthers) {
  const Task task = task_of(kConv);
  const Target target = named("x86-64-v4");
  EXPECT_THAT(make_candidate(task, target, *find_formulation("dense"), {}, {}).error().text(),
              HasSubstr("dense does not cover this task"));
  EXPECT_THAT(make_candidate(task, target, *find_formulation("direct"), {}, {}).error().text(),
              HasSubstr("ports for 0 inputs, but the task has 1"));
  auto candidate = default_candidate(task, target);
  ASSERT_TRUE(candidate);
  candidate->formulation = "none";
  EXPECT_THAT(lower_candidate(*candidate).error().text(), HasSubstr("unknown formulation 'none'"));
}

TEST(Formulations, SayWhenNoneCoversATask) {
  const Task task = task_of("%x = input f32[1x8x7x7]\n%w = input f32[8x8x3x3]\n%0 = conv %x %w\noutput %0\n");
  EXPECT_THAT(default_formulation(task, named("x86-64-v4")).error().text(),
              HasSubstr("no formulation covers"));
}

TEST(Magnitude, FollowsTheRules) {
  Computation c;
  c.tensors = {{"a", Role::input, {DType::f32, {4}}, Layout::plain(1), {}, {}, 0},
               {"b", Role::input, {DType::f32, {4}}, Layout::plain(1), {}, {}, 0}};
  const auto a = scalar::read(0, {Index::axis("i")}), b = scalar::read(1, {Index::axis("i")});
  const auto plain = [](const ScalarPtr& read) { return scalar::unary(ScalarOp::abs, read); };
  const auto text = [&](ScalarOp op) { return to_text(c, *magnitude(scalar::binary(op, a, b), plain)); };
  EXPECT_EQ(text(ScalarOp::add), text(ScalarOp::sub));
  EXPECT_EQ(text(ScalarOp::add), "abs(a[i]) + abs(b[i])");
  EXPECT_EQ(text(ScalarOp::mul), "abs(a[i] * b[i]) + abs(a[i] * b[i])");
  EXPECT_EQ(text(ScalarOp::maximum), "max(abs(a[i]), abs(b[i]))");
}

Candidate direct_candidate(const Task& task, const Target& target) {
  const Formulation& direct = *find_formulation("direct");
  const Ports ports = default_ports(direct, task, target);
  return *make_candidate(task, target, direct, ports, direct.default_parameters(task, target, ports));
}

int64_t most_parallel_indices(const std::string& name, const Task& task) {
  const Target target = named("x86-64-v4");
  const Formulation& formulation = *find_formulation(name);
  const Ports ports = default_ports(formulation, task, target);
  const auto artifact = compile(
      *make_candidate(task, target, formulation, ports, formulation.default_parameters(task, target, ports)));
  if (!artifact) return ADD_FAILURE() << artifact.error().text(), 0;
  int64_t most = 0;
  for (const auto& phase : artifact->signature.phases) most = std::max(most, phase.extent);
  return most;
}

TEST(Artifact, WinogradLeavesThreadsSomethingToDivideWhereChannelsAreFew) {
  EXPECT_GE(most_parallel_indices("winograd4", task_of(conv_text(16, 64, 55, 3, 3))), 13)
      << "whole rows of tiles; the fourteenth is not whole";
}

TEST(Artifact, WinogradLeavesThreadsSomethingToDivideWhereImagesAreSmall) {
  EXPECT_EQ(most_parallel_indices("winograd4", task_of(conv_text(16, 16, 32, 3, 3))), 4);
  EXPECT_GE(most_parallel_indices("winograd4", task_of(conv_text(32, 32, 16, 3, 3))), 2);
  EXPECT_GE(most_parallel_indices("winograd2", task_of(conv_text(64, 64, 8, 3, 3))), 2);
}

TEST(Artifact, SignatureNamesBuffersInTheOrderOfTheContract) {
  auto artifact = compile(direct_candidate(task_of(kConv), named("x86-64-v4")));
  ASSERT_TRUE(artifact) << artifact.error().text();
  const Signature& signature = artifact->signature;
  ASSERT_EQ(signature.buffers.size(), 4u);
  EXPECT_EQ(signature.buffers[0].name, "x");
  EXPECT_EQ(signature.buffers[3].name, "y");
  EXPECT_EQ(signature.buffers[1].role, Role::constant);
  EXPECT_EQ(signature.buffers[0].bytes, (64 * 30 * 30 * 4) + 64);
  ASSERT_EQ(signature.constants.size(), 2u);
  EXPECT_EQ(signature.constants[0].name, "w");
  EXPECT_GT(signature.phases[0].flops, 1e8);
  EXPECT_EQ(artifact->digest, digest_of(artifact->shared_object));
  auto again = compile(direct_candidate(task_of(kConv), named("x86-64-v4")));
  EXPECT_EQ(again->digest, artifact->digest);
}

TEST(Artifact, CompilesForEveryNamedTarget) {
  for (const char* name : {"x86-64-v2", "x86-64-v3", "aarch64-neon"}) {
    auto artifact = compile(*default_candidate(task_of(kConv), named(name)));
    EXPECT_TRUE(artifact) << name << ": " << artifact.error().text();
    auto reference = compile_reference(task_of(kConv), named(name));
    ASSERT_TRUE(reference) << name << ": " << reference.error().text();
    EXPECT_TRUE(reference->signature.reference);
  }
}

TEST(Packing, ReadsAWindowOnceForAllPointsOfItsTransform) {
  const Task task = task_of(kConv);
  const Target target = named("x86-64-v4");
  const Formulation* winograd = find_formulation("winograd4");
  ASSERT_NE(winograd, nullptr);
  const auto formulated = winograd->formulate(task, target, default_ports(*winograd, task, target));
  ASSERT_TRUE(formulated) << formulated.error().text();
  const std::string schedule = to_text(packing_schedule(formulated->prepare, target));
  EXPECT_THAT(schedule, HasSubstr("register_tile i j\n"));
  EXPECT_THAT(schedule, testing::Not(HasSubstr("parallel i"))) << "what shares its reads stays together";
}

}  // namespace
}  // namespace hone
