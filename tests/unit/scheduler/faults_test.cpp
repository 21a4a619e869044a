// Random faults by seed against the invariants: thousands of steps of virtual time in a second.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "tests/unit/scheduler/world.h"

namespace hone::scheduler {
namespace {

using test::make_request;

constexpr uint64_t kTrials = 500;

class Faulty : public testing::TestWithParam<int> {};

TEST_P(Faulty, SchedulesKeepTheInvariantsAndTheJobEnds) {
  const auto seed = static_cast<uint64_t>(GetParam());
  Settings settings;
  settings.settle_trials = 1000;
  settings.round_limit = Time(20000);
  settings.worker_wait = Time(100000);  // longer than any quarantine
  test::Nature nature;
  nature.kills_board = seed % 4 == 0 ? 0.02 : 0;
  test::World world(settings, seed, nature);
  world.add_tuner("tuner-a");
  if (seed % 2 == 1) world.add_tuner("tuner-b");
  world.add_runner("board-a");
  if (seed % 3 == 1) world.add_runner("board-b");
  for (int i = 0; i < 3; ++i) world.step();
  world.submit(make_request(4, kTrials));
  world.faults = {.kill_tuner = 0.002 * (seed % 5 == 0 ? 5 : 1),
                  .kill_runner = 0.002,
                  .freeze = 0.001,
                  .kill_scheduler = seed % 2 == 0 ? 0.002 : 0,
                  .disk_full = 0.002,
                  .lose_connection = 0.001,
                  .sicken = seed % 3 == 0 ? 0.0005 : 0,
                  .drain = seed % 5 == 1 ? 0.001 : 0};
  for (int i = 0; i < 3000 && world.broken.empty(); ++i) world.step();
  world.faults = {};
  // Who drained a board asks for it back, and again in case nobody heard it.
  bool ended = false;
  for (int asked = 0; asked < 2 && !ended; ++asked) {
    for (const char* board : {"board-a", "board-b"}) world.ask({board, wire::BoardAction::resume, ""});
    ended = world.run(Time(asked == 0 ? 60000 : 1200000));
  }
  EXPECT_THAT(world.broken, testing::IsEmpty());
  ASSERT_TRUE(ended) << "trials " << world.last_event().trials << " candidates "
                     << world.last_event().candidates << " state " << world.last_event().state;
  EXPECT_EQ(world.last_event().state, "Completed") << world.last_event().reason;
  EXPECT_GE(world.last_event().trials, kTrials);
  EXPECT_GT(world.restarts + world.core().counters().lost_workers, 0u) << "the faults did not happen";
  for (const Digest& id : world.acknowledged)
    EXPECT_TRUE(std::any_of(world.disk().begin(), world.disk().end(),
                            [&](const Record& record) { return record_identity(record) == id; }));
}

/// Few in every run of the tests; HONE_SEEDS=5000 in the environment asks for thousands.
int seeds() {
  const char* wanted = std::getenv("HONE_SEEDS");
  return wanted == nullptr ? 40 : std::max(1, std::atoi(wanted));
}

INSTANTIATE_TEST_SUITE_P(Seeds, Faulty, testing::Range(1, seeds() + 1));

}  // namespace
}  // namespace hone::scheduler
