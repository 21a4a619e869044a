// Only regular files are read, nothing is waited for, and a name that a model gives does not lead out of its
// folder.
#include "codegen/base/input_file.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "codegen/base/temporary_folder.h"

namespace hone {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class InputFiles : public testing::Test {
 protected:
  InputFiles() {
    fs::create_directories(at("model/inner"));
    std::ofstream(at("secret")) << "secret";
    std::ofstream(at("model/weights")) << "0123456789";
  }
  fs::path at(const std::string& name) const { return folder_.path() / name; }
  std::string why_not(const fs::path& path) const {
    const auto read = read_regular_file(path, 100);
    return read ? "was read: " + *read : read.error().text();
  }
  std::string beneath(std::string_view name) const {
    const auto file = InputFile::open_beneath(at("model"), name);
    if (!file) return file.error().text();
    const auto bytes = file->read(0, file->bytes());
    return bytes ? *bytes : bytes.error().text();
  }
  TemporaryFolder folder_ = *TemporaryFolder::make("test");
};

TEST_F(InputFiles, AreReadWhole) {
  EXPECT_EQ(*read_regular_file(at("model/weights"), 10), "0123456789");
  const auto file = InputFile::open(at("model/weights"));
  EXPECT_EQ(file->bytes(), 10u);
  EXPECT_EQ(*file->read(3, 4), "3456");
  fs::create_symlink("model/weights", at("link"));
  EXPECT_EQ(*read_regular_file(at("link"), 10), "0123456789");
}

TEST_F(InputFiles, AreRefusedIfTheyAreNone) {
  EXPECT_THAT(why_not(at("none")), HasSubstr("none: there is no such file"));
  EXPECT_THAT(why_not(at("model")), HasSubstr("model: is a folder, not a file"));
  EXPECT_EQ(why_not("/dev/zero"), "/dev/zero: is a device, not a file");
  ASSERT_EQ(::mkfifo(at("pipe").c_str(), 0600), 0);
  EXPECT_THAT(why_not(at("pipe")), HasSubstr("pipe: is a pipe, not a file")) << "and is not waited for";
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address = {AF_UNIX, {}};
  at("socket").string().copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_THAT(why_not(at("socket")), HasSubstr("is a socket, not a file"));
  ::close(socket);
  EXPECT_THAT(why_not(at(std::string("secret\0.npy", 11))), HasSubstr("the path holds a NUL"));
}

TEST_F(InputFiles, HaveAtMostTheSizeThatIsRead) {
  const auto read = read_regular_file(at("model/weights"), 9);
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().text(), HasSubstr("has 10 bytes, at most 9 are read"));
  const auto file = InputFile::open(at("model/weights"));
  fs::resize_file(at("model/weights"), 4);
  EXPECT_THAT(file->read(0, 10).error().text(), HasSubstr("ends at byte 4, 6 more were expected"));
}

TEST_F(InputFiles, NamedByAModelLieInItsFolder) {
  std::ofstream(at("model/inner/more")) << "more";
  fs::create_symlink("inner/more", at("model/alias"));
  EXPECT_EQ(beneath("weights"), "0123456789");
  EXPECT_EQ(beneath("./inner/more"), "more");
  EXPECT_EQ(beneath("alias"), "more") << "a link that stays inside is as good as a file";
  EXPECT_THAT(beneath("none"), HasSubstr("there is no such file"));
  EXPECT_THAT(beneath("inner"), HasSubstr("is a folder, not a file"));
}

TEST_F(InputFiles, NamedByAModelDoNotLeadOutOfIt) {
  fs::create_symlink(at("secret"), at("model/absolute"));
  fs::create_symlink("../secret", at("model/relative"));
  fs::create_symlink("..", at("model/up"));
  fs::create_symlink("/proc/self/root", at("model/magic"));
  const std::string names[] = {"absolute",           "relative",         "up/secret", "../secret",
                               "inner/../../secret", "magic/etc/passwd", "",          at("secret").string()};
  for (const std::string& name : names)
    EXPECT_THAT(beneath(name), HasSubstr("leads out of " + at("model").string())) << name;
  EXPECT_THAT(beneath(std::string_view("weights\0/../../secret", 21)), HasSubstr("the path holds a NUL"));
}

}  // namespace
}  // namespace hone
