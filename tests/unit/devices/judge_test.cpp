// Judging what a child left behind, which may be anything.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <memory>
#include <random>

#include "devices/cpu_device.h"

namespace hone {
namespace {

using testing::HasSubstr;

class Judge : public testing::Test {
 protected:
  void SetUp() override {
    reply->end = ChildEnd::finished;
    reply->report.stage = ChildStage::batch;
    reply->report.sample_count = 2;
    reply->report.samples_ns[0] = reply->report.samples_ns[1] = 100;
  }
  Measurement judged() { return judge(*reply, 500); }
  std::unique_ptr<ServerReply> reply = std::make_unique<ServerReply>();
};

TEST_F(Judge, ACompleteReportIsBelieved) {
  EXPECT_EQ(judged().status, MeasureStatus::ok);
  EXPECT_EQ(judged().median_ns, 100);
}

TEST_F(Judge, SamplesThatAreNoTimesAreNot) {
  for (double bad : {std::nan(""), -1.0, 0.0, HUGE_VAL, 1e300}) {
    reply->report.samples_ns[1] = bad;
    EXPECT_EQ(judged().status, MeasureStatus::crashed) << bad;
    EXPECT_TRUE(judged().samples_ns.empty());
  }
}

TEST_F(Judge, MoreSamplesThanFitAreNotRead) {
  std::fill_n(reply->report.samples_ns, most_child_samples, 5.0);
  reply->report.sample_count = UINT32_MAX;
  EXPECT_EQ(judged().samples_ns.size(), static_cast<size_t>(most_child_samples));
}

TEST_F(Judge, AStatusThatOnlyABoardMayGiveIsNotTaken) {
  reply->report.status = static_cast<uint32_t>(MeasureStatus::board_lost);
  EXPECT_EQ(judged().status, MeasureStatus::crashed);
  reply->report.status = 12345;
  EXPECT_EQ(judged().status, MeasureStatus::crashed);
}

TEST_F(Judge, AReportOfAChildThatLeftBeforeTheServerLookedIsNoResult) {
  reply->end = ChildEnd::exited;
  EXPECT_EQ(judged().status, MeasureStatus::crashed);
}

TEST_F(Judge, WhatTheServerSawGoesBeforeWhatTheChildClaims) {
  reply->verdict.given = 1;
  reply->verdict.status = static_cast<uint32_t>(MeasureStatus::implausible_time);
  std::strcpy(reply->verdict.message, "too fast");
  EXPECT_EQ(judged().status, MeasureStatus::implausible_time);
  EXPECT_EQ(judged().message, "too fast");
  EXPECT_TRUE(judged().samples_ns.empty());
}

TEST_F(Judge, AReferenceThatIsRefusedIsNoFaultOfTheBoard) {
  reply->of_reference = 1;
  reply->verdict.given = 1;
  reply->verdict.status = static_cast<uint32_t>(MeasureStatus::load_error);
  std::strcpy(reply->verdict.message, "it is not its task's");
  EXPECT_EQ(judged().status, MeasureStatus::load_error);
  EXPECT_EQ(judged().message, "the reference that came with it is refused: it is not its task's");
}

TEST_F(Judge, AReferenceThatCrashesIsNoFaultOfTheBoardEither) {
  reply->of_reference = 1;
  reply->end = ChildEnd::signalled;
  reply->code = SIGILL;
  EXPECT_EQ(judged().status, MeasureStatus::load_error);
  EXPECT_THAT(judged().message, HasSubstr("the reference that came with it does not run: crashed: SIGILL"));
  reply->end = ChildEnd::not_started;
  EXPECT_EQ(judged().status, MeasureStatus::board_unhealthy);
}

TEST_F(Judge, TheBoardsPulseIsTheServersWordNotTheChilds) {
  reply->report.reference_ns = 1e9;
  EXPECT_LT(judged().health.reference_before_ns, 0);
  reply->health.reference_before_ns = 100, reply->health.reference_after_ns = 101;
  EXPECT_EQ(judged().health.reference_before_ns, 100);
  EXPECT_EQ(judged().health.reference_after_ns, 101);
}

TEST_F(Judge, AMessageWithoutAnEndIsCutAndCleaned) {
  std::memset(reply->report.message, '\n', sizeof reply->report.message);
  reply->report.status = static_cast<uint32_t>(MeasureStatus::wrong_answer);
  EXPECT_EQ(judged().message, std::string(sizeof reply->report.message, ' '));
}

TEST_F(Judge, SignalsAreNamed) {
  reply->end = ChildEnd::signalled;
  reply->code = SIGBUS;
  reply->report.stage = static_cast<ChildStage>(99);
  EXPECT_THAT(judged().message, HasSubstr("SIGBUS in an unknown stage"));
}

TEST_F(Judge, AKillThatWasNotTheWatchdogsIsTheKernelsForMemory) {
  reply->end = ChildEnd::signalled;
  reply->code = SIGKILL;
  EXPECT_EQ(judged().status, MeasureStatus::out_of_memory);
  reply->end = ChildEnd::watchdog;
  EXPECT_EQ(judged().status, MeasureStatus::run_timeout);
  EXPECT_THAT(judged().message, HasSubstr("stopped after 500 ms"));
}

TEST_F(Judge, ProcessorTimeIsATimeoutToo) {
  reply->end = ChildEnd::signalled;
  reply->code = SIGXCPU;
  EXPECT_EQ(judged().status, MeasureStatus::run_timeout);
}

TEST_F(Judge, GarbageNeverGivesMoreThanAStatus) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 200; ++i) {
    auto* words = reinterpret_cast<uint64_t*>(&reply->report);
    for (size_t w = 0; w < sizeof reply->report / 8; ++w) words[w] = random();
    Measurement m = judged();
    EXPECT_FALSE(m.status == MeasureStatus::ok && m.samples_ns.empty());
  }
}

TEST(DriftWatch, NoticesOnlyWhenBothFiguresAreOff) {
  DriftWatch watch;
  EXPECT_FALSE(watch.drifted(500, 500, 0.1));  // nothing to compare with yet
  for (int i = 0; i < 5; ++i) watch.add(100, 101);
  EXPECT_FALSE(watch.drifted(100, 130, 0.1));
  EXPECT_TRUE(watch.drifted(120, 130, 0.1));
  EXPECT_FALSE(watch.drifted(120, 130, 0.5));
  EXPECT_FALSE(watch.drifted(-1, -1, 0.1));
}

TEST(DriftWatch, ALastingChangeBecomesTheNewNormal) {
  DriftWatch watch;
  for (int i = 0; i < 40; ++i) watch.add(100, 100);
  for (int i = 0; i < 40; ++i) watch.add(150, 150);
  EXPECT_FALSE(watch.drifted(150, 150, 0.1));
}

}  // namespace
}  // namespace hone
