// The reference that came first for a task stands; another by a tuner of the same build is a conflict that
// people see.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scheduler/core.h"
#include "tests/unit/scheduler/hand.h"

namespace hone::scheduler {
namespace {

using test::Hand;
using test::make_request;
using testing::HasSubstr;

wire::Bytes bytes_of(const std::string& content) {
  const auto* data = reinterpret_cast<const std::byte*>(content.data());
  return wire::Bytes(data, data + content.size());
}

/// Two tuners, one runner and a job of one task; trial 0 was built with the reference "first".
struct TwoTuners : Hand {
  explicit TwoTuners(const std::string& build_of_second = "hone 1.2") {
    hello("client", wire::Role::client);
    greet("ann", "hone 1.2");
    hello("runner", wire::Role::runner);
    say("client", make_request(1, 10));
    durable();
    build_with("ann", "zero", 0, "first");
    say("runner", result(last<wire::Want>("runner")->measurements.at(0)));
    durable();
    say("ann", wire::RoundDone{last<wire::Want>("ann")->rounds.at(0).lease, 1, false, 1});
    take(core.gone({now, 1}, "ann"));  // so that the next round is bob's
    greet("bob", build_of_second);
  }
  void greet(const PeerId& name, const std::string& build) {
    wire::Hello hello;
    hello.role = wire::Role::tuner;
    hello.name = name;
    hello.build = build;
    hello.capacity = 1;
    say(name, hello);
  }
  void build_with(const PeerId& tuner, const std::string& text, uint64_t trial,
                  const std::string& reference) {
    const wire::Round round = last<wire::Want>(tuner)->rounds.at(0);
    wire::Built built;
    built.lease = round.lease;
    built.candidate = {round.task, round.target, "direct", 1, round.ports, "p=" + text, "split"};
    built.trial = trial;
    built.artifact = digest_of(text);
    built.reference = digest_of(reference);
    say(tuner, built, {bytes_of(text), bytes_of(reference)});
  }
  wire::SchedulerStatus status() {
    say("client", wire::AskStatus{});
    return *last<wire::SchedulerStatus>("client");
  }
  void take(Effects effects) {
    for (const std::string& note : effects.notes) notes.push_back(note);
    Hand::take(std::move(effects));
  }
  void say(const PeerId& peer, wire::Message message, std::vector<wire::Bytes> blobs = {}) {
    take(core.message({now, 1}, peer, message, std::move(blobs)));
  }
  std::vector<std::string> notes;
};

TEST(References, ASecondOneOfTheSameBuildIsAConflictThatPeopleSee) {
  TwoTuners hand;
  EXPECT_EQ(hand.status().conflicts, "");
  hand.build_with("bob", "one", 1, "second");
  hand.build_with("bob", "two", 2, "second");
  ASSERT_EQ(hand.records.size(), 3u);
  for (size_t i : {1, 2}) {
    EXPECT_EQ(hand.records[i].measurement.status, MeasureStatus::build_error);
    EXPECT_THAT(
        hand.records[i].measurement.message,
        HasSubstr("by tuner 'bob' differs from the first, by tuner 'ann' of the same build (hone 1.2)"));
  }
  EXPECT_THAT(hand.status().conflicts, HasSubstr("2 references differed, the last: "));
  const auto said = std::ranges::count_if(hand.notes, [](const std::string& note) {
    return note.find("differs from the first") != std::string::npos;
  });
  EXPECT_EQ(said, 1) << "once for a task and two tuners";
}

TEST(References, TheFirstStaysAndIsWhatLaterCandidatesAreCheckedAgainst) {
  TwoTuners hand;
  hand.build_with("bob", "one", 1, "second");
  hand.build_with("bob", "two", 2, "first");
  const auto want = hand.last<wire::Want>("runner");
  ASSERT_EQ(want->measurements.size(), 1u);
  EXPECT_EQ(want->measurements[0].artifact, digest_of("two"));
  EXPECT_EQ(want->measurements[0].reference, digest_of("first"));
}

TEST(References, OfAnotherBuildAreNoConflictAndReplaceNothing) {
  TwoTuners hand("hone 1.3");
  hand.build_with("bob", "one", 1, "second");
  EXPECT_EQ(hand.status().conflicts, "");
  const auto want = hand.last<wire::Want>("runner");
  ASSERT_EQ(want->measurements.size(), 1u);
  EXPECT_EQ(want->measurements[0].reference, digest_of("first"));
}

}  // namespace
}  // namespace hone::scheduler
