// Lowering: what programs look like (golden text), and that they compute what the computation says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/equivalence.h"
#include "tests/support/golden.h"
#include "tests/support/random_schedule.h"
#include "tests/support/samples.h"

namespace hone {
namespace {

/// Text in, text out: the computation too is read back from its text before it is lowered.
std::string lowered_text(const Computation& sample, const char* schedule_text) {
  Result<Computation> parsed = parse_computation(to_text(sample));
  if (!parsed) return parsed.error().text() + "\n";
  const Computation& computation = *parsed;
  Result<Schedule> schedule = parse_schedule(schedule_text);
  if (!schedule) return schedule.error().text() + "\n";
  Result<loop::Program> program = loop::lower(computation, *schedule);
  if (!program) return program.error().text() + "\n";
  return to_text(computation) + "\n" + to_text(*schedule) + "\n" + to_text(*program);
}

/// The lowered program computes what the computation says, each element once unless a tail is shifted in.
void expect_same(const Computation& computation, const char* schedule_text) {
  SCOPED_TRACE(schedule_text);
  Result<Schedule> schedule = parse_schedule(schedule_text);
  ASSERT_TRUE(schedule) << schedule.error().text();
  Result<loop::Program> program = loop::lower(computation, *schedule);
  ASSERT_TRUE(program) << program.error().text();
  EXPECT_EQ(test::difference(computation, *program, test::computes_twice(*schedule)), "");
}

const char* const kDirect = R"(
split ic 16 -> ic.o ic.v; split oc 16 -> oc.b oc.v; split oc.b 2 -> oc.o oc.t
split ow 5 peel -> ow.o ow.i
reorder n oc.o oh ow.o ic.o kh kw ic.v oc.t ow.i oc.v
unroll ic.v 4; register_tile oc.t ow.i; vectorize oc.v; parallel n oc.o oh
)";

TEST(Lower, DirectConvolutionIsLoopsAroundARegisterTile) {
  test::ConvSample sample;
  sample.in_channels = 32, sample.out_channels = 64, sample.width = 13;
  test::expect_golden("loop/direct_conv.txt", lowered_text(test::conv(sample), kDirect));
}

TEST(Lower, DirectConvolutionComputesTheConvolution) {
  test::ConvSample sample;
  sample.out_channels = 64, sample.width = 13, sample.height = 3;
  expect_same(test::conv(sample), kDirect);
}

TEST(Lower, WithoutAScheduleStagesArePlainLoops) {
  test::ConvSample sample;
  sample.width = 7, sample.height = 3, sample.out_channels = 20;
  test::expect_golden("loop/plain_conv.txt", lowered_text(test::conv(sample), ""));
  expect_same(test::conv(sample), "");
}

TEST(Lower, AxesThatTheirBlockDoesNotSplitAreDividedInTheAddress) {
  test::ConvSample sample;
  sample.in_channels = 12, sample.out_channels = 24, sample.block = 8, sample.width = 7, sample.height = 2;
  expect_same(test::conv(sample), "split oc 12 -> a b; reorder n a oh ow ic kh kw b; register_tile b");
}

TEST(Lower, TailsOfEveryKindCoverEachElement) {
  for (int64_t width : {7, 13, 17, 35, 55}) {
    Computation c = test::elementwise(3, width);
    expect_same(c, "split w 4 peel -> o i; vectorize i");
    expect_same(c, "split w 4 shift_in -> o i; vectorize i");
    expect_same(c, "split w 4 guard -> o i; vectorize i");
    expect_same(c, "split w 64 guard -> o i; vectorize i");
    expect_same(c, "split w 6 peel -> o i; split i 4 guard -> t v; register_tile t; vectorize v");
    expect_same(c, "split w 6 peel -> o i; split i 3 -> t v; register_tile t; vectorize v");
    expect_same(c, "split w 6 peel -> o i; split o 1 -> oo oi; parallel r oo; vectorize i");
    expect_same(c, "fuse r w -> f; split f 4 shift_in -> o i; vectorize i; parallel o");
  }
}

TEST(Lower, TailsAreGolden) {
  Computation c = test::elementwise(3, 13);
  for (const char* tail : {"peel", "shift_in", "guard"}) {
    std::string schedule = std::string("split w 8 ") + tail + " -> w.o w.i; vectorize w.i; parallel r";
    test::expect_golden(std::string("loop/tail_") + tail + ".txt", lowered_text(c, schedule.c_str()));
  }
}

TEST(Lower, GuardsStandOnlyWhereRangesDoNotProveTheRead) {
  Computation c = test::max_pool(20, 5, 7, 8);
  const char* schedule =
      "split c 8 -> c.o c.v; split ow 3 peel -> ow.o ow.i; reorder c.o oh ow.o kh kw ow.i c.v; register_tile "
      "ow.i; vectorize c.v";
  test::expect_golden("loop/max_pool.txt", lowered_text(c, schedule));
  expect_same(c, schedule);
}

TEST(Lower, StagesComputedInsideAnotherLiveInLocalMemory) {
  Computation c = test::depthwise_pointwise(20, 24, 4, 13, 8);
  const char* schedule = R"(
stage dw
compute_at pw ow.o
split c 8 -> c.o c.v; split w 5 -> w.o w.i
reorder c.o h w.o kh kw w.i c.v
register_tile w.i; vectorize c.v
stage pw
split oc 8 -> oc.o oc.v; split ow 5 peel -> ow.o ow.i; split ic 8 -> ic.o ic.v
reorder oh ow.o oc.o ic.o ic.v ow.i oc.v
register_tile ow.i; vectorize oc.v; parallel oh
)";
  test::expect_golden("loop/compute_at.txt", lowered_text(c, schedule));
  expect_same(c, schedule);
}

