// The pure parts of a tuning run.
#include "tuner/session/tune.h"

#include <gmock/gmock.h>

#include "tuner/session/task_list.h"

namespace hone::session {
namespace {

Graph graph_with(int64_t constants) {
  return *parse_graph("%x = input f32[1x" + std::to_string(constants) + "]\n%w = constant f32[1x" +
                      std::to_string(constants) + "]\n%0 = add %x %w\noutput %0\n");
}

std::vector<PlannedTask> planned() {
  std::vector<PlannedTask> tasks;
  for (const int64_t n : {8, 16}) {
    PlannedTask task;
    task.candidate.task = make_task(graph_with(n));
    tasks.push_back(std::move(task));
  }
  return tasks;
}

TEST(TimingMode, IsTheLastLevelCachesIfTheConstantsFitHalfOfIt) {
  Board board;
  board.llc_bytes = 16000;
  EXPECT_EQ(timing_mode(graph_with(1000), board), TimingMode::llc);
  EXPECT_EQ(timing_mode(graph_with(1001), board), TimingMode::dram);
  board.llc_bytes = 0;  // unknown
  EXPECT_EQ(timing_mode(graph_with(1), board), TimingMode::dram);
}

TEST(CanRun, AcceptsWhatTheBoardHasAndLess) {
  Board board;
  board.target = *resolve_target("x86-64-v4");
  EXPECT_TRUE(can_run(board, *resolve_target("x86-64-v4")));
  EXPECT_TRUE(can_run(board, *resolve_target("x86-64-v2")));
  EXPECT_TRUE(can_run(probe_board(), *resolve_target("host")));
}

TEST(CanRun, RefusesOtherArchitecturesWiderVectorsAndMissingFeatures) {
  Board board;
  board.target = *resolve_target("x86-64-v3");
  EXPECT_THAT(can_run(board, *resolve_target("aarch64-neon")).error().text(),
              testing::HasSubstr("cannot run code for aarch64"));
  EXPECT_THAT(can_run(board, *resolve_target("x86-64-v4")).error().text(), testing::HasSubstr("512-bit"));
  Target odd = board.target;
  odd.features += ",+unheard-of";
  EXPECT_THAT(can_run(board, odd).error().text(),
              testing::HasSubstr("lacks the target's feature +unheard-of"));
}

TEST(SelectTasks, KeepsThoseWhoseNameHoldsOneOfTheTexts) {
  EXPECT_EQ(select_tasks(planned(), {})->size(), 2u);
  const auto selected = select_tasks(planned(), {"1x16"});
  ASSERT_TRUE(selected && selected->size() == 1);
  EXPECT_THAT(summary((*selected)[0].candidate.task), testing::HasSubstr("1x16"));
  EXPECT_EQ(select_tasks(planned(), {"1x16", "add"})->size(), 2u);
}

TEST(SelectTasks, ATextThatMatchesNothingIsAnError) {
  const auto selected = select_tasks(planned(), {"add", "winograd"});
  ASSERT_FALSE(selected);
  EXPECT_THAT(selected.error().text(), testing::HasSubstr("'winograd'"));
}

}  // namespace
}  // namespace hone::session
