// Child processes: started, quoted when they die, never left behind.
#include "tuner/session/processes.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>

#include "codegen/base/temporary_folder.h"

namespace hone::session {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

ChildOptions shell(const TemporaryFolder& folder, const std::string& command) {
  return {"/bin/sh", {"-c", command}, {}, folder.path() / "messages.txt"};
}

bool wait_for_end(Child& child) {
  pollfd wait = {child.fd(), POLLIN, 0};
  poll(&wait, 1, 20000);
  return child.ended();
}

TEST(Child, SaysItsExitCodeAndItsLastLine) {
  const auto folder = TemporaryFolder::make("test");
  auto child = Child::start(shell(*folder, "echo first; echo 'no log' >&2; exit 3"));
  ASSERT_TRUE(child) << child.error().text();
  ASSERT_TRUE(wait_for_end(*child));
  EXPECT_EQ(child->how_it_ended(), "exit code 3: no log");
}

TEST(Child, SaysTheSignalThatKilledIt) {
  const auto folder = TemporaryFolder::make("test");
  auto child = Child::start(shell(*folder, "kill -SEGV $$"));
  ASSERT_TRUE(wait_for_end(*child));
  EXPECT_THAT(child->how_it_ended(), HasSubstr("Segmentation fault"));
}

TEST(Child, CanBeStartedAgainAfterItDied) {
  const auto folder = TemporaryFolder::make("test");
  auto child = Child::start(shell(*folder, "exit 0"));
  ASSERT_TRUE(wait_for_end(*child));
  ASSERT_TRUE(child->restart());
  EXPECT_GT(child->pid(), 0);
  EXPECT_TRUE(wait_for_end(*child));
}

TEST(Child, ThatIgnoresSigtermIsKilled) {
  const auto folder = TemporaryFolder::make("test");
  const auto before = signal(SIGTERM, SIG_IGN);  // what is ignored stays ignored across exec
  auto child = Child::start(shell(*folder, "exec sleep 1000"));
  signal(SIGTERM, before);
  EXPECT_FALSE(child->stop(std::chrono::milliseconds(20)));
  EXPECT_TRUE(child->ended());
}

TEST(Child, EndsWithItsObject) {
  const auto folder = TemporaryFolder::make("test");
  pid_t pid = 0;
  {
    auto child = Child::start(shell(*folder, "exec sleep 1000"));
    pid = child->pid();
    ASSERT_EQ(kill(pid, 0), 0);
  }
  EXPECT_EQ(kill(pid, 0), -1);
}

TEST(Child, OfAMissingProgramIsAnErrorThatNamesIt) {
  const auto folder = TemporaryFolder::make("test");
  const auto child = Child::start({"/nowhere/hone-runner", {}, {}, folder->path() / "messages.txt"});
  ASSERT_FALSE(child);
  EXPECT_THAT(child.error().text(), HasSubstr("/nowhere/hone-runner: cannot be started"));
}

TEST(Child, RunsOnTheCoresItWasGiven) {
  const auto folder = TemporaryFolder::make("test");
  ChildOptions options = shell(*folder, "nproc");
  options.cores = {usable_cores().back()};
  auto child = Child::start(options);
  ASSERT_TRUE(wait_for_end(*child));
  EXPECT_EQ(child->how_it_ended(), "exit code 0: 1");
}

TEST(ShareCores, KeepsBuildsOffTheCoresThatMeasure) {
  const CoreShare share = share_cores({0, 1, 2, 3}, 1);
  EXPECT_THAT(share.measuring, ElementsAre(3));
  EXPECT_THAT(share.building, ElementsAre(0, 1, 2));
  EXPECT_THAT(share_cores({2, 5}, 1).measuring, ElementsAre(5));
  EXPECT_THAT(share_cores({2, 5}, 1).idle(), ElementsAre(5))
      << "one core alone builds slower than it measures";
  EXPECT_THAT(share.idle(), ElementsAre()) << "three builders are enough";
  EXPECT_THAT(share_cores({4}, 1).idle(), ElementsAre());
  EXPECT_THAT(share_cores({0, 1, 2, 3}, 2).measuring, ElementsAre(2, 3));
}

TEST(ShareCores, SharesWhereThereIsNoOtherCore) {
  EXPECT_THAT(share_cores({4}, 1).building, ElementsAre(4));
  EXPECT_THAT(share_cores({0, 1}, 2).building, ElementsAre(0, 1));
}

}  // namespace
}  // namespace hone::session