TEST(Lower, ChainsAreComputedInOnePlaceForTheRegionEachNeeds) {
  Computation c = test::chain(3, 13);
  const char* schedule = R"(
stage scale
compute_at square o
vectorize i
stage window
compute_at square o
split i 3 peel -> s t
vectorize t
stage square
split i 4 peel -> o v
vectorize v
parallel c
)";
  test::expect_golden("loop/chain.txt", lowered_text(c, schedule));
  expect_same(c, schedule);
}

TEST(Lower, StagesMayBeComputedInDifferentLoopsOfOneConsumer) {
  Computation c = test::chain(3, 13);
  expect_same(c, "stage window; compute_at square o; stage square; split i 4 peel -> o v");
  EXPECT_EQ(lowered_text(c, "stage scale; compute_at square c; stage window; compute_at square i"),
            "stage scale, compute_at square c: stage 'window' reads 'a', and is not computed there\n");
  EXPECT_EQ(lowered_text(c, "stage scale; compute_at window c; stage window; compute_at square i"),
            "stage scale, compute_at window c: 'window' is computed inside another stage itself (compute it "
            "at square i)\n");
}

TEST(Lower, AHaloBetweenStagesCannotBeComputedInside) {
  Computation c = test::depthwise_pointwise(8, 8, 4, 8, 8);
  c.tensors[4].placement.halo_before = c.tensors[4].placement.halo_after = {0, 0, 1, 1};
  Scalar shifted = *c.stages[1].reduction->update->args[0];
  shifted.index[2] = shifted.index[2] - 1;
  c.stages[1].reduction->update = std::make_shared<const Scalar>(shifted);
  EXPECT_THAT(lowered_text(c, "stage dw; compute_at pw oh"),
              testing::HasSubstr(
                  "stage dw, compute_at: its consumers read 't' at -1 to 2 along h, but it computes 0 to 3"));
}

TEST(Lower, StagesInsideOthersHaveNoThreadsAndLittleMemory) {
  Computation c = test::depthwise_pointwise(8, 8, 4, 8, 8);
  EXPECT_THAT(lowered_text(c, "stage dw; compute_at pw oh; parallel c"),
              testing::HasSubstr("stage dw: a stage that is computed inside another has no parallel axes"));
  c = test::chain(600, 600);
  EXPECT_THAT(lowered_text(c, "stage window; compute_at square n; stage square; split c 600 -> n m"),
              testing::HasSubstr("bytes on the stack; at most 1048576"));
}

TEST(Lower, WhatIsSharedIsPrintedOnce) {
  Computation c = test::elementwise(3, 16);
  ScalarPtr value = scalar::read(0, {Index::axis("r"), Index::axis("w")});
  for (int i = 0; i < 40; ++i) value = scalar::binary(ScalarOp::mul, value, value);
  c.stages[0].value = scalar::binary(ScalarOp::add, value, scalar::unary(ScalarOp::neg, value));
  std::string text = to_text(*loop::lower(c, {}));
  EXPECT_THAT(text, testing::HasSubstr("      %0 = x[16*r + w] * x[16*r + w]\n        %1 = %0 * %0\n"));
  EXPECT_THAT(text, testing::HasSubstr("y[16*r + w] = %39 + -%39\n"));
}

}  // namespace
}  // namespace hone
