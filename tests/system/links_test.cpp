// What each program links, library by library: a scheduler without a compiler, a tuner without the log, a
// runner with neither.
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>

namespace hone {
namespace {

/// Names of all shared objects that the program's loader would load, lower case.
std::string libraries(const std::string& program) {
  const std::string command = std::string("ldd ") + HONE_BINARY_DIR + "/bin/" + program;
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  for (int c = fgetc(pipe.get()); c != EOF; c = fgetc(pipe.get())) text += static_cast<char>(std::tolower(c));
  return text;
}

struct Rule {
  const char* program;
  std::vector<const char*> without;
};

TEST(Programs, LinkOnlyWhatTheirPartNeeds) {
  const Rule rules[] = {
      {"hone-scheduler", {"llvm"}}, {"hone-tuner", {"hdf5"}}, {"hone-runner", {"llvm", "xgboost", "hdf5"}}};
  for (const Rule& rule : rules) {
    const std::string linked = libraries(rule.program);
    ASSERT_THAT(linked, testing::HasSubstr("libzmq")) << "ldd says nothing about " << rule.program;
    for (const char* library : rule.without) {
      EXPECT_THAT(linked, testing::Not(testing::HasSubstr(library))) << rule.program;
    }
  }
}

}  // namespace
}  // namespace hone
