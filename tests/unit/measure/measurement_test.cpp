// Texts, statistics and identity of measurements.
#include "measure/record.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone {
namespace {

TEST(MeasureStatus, EveryTextParsesBack) {
  for (int i = 0; i <= static_cast<int>(last_measure_status); ++i) {
    auto status = static_cast<MeasureStatus>(i);
    auto again = parse_measure_status(to_text(status));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, status);
  }
}

TEST(MeasureStatus, AnUnknownTextIsAnErrorThatNamesIt) {
  EXPECT_THAT(parse_measure_status("fine").error().text(), testing::HasSubstr("'fine' is no status"));
}

TEST(MeasureStatus, LostBoardsAndRacesAreNotTheCandidatesFault) {
  for (auto status : {MeasureStatus::ok, MeasureStatus::raced_out, MeasureStatus::board_lost,
                      MeasureStatus::board_unhealthy})
    EXPECT_FALSE(is_candidates_fault(status)) << to_text(status);
  for (auto status : {MeasureStatus::crashed, MeasureStatus::wrong_answer, MeasureStatus::run_timeout,
                      MeasureStatus::implausible_time, MeasureStatus::build_error})
    EXPECT_TRUE(is_candidates_fault(status)) << to_text(status);
}

TEST(TimingMode, AnUnknownModeIsAnErrorWithTheKnownOnes) {
  EXPECT_EQ(*parse_timing_mode("dram"), TimingMode::dram);
  EXPECT_EQ(*parse_timing_mode(to_text(TimingMode::llc)), TimingMode::llc);
  EXPECT_THAT(parse_timing_mode("hot").error().text(), testing::HasSubstr("llc or dram"));
}

TEST(Summarise, MedianAndSpreadIgnoreTheOrderOfSamples) {
  Measurement m;
  m.samples_ns = {50, 10, 30, 20, 40};
  summarise(m);
  EXPECT_DOUBLE_EQ(m.median_ns, 30);
  EXPECT_DOUBLE_EQ(m.spread, 20.0 / 30);  // quartiles 20 and 40
  EXPECT_EQ(m.samples_ns[0], 50);         // raw samples stay in order
}

TEST(Summarise, AnEvenCountTakesTheMiddleOfTheTwo) {
  Measurement m;
  m.samples_ns = {10, 20};
  summarise(m);
  EXPECT_DOUBLE_EQ(m.median_ns, 15);
}

TEST(Summarise, OneOutlierDoesNotMoveTheMedian) {
  Measurement m;
  m.samples_ns = {10, 10, 10, 10, 1e9};
  summarise(m);
  EXPECT_DOUBLE_EQ(m.median_ns, 10);
  EXPECT_DOUBLE_EQ(m.spread, 0);
}

TEST(Summarise, NoSamplesGiveNoFigure) {
  Measurement m;
  m.median_ns = 5;
  summarise(m);
  EXPECT_EQ(m.median_ns, 0);
}

TEST(MeasurementId, EachPartOfTheIdentityCountsAndNothingElse) {
  Record record;
  record.artifact = digest_of("a");
  record.board.id = "b";
  const Digest id = measurement_id(record);
  auto changed = [&](auto change) {
    Record other = record;
    change(other);
    return measurement_id(other) != id;
  };
  EXPECT_TRUE(changed([](Record& r) { r.artifact = digest_of("c"); }));
  EXPECT_TRUE(changed([](Record& r) { r.board.id = "c"; }));
  EXPECT_TRUE(changed([](Record& r) { r.measurement.mode = TimingMode::dram; }));
  EXPECT_TRUE(changed([](Record& r) { r.measurement.threads = 2; }));
  EXPECT_TRUE(changed([](Record& r) { r.from.final = true; }));
  EXPECT_TRUE(changed([](Record& r) { r.from.repetition = 1; }));
  EXPECT_FALSE(changed([](Record& r) { r.measurement.samples_ns = {1}; }));
  EXPECT_FALSE(changed([](Record& r) { r.from.job = "j"; }));
  EXPECT_FALSE(id.empty());
}

}  // namespace
}  // namespace hone
