// What a runner holds, under a clock that the test moves.
#include "devices/work_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

wire::Bytes bytes_of(const std::string& text) {
  auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class Queue : public testing::Test {
 protected:
  wire::MeasureRequest request(uint64_t lease, const std::string& artifact = "artifact") {
    wire::MeasureRequest r;
    r.lease = {lease, 1};
    r.id = digest_of("id " + artifact);
    r.artifact = digest_of(artifact);
    r.reference = digest_of("reference");
    r.upload_ms = 100;
    return r;
  }
  void want(const std::vector<wire::MeasureRequest>& requests) {
    wire::Want want;
    for (auto& r : requests) want.leases.push_back(r.lease);
    want.measurements = requests;
    queue.want(want, time);
  }
  void bring(const std::string& text) { queue.blob({digest_of(text), true}, bytes_of(text), time); }

  WorkQueue queue{{}};
  TimePoint time{};
};

TEST_F(Queue, AsksForBytesOnceAndStartsWhenAllAreHere) {
  want({request(1)});
  EXPECT_THAT(queue.take_fetches(), ElementsAre(digest_of("reference"), digest_of("artifact")));
  EXPECT_THAT(queue.take_fetches(), IsEmpty());
  EXPECT_FALSE(queue.start());
  bring("reference");
  EXPECT_FALSE(queue.start());
  bring("artifact");
  auto work = queue.start();
  ASSERT_TRUE(work);
  EXPECT_EQ(*work->artifact, bytes_of("artifact"));
  EXPECT_TRUE(queue.running());
}

TEST_F(Queue, RunsOneAtATimeOldestFirst) {
  want({request(1, "a"), request(2, "b")});
  bring("reference");
  bring("a");
  bring("b");
  EXPECT_EQ(queue.start()->request.lease.id, 1u);
  EXPECT_FALSE(queue.start());
  queue.finished({}, time);
  EXPECT_EQ(queue.start()->request.lease.id, 2u);
}

TEST_F(Queue, AMeasurementWithBytesOvertakesOneThatWaits) {
  want({request(1, "a"), request(2, "b")});
  bring("reference");
  bring("b");
  EXPECT_EQ(queue.start()->request.lease.id, 2u);
}

TEST_F(Queue, AResultIsKeptAndSentAgainUntilItIsCommitted) {
  want({request(1)});
  bring("reference");
  bring("artifact");
  queue.start();
  queue.finished({}, time);
  EXPECT_THAT(queue.take_results(), SizeIs(1));
  EXPECT_THAT(queue.take_results(), IsEmpty());
  EXPECT_THAT(queue.leases(), ElementsAre(wire::LeaseRef{1, 1}));
  queue.reconnected();
  EXPECT_THAT(queue.take_results(), SizeIs(1));
  queue.committed({request(1).id});
  queue.reconnected();
  EXPECT_THAT(queue.take_results(), IsEmpty());
  EXPECT_TRUE(queue.empty());
}

TEST_F(Queue, ARepeatedWantAddsNothing) {
  want({request(1)});
  want({request(1)});
  EXPECT_THAT(queue.leases(), SizeIs(1));
}

TEST_F(Queue, ALeaseThatIsNoLongerWantedIsDropped) {
  want({request(1)});
  want({});
  EXPECT_TRUE(queue.empty());
}

TEST_F(Queue, WhatRunsWhenItIsDroppedIsFinishedAndThrownAway) {
  want({request(1)});
  bring("reference");
  bring("artifact");
  queue.start();
  want({});
  EXPECT_THAT(queue.leases(), IsEmpty());
  EXPECT_TRUE(queue.running());
  queue.finished({}, time);
  EXPECT_THAT(queue.take_results(), IsEmpty());
}

TEST_F(Queue, WhatRunsWhenItIsDroppedIsCancelledOnce) {
  want({request(1)});
  bring("reference");
  bring("artifact");
  ASSERT_TRUE(queue.start());
  EXPECT_FALSE(queue.take_cancel()) << "it is wanted";
  want({});
  EXPECT_TRUE(queue.take_cancel());
  EXPECT_FALSE(queue.take_cancel());
  DeviceResult cancelled;
  cancelled.measurement.status = MeasureStatus::board_lost;
  queue.finished(cancelled, time);
  EXPECT_THAT(queue.take_results(), IsEmpty());
  EXPECT_TRUE(queue.empty());
}

TEST_F(Queue, WhatIsWantedAgainWhileItIsBeingCancelledRunsAnew) {
  want({request(1)});
  bring("reference");
  bring("artifact");
  ASSERT_TRUE(queue.start());
  want({});
  ASSERT_TRUE(queue.take_cancel());
  auto again = request(1);
  again.lease.epoch = 2;
  want({again});
  DeviceResult cancelled;
  cancelled.measurement.status = MeasureStatus::board_lost;
  queue.finished(cancelled, time);
  EXPECT_THAT(queue.take_results(), IsEmpty()) << "its end was no loss";
  const auto work = queue.start();
  ASSERT_TRUE(work);
  EXPECT_EQ(work->request.lease.epoch, 2u);
  queue.finished({}, time);
  EXPECT_THAT(queue.take_results(), SizeIs(1));
}

TEST_F(Queue, AResultThatIsAlreadyHereAnswersALaterEpochWithoutRunningAgain) {
  want({request(1)});
  bring("reference");
  bring("artifact");
  queue.start();
  queue.finished({}, time);
  queue.take_results();
  auto again = request(1);
  again.lease = {9, 2};
  want({again});
  auto results = queue.take_results();
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results[0].lease, (wire::LeaseRef{9, 2}));
  EXPECT_FALSE(queue.start());
}

