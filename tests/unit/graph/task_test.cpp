// Tasks are canonical: equal layers of different models have one text and one key.
#include "codegen/graph/task.h"

#include <gmock/gmock.h>

namespace hone {
namespace {

Graph graph_of(std::string_view text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().text();
  return std::move(*graph);
}

constexpr std::string_view kResidual =
    "task v1\n"
    "%x = input f32[1x3x111x111]\n"
    "%x1 = input f32[1x64x55x55]\n"
    "%w = constant f32[64x3x3x3]\n"
    "%b = constant f32[64]\n"
    "%0 = conv %x %w %b {dilations=[1,1] groups=1 pads=[0,0,0,0] strides=[2,2]}\n"
    "%1 = add %0 %x1\n"
    "%y = relu %1\n"
    "output %y\n";

TEST(Task, PrintsAndParsesBack) {
  const auto task = parse_task(kResidual);
  ASSERT_TRUE(task) << task.error().text();
  EXPECT_EQ(task->text, kResidual);
  EXPECT_EQ(parse_task(task->text)->key, task->key);
  EXPECT_EQ(task->key, digest_of(task->text));
}

TEST(Task, DoesNotDependOnNamesOrOperandOrderOfTheModel) {
  const auto task = make_task(graph_of(
      "%bias = constant f32[64]\n%weights = constant f32[64x3x3x3]\n%shortcut = input f32[1x64x55x55]\n"
      "%image = input f32[1x3x111x111]\n%c = conv %image %weights %bias {strides=[2,2]}\n"
      "%s = add %shortcut %c\n%r = relu %s\noutput %r\n"));
  EXPECT_EQ(task.text, kResidual);
}

TEST(Task, DiffersWhenAnAttributeDiffers) {
  const auto other =
      make_task(graph_of("%x = input f32[1x3x111x111]\n%x1 = input f32[1x64x109x109]\n%w = constant "
                         "f32[64x3x3x3]\n%b = constant f32[64]\n"
                         "%0 = conv %x %w %b {strides=[1,1]}\n%1 = add %0 %x1\n%y = relu %1\noutput %y\n"));
  EXPECT_NE(other.key, parse_task(kResidual)->key);
}

TEST(Task, AsksForPositiveDataWhereADivisorOrARootNeedsIt) {
  const auto task = make_task(graph_of("%a = input f32[4]\n%b = input f32[4]\n%q = div %a %b\noutput %q\n"));
  EXPECT_THAT(task.text, testing::HasSubstr("%x1 = input f32[4] in [0.5,1.5]"));
}

TEST(Task, SummaryReadsLikeTheLayer) {
  EXPECT_EQ(summary(*parse_task(kResidual)), "conv3x3 s2 3>64 55x55 +add +relu");
  EXPECT_EQ(summary(*parse_task("task v1\n%x = input f32[1x512]\n%w = constant f32[1000x512]\n"
                                "%y = dense %x %w {transpose_b=1}\noutput %y\n")),
            "dense 512>1000");
  EXPECT_EQ(summary(*parse_task("task v1\n%x = input f32[1x32x9x9]\n%w = constant f32[32x1x3x3]\n"
                                "%y = conv %x %w {groups=32 dilations=[2,2]}\noutput %y\n")),
            "dwconv3x3 d2 32 5x5");
}

TEST(Task, TextWithoutItsHeaderIsRefused) {
  EXPECT_THAT(parse_task("%x = input f32[4]\noutput %x\n").error().text(), testing::HasSubstr("'task v1'"));
  EXPECT_THAT(parse_task("task v1\n%x = input f32[4]\noutput %x\n").error().text(),
              testing::HasSubstr("needs a node"));
}

}  // namespace
}  // namespace hone
