#include "tests/system/rig.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "logs/database.h"

namespace hone::testing_system {

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

size_t count(const std::string& text, const std::string& what) {
  size_t found = 0;
  for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
  return found;
}

Launcher with_environment(std::vector<std::string> variables) {
  variables.insert(variables.begin(), "env");
  return variables;
}

std::vector<std::string> Rig::scheduler_arguments(std::vector<std::string> more) const {
  std::vector<std::string> arguments = {
      "--listen",   endpoint(), "--log",           log(),    "--heartbeat-ms",   "50",   "--loss-ms", "20000",
      "--lease-ms", "20000",    "--settle-trials", "100000", "--worker-wait-ms", "30000"};
  for (size_t i = 0; i + 1 < more.size(); i += 2) {
    const auto known = std::find(arguments.begin(), arguments.end(), more[i]);
    if (known != arguments.end())
      *(known + 1) = more[i + 1];
    else
      arguments.insert(arguments.end(), {more[i], more[i + 1]});
  }
  return arguments;
}

std::unique_ptr<Running> Rig::scheduler(std::vector<std::string> more, Launcher launcher) {
  return std::make_unique<Running>("hone-scheduler", scheduler_arguments(std::move(more)), scratch_,
                                   std::move(launcher));
}

std::unique_ptr<Running> Rig::boards(const std::string& script, int count, const std::string& name,
                                     Launcher launcher) {
  std::ofstream(scratch_ / (name + ".script")) << script;
  const std::vector<std::string> arguments = {
      "--scheduler", endpoint(),           "--name", name, "--simulate", scratch_ / (name + ".script"),
      "--boards",    std::to_string(count)};
  return std::make_unique<Running>("hone-runner", arguments, scratch_, std::move(launcher), name);
}

bool Rig::said(const Running& program, const std::string& file, const std::string& what) {
  return wait_until(scratch_.path(), program,
                    [&] { return text_of(scratch_ / file).find(what) != std::string::npos; });
}

nlohmann::json Rig::status(std::vector<std::string> lab) const {
  if (lab.empty()) lab = {"--scheduler", endpoint()};
  lab.insert(lab.begin(), {"status", "--json"});
  const Finished shown = hone(lab, scratch_);
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  return shown.exit_code == 0 ? nlohmann::json::parse(shown.last_line()) : nlohmann::json();
}

void Rig::expect_no_board_was_blamed() const {
  const std::string said = scheduler_said();
  EXPECT_THAT(said, testing::Not(testing::ContainsRegex("lost (boards|witness|b1)[^:]*: silent for")));
  for (const char* blame : {"is Bad", "set aside", "the lease of the measurement ran out"})
    EXPECT_THAT(said, testing::Not(testing::HasSubstr(blame)));
}

void Rig::expect_sound(Running& server, pid_t process) {
  if (process != 0)
    ::kill(process, SIGTERM);
  else
    server.signal(SIGTERM);
  const Finished finished = server.finish();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  EXPECT_EQ(records().size(), database->records().size()) << "something is there twice";
}

}  // namespace hone::testing_system
