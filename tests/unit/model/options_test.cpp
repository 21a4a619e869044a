// What the options of plan and build leave out, and what they let through.
#include <filesystem>

#include "tests/unit/model/small_models.h"

namespace hone {
namespace {

using namespace testing_models;
using testing::HasSubstr;

constexpr const char* kConvolution = R"(%x = input f32[1x64x28x28]
%w = constant f32[64x64x3x3]
%0 = conv %x %w {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}
output %0
)";

/// Formulation of the convolution in a plan with these options.
std::string chosen(const PlanOptions& options, const Lookup& lookup = {}) {
  const auto plan = hone::plan(graph_of(kConvolution), host(), lookup, options);
  EXPECT_TRUE(plan) << plan.error().text();
  for (const PlannedOp& op : plan->ops)
    if (op.op.task.anchor().op == Op::conv) return op.candidate.formulation + (op.tuned ? " tuned" : "");
  return "none";
}

TEST(PlanOptions, StrictLeavesTransformsOut) {
  EXPECT_THAT(chosen({}), HasSubstr("winograd"));
  EXPECT_EQ(chosen({.strict = true}), "direct");
}

TEST(PlanOptions, StrictLeavesOutEvenWhatTuningFound) {
  const Lookup winograd = [](const Task& task) -> std::optional<Choice> {
    const Formulation* found = find_formulation("winograd2");
    if (!found->applies(task, host())) return std::nullopt;
    return Choice{"winograd2", found->default_parameters(task, host(), default_ports(*found, task, host())),
                  1e-6};
  };
  EXPECT_EQ(chosen({}, winograd), "winograd2 tuned");
  EXPECT_EQ(chosen({.strict = true}, winograd), "direct");
  EXPECT_EQ(chosen({.max_weight_growth = 1.5}, winograd), "direct");
}

TEST(PlanOptions, WeightGrowthBoundsWhatPackingMayTake) {
  EXPECT_EQ(chosen({.max_weight_growth = 4}), "winograd4") << "36 products from 9 weights";
  EXPECT_EQ(chosen({.max_weight_growth = 3.9}), "winograd2") << "16 products from 9 weights";
  EXPECT_EQ(chosen({.max_weight_growth = 1.7}), "direct");
  EXPECT_EQ(chosen({.max_weight_growth = 0.5}), "direct") << "the least there is";
}

TEST(PlanOptions, WeightGrowthCountsPaddedChannels) {
  const Task task = partition(graph_of(R"(%x = input f32[1x64x8x8]
%w = constant f32[40x64x1x1]
%0 = conv %x %w {strides=[1,1] pads=[0,0,0,0] dilations=[1,1] groups=1}
output %0
)"))[0]
                        .task;
  const Target target = resolve_target("x86-64-v4").value();
  EXPECT_DOUBLE_EQ(weight_growth(*find_formulation("direct"), task, target), 48.0 / 40);
  const Task none = partition(graph_of("%x = input f32[1x64x8x8]\n%0 = relu %x\noutput %0\n"))[0].task;
  EXPECT_EQ(weight_growth(*find_formulation("elementwise"), none, target), 1);
}

TEST(BuildOptions, AnErrorBeyondTheLargestAllowedWritesNothing) {
  const auto plan = hone::plan(graph_of(kConvolution), host(), {});
  ASSERT_TRUE(plan) << plan.error().text();
  const std::string file = scratch_file("error.so");
  BuildOptions options;
  options.max_error = 1e-12;
  auto report = build(*plan, file, options);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_TRUE(report->checked);
  EXPECT_FALSE(report->correct);
  EXPECT_GT(report->max_rel_error, 1e-12);
  EXPECT_FALSE(std::filesystem::exists(file));
  options.max_error = report->max_rel_error;
  report = build(*plan, file, options);
  ASSERT_TRUE(report) << report.error().text();
  EXPECT_TRUE(report->correct) << "the bound itself is allowed";
  EXPECT_TRUE(std::filesystem::exists(file));
  unlink(file.c_str());
}

TEST(BuildOptions, TheDescriptionSaysWhetherTheModelIsStrict) {
  for (const bool strict : {false, true}) {
    const auto plan = hone::plan(graph_of(kConvolution), host(), {}, {.strict = strict});
    ASSERT_TRUE(plan) << plan.error().text();
    const std::string file = scratch_file("strict.so");
    ASSERT_TRUE(build(*plan, file, {}));
    auto model = LoadedModel::load(file, 1);
    ASSERT_TRUE(model) << model.error().text();
    EXPECT_THAT(model->description(), HasSubstr(strict ? "\"strict\": true" : "\"strict\": false"));
    EXPECT_EQ(model->description().find("winograd") == std::string::npos, strict);
    unlink(file.c_str());
  }
}

}  // namespace
}  // namespace hone
