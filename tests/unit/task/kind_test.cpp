// Tasks of any kind, by the interface that search and workers know.
#include "codegen/task/kind.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codegen/task/graph_task.h"

namespace hone {
namespace {

using testing::HasSubstr;

constexpr const char* kConv =
    "task v1\n"
    "%x = input f32[1x16x14x14]\n"
    "%w = constant f32[32x16x3x3]\n"
    "%b = constant f32[32]\n"
    "%0 = conv %x %w %b {strides=[1,1] pads=[1,1,1,1] dilations=[1,1] groups=1}\n"
    "%y = relu %0\n"
    "output %y\n";

TaskPtr conv() {
  auto task = parse_any_task(kConv);
  EXPECT_TRUE(task) << task.error().text();
  return task.value();
}
Target target() { return resolve_target("x86-64-v3").value(); }

TEST(TaskKind, IsToldByTheFirstLine) {
  const TaskPtr task = conv();
  EXPECT_EQ(task->key(), digest_of(task->text()));
  EXPECT_EQ(task->text(), parse_task(kConv).value().text) << "canonical";
  EXPECT_EQ(task->summary(), "conv3x3 16>32 14x14 +relu");
  EXPECT_GT(task->flops(), 2.0 * 32 * 14 * 14 * 16 * 9);
}

TEST(TaskKind, ThatThereIsNotIsNamedWithThoseThatThereAre) {
  for (const char* text : {"tusk v1\ninput x f32[1]\n", "", "task v2\n"}) {
    const auto task = parse_any_task(text);
    ASSERT_FALSE(task);
    EXPECT_THAT(task.error().text(), HasSubstr("a task begins with 'task v1'"));
  }
  EXPECT_THAT(parse_any_task("\x1b[2J\n").error().text(), testing::Not(HasSubstr("\x1b")));
}

TEST(TaskLowering, ItsKernelReplaysFromTheScheduleThatARecordKeeps) {
  const TaskPtr task = conv();
  const Ports ports = task->default_ports(target()).value();
  const auto lowering = task->on(target(), ports).value();
  const auto spaces = lowering->spaces(TaskLowering::Fit::own).value();
  size_t lower = 0;
  for (const PointSpace& space : spaces) {
    const Point first{space.formulation, space.first};
    const auto lowered = lowering->kernel(first);
    if (!lowered) continue;  // one that wants wider margins than these ports have
    ++lower;
    EXPECT_EQ(lowered->kernel.signature.task, task->text());
    const auto replayed = lowering->replay(space.formulation, lowered->schedule);
    ASSERT_TRUE(replayed) << replayed.error().text();
    EXPECT_EQ(loop::to_text(*replayed), loop::to_text(lowered->kernel.run));
    EXPECT_EQ(loop::to_text(*lowering->lower(first)), loop::to_text(lowered->kernel.run));
  }
  EXPECT_GE(lower, 1u);
}

TEST(TaskLowering, OfTrialZeroIsThatOfTheDefaultCandidate) {
  const Task graph = parse_task(kConv).value();
  const Candidate candidate = default_candidate(graph, target()).value();
  const TaskPtr task = conv();
  const auto lowering = task->on(target(), task->default_ports(target()).value()).value();
  const PointSpace space = lowering->spaces(TaskLowering::Fit::own).value().front();
  const auto lowered = lowering->kernel({space.formulation, space.first}).value();
  EXPECT_EQ(lowered.schedule, to_text(candidate.schedule));
  EXPECT_EQ(compile(lowered.kernel).value().digest, compile(candidate).value().digest);
}

TEST(TaskLowering, SaysWhatItCannotLower) {
  const TaskPtr task = conv();
  EXPECT_THAT(task->on(target(), {}).error().text(), HasSubstr("ports for 0 inputs, but the task has 1"));
  const auto lowering = task->on(target(), task->default_ports(target()).value()).value();
  for (const auto& error : {lowering->lower({"none", {}}).error(), lowering->replay("none", "").error(),
                            lowering->kernel({"none", {}}).error()})
    EXPECT_THAT(error.text(), HasSubstr("there is no formulation of this name"));
}

TEST(AnyTask, HasAReferenceThatIsNoCandidate) {
  const Kernel kernel = conv()->reference(target()).value();
  EXPECT_TRUE(kernel.signature.reference);
  EXPECT_EQ(kernel.signature.task, conv()->text());
}

}  // namespace
}  // namespace hone
