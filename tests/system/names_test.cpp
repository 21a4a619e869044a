// Names and texts of models and peers that would act on a terminal: whatever hone prints is text.
#include <gmock/gmock.h>
#include <signal.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

using testing::HasSubstr;

/// Clears the screen, sets the title, begins a line, turns writing around, and is no UTF-8.
const std::string evil = "e\x1b[2J\x1b]0;t\x07\nhone: error: all is lost\r\u202e\xff\xc2\x9b";

/// Whether a text holds nothing but lines of printable UTF-8.
testing::AssertionResult is_clean(const std::string& text) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    const bool is_c1 = c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
    if ((c < 0x20 && c != '\n') || c == 0x7f || is_c1 || c == 0xff)
      return testing::AssertionFailure() << "byte " << static_cast<int>(c) << " at " << i << " of: " << text;
  }
  if (text.find("\u202e") != std::string::npos)
    return testing::AssertionFailure() << "it turns around: " << text;
  if (text.find("\nhone: error: all is lost") != std::string::npos)
    return testing::AssertionFailure() << "a name began a line: " << text;
  return testing::AssertionSuccess();
}

/// The tiny model, with names of its nodes replaced by others of the same length.
std::filesystem::path evil_model(const Scratch& scratch) {
  std::ifstream stream(tiny_model(), std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(stream), {});
  const std::pair<std::string, std::string> names[] = {
      {"conv0", "c\x1b[2J"}, {"relu1", "\nhone"}, {"conv1", "\u202e\xc2\x9b"}, {"pool", "p\xff\x07\x7f"}};
  for (const auto& [from, to] : names)
    for (size_t at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at))
      bytes.replace(at, from.size(), to);
  const std::filesystem::path file = scratch / "m\x1b[31m.onnx";
  std::ofstream(file, std::ios::binary) << bytes;
  return file;
}

TEST(Names, OfAModelsNodesAreTextInEveryCommand) {
  Scratch scratch;
  const std::string model = evil_model(scratch), so = scratch / "m.so", log = scratch / "log.h5";
  const std::vector<std::string> commands[] = {
      {"inspect", model},
      {"inspect", model, "--json"},
      {"tune", model, "--log", log, "--tasks", "list"},
      {"tune", model, "--log", log, "--trials", "5", "--json"},
      {"build", model, "--log", log, "-o", so, "--json"},
      {"bench", so, "--seconds", "0.01", "--per-op", "--json", "--plot", scratch / "p.svg"},
  };
  for (const std::vector<std::string>& command : commands) {
    const Finished finished = hone(command, scratch);
    EXPECT_EQ(finished.exit_code, 0) << command[0] << ": " << finished.err;
    EXPECT_TRUE(is_clean(finished.out)) << command[0];
    EXPECT_TRUE(is_clean(finished.err)) << command[0];
    if (command.back() == "--json" || command[0] == "bench") {
      EXPECT_TRUE(nlohmann::json::accept(finished.last_line())) << finished.last_line();
    }
  }
  EXPECT_THAT(hone({"inspect", model}, scratch).out,
              testing::AllOf(HasSubstr("c\\x1b[2J"), HasSubstr("\\nhone")));
  EXPECT_TRUE(is_clean(text_of(scratch / "p.svg")));
  const Finished missing = hone({"inspect", "/none/" + evil}, scratch);
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_TRUE(is_clean(missing.err));
}

class PeerNames : public Rig {};

TEST_F(PeerNames, OfJobsAndBoardsAreTextInEveryListAndInTheSchedulersLog) {
  auto server = scheduler();
  std::ofstream(scratch_ / "script") << "seed 3\ntime_ns 1000000 2000000\npace 1\n";
  const auto runner = [&](const std::string& name) -> std::vector<std::string> {
    return {"--scheduler", endpoint(), "--name", name, "--label", "rack=" + evil, "--simulate", scratch_ / "script"};
  };
  const Finished refused = Running("hone-runner", runner(evil), scratch_).finish();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("no name for a board"));
  EXPECT_TRUE(is_clean(refused.err));
  Running board("hone-runner", runner("board"), scratch_);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  wire::JobRequest job = request(30);
  job.name = job.user = evil;
  job.parts[0].tasks[0].summary = evil;
  client.submit(job);
  ASSERT_TRUE(client.ended()) << scheduler_said();
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  const std::string id = std::to_string(client.job());
  const std::vector<std::string> commands[] = {
      {"jobs", "list"}, {"jobs", "describe", id}, {"jobs", "follow", id},      {"boards"},
      {"status"},       {"status", "--json"},     {"boards", "describe", evil}, {"boards", "describe", "board"}};
  for (std::vector<std::string> command : commands) {
    command.insert(command.end(), {"--scheduler", endpoint()});
    const Finished finished = hone(command, scratch_);
    EXPECT_TRUE(is_clean(finished.out)) << command[0] << " " << command[1];
    EXPECT_TRUE(is_clean(finished.err)) << command[0] << " " << command[1];
  }
  EXPECT_THAT(hone({"jobs", "list", "--scheduler", endpoint()}, scratch_).out,
              HasSubstr("e\\x1b[2J\\x1b]0;t\\x07\\n"));
  EXPECT_TRUE(is_clean(scheduler_said()));
  EXPECT_TRUE(is_clean(text_of(scratch_ / "hone-runner.err")));
  expect_sound(*server);
}

}  // namespace
}  // namespace hone::testing_system
