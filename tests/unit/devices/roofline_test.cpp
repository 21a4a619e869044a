// The roofline: bounds of an operator, and what is measured.
#include "devices/roofline.h"

#include <gmock/gmock.h>

namespace hone::roofline {
namespace {

Machine machine() {
  Machine m;
  m.flops = 200e9;
  m.l2_bytes = 200e9;
  m.llc_bytes = 100e9;
  m.dram_bytes = 20e9;
  m.l2_size = 1 << 20;
  m.llc_size = 32 << 20;
  return m;
}

TEST(Roofline, BoundsArithmeticByThePeak) {
  const Bound bound = bound_of({.arithmetic = 2e9, .other_bytes = 1000, .seconds = 1}, 0, machine());
  EXPECT_DOUBLE_EQ(bound.compute, 0.01);
  EXPECT_DOUBLE_EQ(bound.seconds(), 0.01);
}

TEST(Roofline, BoundsActivationsByTheLevelThatHoldsThem) {
  const auto memory = [](double bytes) { return bound_of({.other_bytes = bytes}, 0, machine()).memory; };
  EXPECT_DOUBLE_EQ(memory(2e5), 2e5 / 200e9);
  EXPECT_DOUBLE_EQ(memory(2e6), 2e6 / 100e9);
  EXPECT_DOUBLE_EQ(memory(1e8), 1e8 / 20e9);
}

TEST(Roofline, ReadsConstantsFromMemoryOnceAllOfThemOutgrowTheCache) {
  const Work work{.constant_bytes = 1e6};
  EXPECT_DOUBLE_EQ(bound_of(work, 1e6, machine()).memory, 1e6 / 100e9);
  EXPECT_DOUBLE_EQ(bound_of(work, 1e8, machine()).memory, 1e6 / 20e9);
}

TEST(Roofline, MeasuresSpeedsThatFallFromArithmeticToMemory) {
  const Machine found = measure_machine(1);
  EXPECT_EQ(found.threads, 1);
  EXPECT_GT(found.flops, 0);
  EXPECT_GT(found.l2_bytes, 0);
  EXPECT_GT(found.llc_bytes, 0);
  EXPECT_GT(found.dram_bytes, 0);
}

}  // namespace
}  // namespace hone::roofline