TEST_F(Queue, ARunningMeasurementAnswersALaterEpochToo) {
  want({request(1)});
  bring("reference");
  bring("artifact");
  queue.start();
  auto again = request(1);
  again.lease = {9, 2};
  want({again});
  queue.finished({}, time);
  auto results = queue.take_results();
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results[0].lease, (wire::LeaseRef{9, 2}));
}

TEST_F(Queue, BytesThatDoNotComeInTimeAreTheBoardsFaultNotTheCandidates) {
  want({request(1)});
  time += std::chrono::milliseconds(99);
  queue.check_deadlines(time);
  EXPECT_THAT(queue.take_results(), IsEmpty());
  time += std::chrono::milliseconds(1);
  EXPECT_EQ(queue.next_deadline(), time);
  queue.check_deadlines(time);
  auto results = queue.take_results();
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_EQ(results[0].measurement.status, MeasureStatus::board_lost);
  EXPECT_THAT(results[0].measurement.message, HasSubstr("did not arrive within 100 ms"));
  EXPECT_FALSE(queue.next_deadline());
}

TEST_F(Queue, BytesOfAnotherDigestAreNotTaken) {
  want({request(1)});
  queue.blob({digest_of("artifact"), true}, bytes_of("something else"), time);
  auto results = queue.take_results();
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_THAT(results[0].measurement.message, HasSubstr("do not have the digest"));
}

TEST_F(Queue, BytesThatTheSchedulerLostEndTheMeasurement) {
  want({request(1)});
  queue.blob({digest_of("artifact"), false}, {}, time);
  auto results = queue.take_results();
  ASSERT_THAT(results, SizeIs(1));
  EXPECT_THAT(results[0].measurement.message, HasSubstr("no longer has artifact"));
}

TEST_F(Queue, TheTimeOfTheUploadIsReported) {
  want({request(1)});
  time += std::chrono::milliseconds(30);
  bring("reference");
  bring("artifact");
  queue.start();
  queue.finished({}, time);
  EXPECT_DOUBLE_EQ(queue.take_results().at(0).upload_ms, 30);
}

TEST_F(Queue, AnUploadBehindARunningMeasurementTakesNoTimeOfTheBoard) {
  want({request(1, "a"), request(2, "b"), request(3, "c")});
  bring("reference");
  bring("a");
  queue.start();
  time += std::chrono::milliseconds(30);
  bring("b");
  queue.finished({}, time);
  EXPECT_DOUBLE_EQ(queue.take_results().at(0).upload_ms, 0);
  queue.start();
  queue.finished({}, time);
  EXPECT_DOUBLE_EQ(queue.take_results().at(0).upload_ms, 0) << "it came while the first one ran";
  time += std::chrono::milliseconds(7);
  bring("c");
  queue.start();
  queue.finished({}, time);
  EXPECT_DOUBLE_EQ(queue.take_results().at(0).upload_ms, 7) << "asked for 37 ms ago, waited for since 7";
}

TEST(BlobCache, TheLeastRecentlyUsedGoFirst) {
  BlobCache cache(2, 1000);
  auto put = [&](const std::string& text) { ASSERT_TRUE(cache.insert(digest_of(text), bytes_of(text))); };
  put("a");
  put("b");
  EXPECT_TRUE(cache.find(digest_of("a")));
  put("c");
  EXPECT_TRUE(cache.find(digest_of("a")));
  EXPECT_FALSE(cache.find(digest_of("b")));
  EXPECT_EQ(cache.entries(), 2u);
}

TEST(BlobCache, BytesAreCappedToo) {
  BlobCache cache(100, 10);
  for (std::string text : {"aaaaaa", "bbbbbb", "cccccc"})
    ASSERT_TRUE(cache.insert(digest_of(text), bytes_of(text)));
  EXPECT_EQ(cache.entries(), 1u);
  EXPECT_EQ(cache.bytes(), 6u);
  std::string big(50, 'x');
  ASSERT_TRUE(cache.insert(digest_of(big), bytes_of(big)));
  EXPECT_EQ(cache.bytes(), 50u);
}

}  // namespace
}  // namespace hone
