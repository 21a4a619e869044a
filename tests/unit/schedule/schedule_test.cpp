// Schedules: their text prints and parses back, steps rewrite loops, and illegal steps say why.
#include "codegen/schedule/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/samples.h"

namespace hone {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const char* const kText =
    "stage conv\n"
    "split ic 16 -> ic.o ic.v; split oc 16 -> oc.b oc.v\n"
    "fuse oh ow -> p\n"
    "split p 14 shift_in -> p.o p.i\n"
    "reorder n oc.b p.o ic.o kh kw ic.v p.i oc.v\n"
    "unroll ic.v 4\n"
    "register_tile p.i\n"
    "vectorize oc.v\n"
    "parallel n oc.b\n"
    "stage copy\n"
    "compute_at conv p.o\n";

TEST(ScheduleText, PrintsAndParsesBack) {
  Result<Schedule> schedule = parse_schedule(kText);
  ASSERT_TRUE(schedule) << schedule.error().text();
  EXPECT_EQ(to_text(*schedule), kText);
  EXPECT_EQ(parse_schedule(to_text(*schedule)).value(), *schedule);
}

TEST(ScheduleText, StepsMayBeSeparatedAndCommentedFreely) {
  Result<Schedule> a = parse_schedule("split w 4 -> o i ;; vectorize i # lanes\n\n  parallel r;");
  Result<Schedule> b = parse_schedule("split w 4 exact -> o i\nvectorize i\nparallel r");
  ASSERT_TRUE(a) << a.error().text();
  EXPECT_EQ(*a, *b);
  EXPECT_EQ(to_text(*a), "split w 4 -> o i\nvectorize i\nparallel r\n");
}

std::string parse_problem(const char* text) {
  Result<Schedule> schedule = parse_schedule(text);
  return schedule ? "" : schedule.error().text();
}

TEST(ScheduleText, BadTextNamesLineStepAndWhatWasExpected) {
  EXPECT_EQ(parse_problem("vectorize w\nsplti w 4 -> o i"),
            "schedule line 2: splti w 4 -> o i: 'splti' is no step (split, fuse, reorder, unroll, "
            "register_tile, vectorize, "
            "parallel, compute_at)");
  EXPECT_THAT(parse_problem("split w"), HasSubstr("expected a factor"));
  EXPECT_THAT(parse_problem("split w 0 -> o i"), HasSubstr("'0' is no factor (a positive integer)"));
  EXPECT_THAT(parse_problem("split w 4 wrap -> o i"), HasSubstr("'wrap' is no tail"));
  EXPECT_THAT(parse_problem("split w 4 -> o"), HasSubstr("expected axis"));
  EXPECT_THAT(parse_problem("split w 4 o i"), HasSubstr("'o' is no tail"));
  EXPECT_THAT(parse_problem("split w 4 peel o i"), HasSubstr("expected '->'"));
  EXPECT_THAT(parse_problem("vectorize w v"), HasSubstr("unexpected 'v'"));
  EXPECT_THAT(parse_problem("vectorize w!"), HasSubstr("'w!' is no axis"));
  EXPECT_THAT(parse_problem("unroll w"), HasSubstr("expected a factor"));
  EXPECT_THAT(parse_problem("stage"), HasSubstr("expected stage"));
}

TEST(Apply, LoopsFollowTheSteps) {
  test::ConvSample sample;
  sample.width = 17;
  Schedule schedule = *parse_schedule(
      "split oc 16 -> oc.o oc.v; split ow 5 peel -> ow.o ow.i; reorder n oc.o oh ow.o ic kh kw ow.i oc.v\n"
      "unroll ic 4; register_tile ow.i; vectorize oc.v; parallel n oc.o");
  Result<std::vector<ScheduledStage>> stages = apply(test::conv(sample), schedule);
  ASSERT_TRUE(stages) << stages.error().text();
  std::string text;
  for (const ScheduledLoop& loop : stages->at(0).loops)
    text += loop.axis + " " + std::to_string(loop.extent) + (loop.unroll > 1 ? " unrolled; " : "; ");
  EXPECT_EQ(text, "n 1; oc.o 2; oh 8; ow.o 3; ic 16 unrolled; kh 3; kw 3; ow.i 5; oc.v 16; ");
  EXPECT_EQ(stages->at(0).parallel_loops, 2);
}

std::string apply_problem(const char* steps) {
  test::ConvSample sample;
  sample.width = 17;
  Result<Schedule> schedule = parse_schedule(steps);
  if (!schedule) return "cannot parse: " + schedule.error().text();
  Result<std::vector<ScheduledStage>> stages = apply(test::conv(sample), *schedule);
  return stages ? "" : stages.error().text();
}

TEST(Apply, IllegalSplitsSayWhy) {
  EXPECT_EQ(apply_problem("split ow 5 -> o i"),
            "stage conv, split ow 5 -> o i: 5 does not divide the extent 17 of 'ow' (name a tail: peel, "
            "shift_in or guard)");
  EXPECT_THAT(apply_problem("split q 5 -> o i"),
              HasSubstr("there is no loop 'q' (the loops are n oc oh ow ic kh kw)"));
  EXPECT_THAT(apply_problem("split ic 5 peel -> o i"),
              HasSubstr("'ic' is a reduce axis, and its extent 16 leaves a rest"));
  EXPECT_THAT(apply_problem("split ow 18 peel -> o i"), HasSubstr("the factor 18 is above the extent 17"));
  EXPECT_THAT(apply_problem("split ow 17 -> oh i"), HasSubstr("the name 'oh' is taken"));
  EXPECT_THAT(apply_problem("split ow 17 -> o i; split ow 1 -> a b"), HasSubstr("there is no loop 'ow'"));
  EXPECT_THAT(apply_problem("vectorize ow; split ow 17 -> o i"),
              HasSubstr("'ow' is marked already (split first"));
  EXPECT_THAT(apply_problem("split ow 5 peel -> o i; reorder n oc oh i o ic kh kw"),
              HasSubstr("'i' has a tail inside 'o', but loop 'i' lies outside 'o'"));
  EXPECT_THAT(apply_problem("split ow 6 peel -> o i; split i 3 -> a b; reorder n oc oh o b a ic kh kw"),
              HasSubstr("'b' has a tail inside 'a', but loop 'b' lies outside 'a'"));
  EXPECT_EQ(apply_problem("split ow 14 peel -> o i; split i 1 -> a b; reorder n oc oh o b a ic kh kw"), "");
  EXPECT_THAT(apply_problem("split ow 5 guard -> o i"),
              HasSubstr("is guarded, but 'i' is not the vector axis"));
}

TEST(Apply, IllegalFusionsSayWhy) {
  EXPECT_THAT(apply_problem("fuse oc ow -> f"), HasSubstr("'ow' is not directly inside 'oc'"));
  EXPECT_THAT(apply_problem("fuse ow ic -> f"), HasSubstr("one axis is spatial and the other a reduce axis"));
  EXPECT_THAT(apply_problem("split ow 5 peel -> o i; fuse oh o -> f"),
              HasSubstr("'o' comes from a split with a tail"));
}

TEST(Apply, IllegalOrdersSayWhy) {
  EXPECT_THAT(apply_problem("reorder n oc oh ow ic kh"), HasSubstr("'kw' is missing (name every loop)"));
  EXPECT_THAT(apply_problem("reorder n oc oh ow ic kh kh"), HasSubstr("'kh' is named twice"));
  EXPECT_THAT(apply_problem("reorder n oc oh ic kh kw ow"),
              HasSubstr("outer axis 'ow' lies inside reduce axis 'kw'"));
  EXPECT_THAT(apply_problem("vectorize oc"), HasSubstr("outer axis 'oh' lies inside vector axis 'oc'"));
  EXPECT_THAT(apply_problem("register_tile ow"),
              HasSubstr("reduce axis 'ic' lies inside register-tiled axis 'ow'"));
  EXPECT_THAT(apply_problem("parallel oh"), HasSubstr("parallel axis 'oh' lies inside outer axis 'oc'"));
  EXPECT_THAT(apply_problem("reorder n oc ic kh kw oh ow; vectorize ow; vectorize oh"),
              HasSubstr("vector axis 'ow' lies inside vector axis 'oh'"));
}

TEST(Apply, IllegalMarksSayWhy) {
  EXPECT_THAT(apply_problem("vectorize ic"), HasSubstr("'ic' is a reduce axis"));
  EXPECT_THAT(apply_problem("parallel ic"), HasSubstr("threads never divide a reduction"));
  EXPECT_THAT(apply_problem("parallel n n"), HasSubstr("'n' is parallel already"));
  EXPECT_THAT(apply_problem("parallel n; unroll n 2"), HasSubstr("'n' is parallel"));
  EXPECT_THAT(apply_problem("register_tile ow; vectorize ow"), HasSubstr("'ow' is marked already"));
  EXPECT_THAT(
      apply_problem("split oc 8 -> a b; reorder n a ic kh kw b oh ow; register_tile b oh; vectorize ow"), "");
  EXPECT_THAT(apply_problem("reorder n ic kh kw oc oh ow; register_tile oc oh ow"),
              HasSubstr("the register tile has 4352 copies; at most 1024"));
}

TEST(Apply, VectorsHaveAtMost256Lanes) {
  EXPECT_THAT(apply_problem("split ow 300 guard -> o v; reorder n oc oh o ic kh kw v; vectorize v"),
              HasSubstr("vector axis 'v' has 300 lanes; at most 256"));
}

TEST(Apply, UnknownAndDoubleStagesAreRefused) {
  EXPECT_EQ(apply_problem("stage pool\nvectorize ow"), "schedule: the computation has no stage 'pool'");
  EXPECT_THAT(apply_problem("stage conv\nstage conv\nparallel n"),
              HasSubstr("stage 'conv' is scheduled twice"));
}

std::string compute_at_problem(const char* steps) {
  Result<Schedule> schedule = parse_schedule(steps);
  if (!schedule) return "cannot parse: " + schedule.error().text();
  Result<std::vector<ScheduledStage>> stages = apply(test::depthwise_pointwise(16, 16, 4, 8, 8), *schedule);
  return stages ? "" : stages.error().text();
}

TEST(Apply, ComputeAtNeedsALaterReaderAndOneOfItsOuterLoops) {
  EXPECT_EQ(compute_at_problem("stage dw\ncompute_at pw oh"), "");
  EXPECT_EQ(compute_at_problem("stage dw\ncompute_at pool oh"),
            "stage dw, compute_at pool oh: there is no stage 'pool'");
  EXPECT_THAT(compute_at_problem("stage dw\ncompute_at pw h"),
              HasSubstr("stage 'pw' has no loop 'h' (its loops are oc oh ow ic)"));
  EXPECT_THAT(compute_at_problem("stage dw\ncompute_at pw ic"),
              HasSubstr("'ic' of stage 'pw' is no outer spatial loop"));
  EXPECT_THAT(compute_at_problem("stage pw\ncompute_at dw h"), HasSubstr("'y' is an output"));
  EXPECT_THAT(compute_at_problem("stage dw\nparallel c\ncompute_at pw oh"),
              HasSubstr("compute_at must be the first step of its stage"));
}

}  // namespace
}  // namespace hone
