// The promise of an acknowledgement: never before its record is on the disk.
#include "scheduler/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hone::scheduler {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<Digest> ids_of(const Outgoing& outgoing) {
  return std::get<wire::Committed>(outgoing.message).ids;
}

TEST(Results, AreAcknowledgedOnceTheirRecordIsDurableAndNotBefore) {
  Results results;
  results.commit(digest_of("a"));
  EXPECT_FALSE(results.acknowledge("board", digest_of("a")));
  EXPECT_EQ(results.waiting(), 1u);
  EXPECT_THAT(results.durable(0), IsEmpty());
  const auto out = results.durable(results.sequence());
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].peer, "board");
  EXPECT_THAT(ids_of(out[0]), ElementsAre(digest_of("a")));
  EXPECT_EQ(results.waiting(), 0u);
  EXPECT_THAT(results.durable(results.sequence()), IsEmpty()) << "each once";
  EXPECT_TRUE(results.acknowledge("board", digest_of("a"))) << "sent again, it is on the disk";
}

TEST(Results, WithoutARecordAreAcknowledgedAtOnce) {
  Results results;
  results.commit(digest_of("another"));
  EXPECT_TRUE(results.acknowledge("board", digest_of("nothing")));
}

TEST(Results, OfOnePeerAreAcknowledgedTogetherAndOfAnotherByThemselves) {
  Results results;
  for (const char* id : {"a", "b", "c"}) results.commit(digest_of(id));
  (void)results.acknowledge("one", digest_of("a"));
  (void)results.acknowledge("one", digest_of("a"));
  (void)results.acknowledge("other", digest_of("b"));
  (void)results.acknowledge("one", digest_of("c"));
  const auto out = results.durable(results.sequence());
  ASSERT_EQ(out.size(), 2u);
  EXPECT_THAT(ids_of(out[0]), ElementsAre(digest_of("a"), digest_of("c")))
      << "what was sent twice is named once";
  EXPECT_THAT(ids_of(out[1]), ElementsAre(digest_of("b")));
}

TEST(Results, WaitForTheirOwnAppendAlone) {
  Results results;
  results.commit(digest_of("a"));
  const uint64_t first = results.sequence();
  results.commit(digest_of("b"));
  (void)results.acknowledge("board", digest_of("a"));
  (void)results.acknowledge("board", digest_of("b"));
  EXPECT_THAT(ids_of(results.durable(first).at(0)), ElementsAre(digest_of("a")));
  EXPECT_THAT(ids_of(results.durable(first + 1).at(0)), ElementsAre(digest_of("b")));
}

TEST(Results, TellWhatWaitsForTheWholeJournalInTheOrderOfTheAppends) {
  Results results;
  EXPECT_TRUE(results.when_durable({"client", wire::Accepted{1}, {}})) << "nothing was appended";
  results.append();
  EXPECT_FALSE(results.when_durable({"client", wire::Accepted{2}, {}}));
  results.append();
  EXPECT_FALSE(results.when_durable({"client", wire::Accepted{3}, {}}));
  const auto out = results.durable(results.sequence());
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(std::get<wire::Accepted>(out[0].message).job, 2u);
  EXPECT_EQ(std::get<wire::Accepted>(out[1].message).job, 3u);
}

TEST(Results, OfAnIssuedMeasurementAreExpectedUntilItIsCommittedOverRestartsToo) {
  Results results;
  Record record;
  record.board.id = "board";
  EXPECT_TRUE(results.issue(digest_of("a"), record));
  EXPECT_FALSE(results.issue(digest_of("a"), record)) << "leased again, journaled once";
  Results next;
  next.restore(results.issued());
  ASSERT_NE(next.issued(digest_of("a")), nullptr);
  EXPECT_EQ(next.issued(digest_of("a"))->board.id, "board");
  next.commit(digest_of("a"));
  EXPECT_EQ(next.issued(digest_of("a")), nullptr);
}

}  // namespace
}  // namespace hone::scheduler
