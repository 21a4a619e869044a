// Folders go with their process, however it ends.
#include "codegen/base/temporary_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace hone {
namespace {

namespace fs = std::filesystem;

TEST(TemporaryFolder, IsThisUsersAloneAndGoesAway) {
  fs::path path;
  {
    const auto folder = TemporaryFolder::make("test");
    ASSERT_TRUE(folder) << folder.error().text();
    path = folder->path();
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    std::ofstream(path / "file") << "x";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TemporaryFolder, MayBeOneThatNothingIsWrittenTo) {
  fs::path path;
  {
    const auto folder = TemporaryFolder::make("test", 0555);
    path = folder->path();
    EXPECT_EQ(fs::status(path).permissions(), fs::perms(0555));
  }
  EXPECT_FALSE(fs::exists(path));
}

/// A process that makes a folder, says its name and waits to be killed.
struct Other {
  pid_t pid = -1;
  fs::path folder;

  Other() {
    int pipe[2];
    EXPECT_EQ(::pipe(pipe), 0);
    pid = ::fork();
    if (pid == 0) {
      auto made = TemporaryFolder::make("test");
      const std::string path = made->path().string();
      std::ofstream(path + "/file") << "x";
      (void)!::write(pipe[1], path.c_str(), path.size() + 1);
      while (true) ::pause();
    }
    char path[256] = {};
    (void)!::read(pipe[0], path, sizeof path - 1);
    folder = path;
    ::close(pipe[0]);
    ::close(pipe[1]);
  }
  void kill() {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
};

TEST(TemporaryFolder, OfAKilledProcessIsRemovedByTheNextOneAndThatOfALivingOneIsNot) {
  Other living, killed;
  killed.kill();
  ASSERT_TRUE(fs::exists(killed.folder));
  const fs::path base = killed.folder.parent_path();
  const fs::path others[] = {base / "hone-test-nota", base / "hone-test-abcdefg", base / "hone-tests-abcdef"};
  for (const fs::path& other : others) fs::create_directory(other);
  const fs::path linked = base / "hone-test-Linked", kept = base / "kept-by-the-test";
  fs::create_directory(kept);
  fs::create_directory_symlink(kept, linked);
  const auto mine = TemporaryFolder::make("test");
  EXPECT_FALSE(fs::exists(killed.folder));
  EXPECT_TRUE(fs::exists(living.folder / "file"));
  EXPECT_TRUE(fs::exists(mine->path()));
  EXPECT_TRUE(fs::exists(kept));
  for (const fs::path& other : others) {
    EXPECT_TRUE(fs::exists(other)) << other;
    fs::remove(other);
  }
  fs::remove(linked);
  fs::remove(kept);
  living.kill();
  remove_left_behind(base, "test");
  EXPECT_FALSE(fs::exists(living.folder));
  EXPECT_TRUE(fs::exists(mine->path()));
}

TEST(TemporaryFolder, IsInTmpIfTmpdirIsTooLongForASocket) {
  const char* before = ::getenv("TMPDIR");
  const std::string kept = before != nullptr ? before : "";
  ::setenv("TMPDIR", ("/tmp/" + std::string(80, 'x')).c_str(), 1);
  EXPECT_FALSE(TemporaryFolder::make("test")) << "there is no such folder";
  const auto folder = TemporaryFolder::make("test", 0700, 60);
  before != nullptr ? ::setenv("TMPDIR", kept.c_str(), 1) : ::unsetenv("TMPDIR");
  ASSERT_TRUE(folder) << folder.error().text();
  EXPECT_EQ(folder->path().parent_path(), "/tmp");
}

}  // namespace
}  // namespace hone
