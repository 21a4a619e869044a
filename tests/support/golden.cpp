// Compares text with a file of the source tree, or rewrites the file when asked to.
#include "tests/support/golden.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace hone::test {

void expect_golden(const std::string& name, const std::string& text) {
  std::string path = std::string(HONE_SOURCE_DIR) + "/tests/golden/" + name;
  const char* update = std::getenv("HONE_UPDATE_GOLDEN");
  if (update && std::string(update) == "1") {
    std::ofstream(path, std::ios::binary) << text;
    return;
  }
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    ADD_FAILURE() << "no golden file " << path << "; HONE_UPDATE_GOLDEN=1 writes it:\n" << text;
    return;
  }
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(text, expected.str()) << "differs from " << path << "; HONE_UPDATE_GOLDEN=1 rewrites it";
}

}  // namespace hone::test
