// Files that are read whole before anything in them is looked at.
#include "codegen/runtime/host/file_bytes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "codegen/base/temporary_folder.h"

namespace hone {
namespace {

TEST(FileBytes, AFileIsReadWhole) {
  const auto folder = TemporaryFolder::make("file-bytes-test");
  ASSERT_TRUE(folder);
  const std::string file = folder->path() / "f";
  std::ofstream(file) << "abc";
  const auto bytes = FileBytes::read(file);
  ASSERT_TRUE(bytes) << bytes.error().text();
  ASSERT_EQ(bytes->bytes().size(), 3u);
  EXPECT_EQ(bytes->bytes()[2], std::byte{'c'});
}

TEST(FileBytes, ASparseFileBeyondAllMemoryIsAnErrorAndNotRead) {
  const auto folder = TemporaryFolder::make("file-bytes-test");
  ASSERT_TRUE(folder);
  const std::string file = folder->path() / "f";
  std::ofstream(file) << "abc";
  std::error_code error;
  std::filesystem::resize_file(file, uintmax_t{1} << 43, error);
  if (error) GTEST_SKIP() << "this file system has no such file: " << error.message();
  const auto bytes = FileBytes::read(file);
  ASSERT_FALSE(bytes);
  EXPECT_THAT(bytes.error().text(), testing::HasSubstr("it has 8796093022208 bytes, there are "));
}

}  // namespace
}  // namespace hone
