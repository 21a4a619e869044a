// Files are whole or as they were; links, owners and devices stay what they are.
#include "codegen/base/output_file.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "codegen/base/temporary_folder.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class OutputFiles : public testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  static std::string text(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// All names in the folder.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_.path())) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }
  static struct stat facts(const fs::path& path) {
    struct stat found = {};
    EXPECT_EQ(::lstat(path.c_str(), &found), 0) << path;
    return found;
  }
  TemporaryFolder folder_ = *TemporaryFolder::make("test");
};

TEST_F(OutputFiles, HaveTheirNameOnlyOnceTheyAreWhole) {
  std::ofstream(at("a")) << "old";
  {
    auto file = OutputFile::create(at("a"));
    ASSERT_TRUE(file) << file.error().text();
    ASSERT_TRUE(file->write("half"));
    EXPECT_EQ(text(at("a")), "old");
    EXPECT_EQ(text(file->path()), "half");
  }
  EXPECT_EQ(text(at("a")), "old");
  EXPECT_THAT(names(), testing::ElementsAre("a")) << "what was given up leaves nothing behind";
  auto file = OutputFile::create(at("a"));
  ASSERT_TRUE(file->write("new"));
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(text(at("a")), "new");
  ASSERT_TRUE(file->write(", and more"));
  EXPECT_EQ(text(at("a")), "new, and more");
  fs::remove(at("a"));
  ASSERT_TRUE(file->write(", again"));
  EXPECT_EQ(text(at("a")), "new, and more, again") << "it was deleted while it was written";
  EXPECT_THAT(names(), testing::ElementsAre("a"));
}

TEST_F(OutputFiles, ReplaceWhatALinkNamesAndNotTheLink) {
  fs::create_directory(at("far"));
  std::ofstream(at("far") / "real") << "old";
  fs::create_symlink("far/real", at("middle"));
  fs::create_symlink(at("middle"), at("link"));
  ASSERT_TRUE(write_file(at("link"), "new"));
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_TRUE(fs::is_symlink(at("middle")));
  EXPECT_EQ(text(at("far") / "real"), "new");
  EXPECT_EQ(real_path(at("link")), real_path(at("far") / "real"));
}

TEST_F(OutputFiles, AreMadeWhereALinkPointsThoughNothingIsThere) {
  fs::create_symlink("target", at("link"));
  ASSERT_TRUE(write_file(at("link"), "new"));
  EXPECT_TRUE(fs::is_symlink(at("link")));
  EXPECT_EQ(text(at("target")), "new");
}

TEST_F(OutputFiles, KeepOwnerAndPermissionsOfWhatTheyReplace) {
  std::ofstream(at("a")) << "old";
  fs::permissions(at("a"), fs::perms(0640));
  const bool is_root = ::chown(at("a").c_str(), 12345, 54321) == 0;
  ASSERT_TRUE(write_file(at("a"), "new"));
  EXPECT_EQ(facts(at("a")).st_mode & 07777, 0640u);
  if (is_root) {
    EXPECT_EQ(facts(at("a")).st_uid, 12345u);
    EXPECT_EQ(facts(at("a")).st_gid, 54321u);
  }
}

TEST_F(OutputFiles, AreNewWithWhatTheUmaskLeaves) {
  const mode_t before = ::umask(027);
  auto file = OutputFile::create(at("program"), {.mode = 0777});
  ::umask(before);
  ASSERT_TRUE(file->commit());
  EXPECT_EQ(facts(at("program")).st_mode & 07777, 0750u);
}

TEST_F(OutputFiles, NeverReplaceADeviceOrAPipe) {
  // A device of its own where that is allowed: were it replaced, nothing else would miss it.
  const fs::path null = at("null");
  if (::mknod(null.c_str(), S_IFCHR | 0666, facts("/dev/null").st_rdev) == 0) {
    ASSERT_TRUE(write_file(null, "gone"));
    EXPECT_TRUE(S_ISCHR(facts(null).st_mode));
  }
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  const int reader = ::open(at("pipe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_TRUE(write_file(at("pipe"), "through"));
  char read[16] = {};
  EXPECT_EQ(::read(reader, read, sizeof read), 7);
  EXPECT_STREQ(read, "through");
  ::close(reader);
  EXPECT_TRUE(S_ISFIFO(facts(at("pipe")).st_mode));
}

TEST_F(OutputFiles, WriteIntoAnOpenDescriptorThatIsNamed) {
  const int out = ::open(at("redirected").c_str(), O_CREAT | O_RDWR, 0600);
  const ino_t before = facts(at("redirected")).st_ino;
  ASSERT_TRUE(write_file("/proc/self/fd/" + std::to_string(out), "into it"));
  ::close(out);
  EXPECT_EQ(text(at("redirected")), "into it");
  EXPECT_EQ(facts(at("redirected")).st_ino, before) << "who reads it has it open";
}

TEST_F(OutputFiles, SayThatADeviceIsFull) {
  const Status written = write_file("/dev/full", "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().text(), "/dev/full: cannot be written: No space left on device");
}

TEST_F(OutputFiles, SayWhyTheyCannotBe) {
  EXPECT_THAT(write_file(at("none") / "a", "x").error().text(),
              HasSubstr("none/a: cannot be written: No such file or directory (choose a folder that exists"));
  EXPECT_THAT(write_file(folder_.path(), "x").error().text(), HasSubstr("cannot be written: it is a folder"));
  fs::create_symlink("circle", at("circle"));
  EXPECT_THAT(write_file(at("circle"), "x").error().text(), HasSubstr("cannot be written"));
}

TEST_F(OutputFiles, KeepTheirNameWhileTheyAreHeldOpen) {
  std::ofstream(at("a")) << "content, and more";
  int file = ::open(at("a").c_str(), O_RDWR);
  EXPECT_EQ(name_state(file, at("a")), NameState::ours);
  EXPECT_FALSE(*keep_name(file, 7, at("a"), true));
  fs::remove(at("a"));
  EXPECT_EQ(name_state(file, at("a")), NameState::gone);
  std::ofstream(at("a")) << "somebody else's";
  EXPECT_EQ(name_state(file, at("a")), NameState::another);
  EXPECT_THAT(keep_name(file, 7, at("a"), true).error().text(),
              HasSubstr("a: another file took its place while it was in use"));
  EXPECT_EQ(text(at("a")), "somebody else's");
  fs::remove(at("a"));
  const auto again = keep_name(file, 7, at("a"), true);
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(*again);
  EXPECT_EQ(text(at("a")), "content");
  EXPECT_EQ(name_state(file, at("a")), NameState::ours);
  EXPECT_THAT(names(), testing::ElementsAre("a"));
  const int other = ::open(at("a").c_str(), O_RDWR);
  EXPECT_NE(::flock(other, LOCK_EX | LOCK_NB), 0) << "it is locked as the first one was";
  ::close(other);
  EXPECT_THAT(keep_name(file, 99, at("none") / "b", false).error().text(),
              HasSubstr("none/b: is gone and cannot be written anew: No such file"));
  ::close(file);
}

}  // namespace
}  // namespace hone
