// Compares text with a file of the source tree, or rewrites the file when asked to.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace hone::test {

namespace {

std::string path_of(const std::string& name) {
  return std::string(HONE_SOURCE_DIR) + "/tests/golden/" + name;
}

}  // namespace

bool updates_golden() {
  const char* update = std::getenv("HONE_UPDATE_GOLDEN");
  return update && std::string(update) == "1";
}

std::string golden_first_line(const std::string& name) {
  std::ifstream file(path_of(name), std::ios::binary);
  std::string line;
  std::getline(file, line);
  return line;
}

void expect_golden(const std::string& name, const std::string& text) {
  const std::string path = path_of(name);
  if (updates_golden()) {
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream file(path, std::ios::binary);
    file << text;
    file.close();
    EXPECT_TRUE(file) << "cannot write " << path;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    ADD_FAILURE() << "no golden file " << path << "; HONE_UPDATE_GOLDEN=1 writes it:\n" << text;
    return;
  }
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(expected.str(), text) << "differs from " << path << "; HONE_UPDATE_GOLDEN=1 rewrites it";
}

}  // namespace hone::test
