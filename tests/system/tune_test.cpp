// `hone tune` end to end: scheduler, tuner and runner as real processes on a tiny model; their deaths;
// Ctrl-C.
#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>
#include <set>

#include "logs/database.h"
#include "tests/system/programs.h"

namespace hone::testing_system {
namespace {

using testing::HasSubstr;

std::vector<std::string> tune(const Scratch& scratch, std::vector<std::string> more) {
  std::vector<std::string> arguments = {"tune",  tiny_model(),       "--target", "host",
                                        "--log", scratch / "log.h5", "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// Identities of all records that the log holds durably now.
std::set<std::string> records(const Scratch& scratch) {
  std::set<std::string> result;
  if (const auto log = LogDatabase::open(scratch / "log.h5")) {
    for (const Record& record : log->records()) result.insert(record_identity(record));
  }
  return result;
}

/// The three programs that `hone tune` has started.
std::vector<pid_t> children(Running& run) {
  return {run.child("hone-runner"), run.child("hone-tuner"), run.child("hone-scheduler")};
}

void expect_sound(const Scratch& scratch) {
  const auto log = LogDatabase::open(scratch / "log.h5");
  ASSERT_TRUE(log) << log.error().text();
  EXPECT_THAT(log->verify(), testing::IsEmpty());
}

TEST(Tune, MeasuresEveryTaskAndEndsWithTableAndJson) {
  Scratch scratch;
  const Finished run = hone(tune(scratch, {"--time", "5s"}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.last_line());
  EXPECT_GT(json["trials"], 0);
  EXPECT_EQ(json["measured_before"], 0);
  EXPECT_GT(json["best"].size(), 2u);
  for (const auto& task : json["best"]) EXPECT_GT(task["best_ms"], 0) << task.dump();
  EXPECT_THAT(run.out, HasSubstr("conv3x3"));
  EXPECT_THAT(run.err, HasSubstr("target"));
  EXPECT_EQ(run.err.find('\033'), std::string::npos) << "no colours where no terminal is";
  expect_sound(scratch);
}

TEST(Tune, ASecondRunMeasuresNothingTwice) {
  Scratch scratch;
  const Finished first = hone(tune(scratch, {"--trials", "12"}), scratch);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  const auto before = records(scratch);
  const auto trials = nlohmann::json::parse(first.last_line())["trials"].get<int>();
  EXPECT_GE(trials, 12);
  const Finished second = hone(tune(scratch, {"--trials", "12"}), scratch);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  const auto json = nlohmann::json::parse(second.last_line());
  EXPECT_EQ(json["new_trials"], 0);
  EXPECT_EQ(json["measured_before"], trials);
  EXPECT_EQ(records(scratch), before);
}

TEST(Tune, SurvivesTheDeathOfEachOfItsProcessesWithoutLosingARecord) {
  Scratch scratch;
  Running run("hone", tune(scratch, {"--time", "25s", "--more"}), scratch);
  std::set<std::string> acknowledged;
  for (const char* program : {"hone-runner", "hone-tuner", "hone-scheduler"}) {
    const size_t have = acknowledged.size();
    ASSERT_TRUE(wait_until(scratch.path(), run, [&] { return records(scratch).size() >= have + 4; }))
        << program;
    const pid_t victim = run.child(program);
    ASSERT_GT(victim, 0) << program;
    ASSERT_EQ(kill(victim, SIGKILL), 0);
    ASSERT_TRUE(ends(victim));
    acknowledged = records(scratch);
  }
  const size_t have = acknowledged.size();
  EXPECT_TRUE(wait_until(scratch.path(), run, [&] { return records(scratch).size() > have; }))
      << "nothing was measured after the last death";
  run.signal(SIGINT);
  const Finished finished = run.finish();
  EXPECT_TRUE(finished.exit_code == 130 || finished.exit_code == 0) << finished.exit_code << finished.err;
  for (const char* program : {"hone-runner", "hone-tuner", "hone-scheduler"}) {
    EXPECT_THAT(finished.err, HasSubstr(std::string(program) + " died (killed by Killed"));
  }
  const auto kept = records(scratch);
  for (const std::string& record : acknowledged) EXPECT_TRUE(kept.contains(record));
  expect_sound(scratch);
}

TEST(Tune, GivesUpOnAProgramThatKeepsDyingAndKeepsWhatWasMeasured) {
  Scratch scratch;
  Running run("hone", tune(scratch, {"--time", "1h", "--more"}), scratch);
  ASSERT_TRUE(wait_until(scratch.path(), run, [&] { return records(scratch).size() >= 3; }));
  const auto before = records(scratch);
  pid_t last = 0;
  wait_until(scratch.path(), run, [&] {
    const pid_t runner = run.child("hone-runner");
    if (runner != 0 && runner != last) kill(last = runner, SIGKILL);
    return false;
  });
  const Finished finished = run.finish();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("hone-runner keeps dying: killed by Killed"));
  const auto kept = records(scratch);
  for (const std::string& record : before) EXPECT_TRUE(kept.contains(record));
  expect_sound(scratch);
}

TEST(Tune, CtrlCLeavesAValidLogAndNoProcess) {
  Scratch scratch;
  Running run("hone", tune(scratch, {"--time", "1h", "--more"}), scratch);
  ASSERT_TRUE(wait_until(scratch.path(), run, [&] { return records(scratch).size() >= 3; }));
  const auto before = records(scratch);
  const std::vector<pid_t> programs = children(run);
  run.signal(SIGINT);
  const Finished finished = run.finish();
  EXPECT_EQ(finished.exit_code, 130) << finished.err;
  for (const pid_t child : programs) EXPECT_EQ(kill(child, 0), -1);
  EXPECT_GE(nlohmann::json::parse(finished.last_line())["trials"], 1);
  const auto kept = records(scratch);
  for (const std::string& record : before) EXPECT_TRUE(kept.contains(record));
  expect_sound(scratch);
}

TEST(Tune, KilledItselfLeavesNoProcessAndAReadableLog) {
  Scratch scratch;
  Running run("hone", tune(scratch, {"--time", "1h", "--more"}), scratch);
  ASSERT_TRUE(wait_until(scratch.path(), run, [&] { return records(scratch).size() >= 3; }));
  const auto before = records(scratch);
  const std::vector<pid_t> programs = children(run);
  run.signal(SIGKILL);
  EXPECT_EQ(run.finish().exit_code, 128 + SIGKILL);
  for (const pid_t child : programs) EXPECT_TRUE(ends(child));
  const auto kept = records(scratch);
  for (const std::string& record : before) EXPECT_TRUE(kept.contains(record));
}

TEST(TuneErrors, AMissingModelIsNamed) {
  Scratch scratch;
  const Finished run = hone({"tune", "/nowhere/model.onnx", "--log", scratch / "log.h5"}, scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("/nowhere/model.onnx"));
  EXPECT_TRUE(run.out.empty());
}

TEST(TuneErrors, ALogThatCannotBeWrittenIsFoundBeforeAnythingStarts) {
  Scratch scratch;
  const Finished run = hone({"tune", tiny_model(), "--log", "/proc/nowhere/log.h5", "--time", "1s"}, scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("/proc/nowhere"));
}

TEST(TuneErrors, AFileThatIsNoLogIsNotOverwritten) {
  Scratch scratch;
  const std::string no_log = scratch / "photos.h5";
  std::filesystem::copy_file(tiny_model(), no_log);
  const Finished run = hone({"tune", tiny_model(), "--log", no_log, "--time", "1s"}, scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("photos.h5"));
  EXPECT_EQ(std::filesystem::file_size(no_log), std::filesystem::file_size(tiny_model()));
}

TEST(TuneErrors, ADurationThatIsNoneIsSaid) {
  Scratch scratch;
  for (const char* time : {"soon", "-3s", "0", "5 parsecs"}) {
    const Finished run = hone(tune(scratch, {std::string("--time=") + time}), scratch);
    EXPECT_EQ(run.exit_code, 1) << time;
    EXPECT_THAT(run.err, HasSubstr("is no duration")) << time;
  }
}

TEST(TuneErrors, MoreThreadsThanCoresAreRefused) {
  Scratch scratch;
  const Finished run = hone(tune(scratch, {"--threads", "1024"}), scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("1024 threads were asked for"));
}

TEST(TuneErrors, ATargetOfAnotherArchitectureIsRefused) {
  Scratch scratch;
#ifdef __x86_64__
  const char* other = "aarch64-neon";
#else
  const char* other = "x86-64-v2";
#endif
  const Finished run = hone({"tune", tiny_model(), "--target", other, "--log", scratch / "log.h5"}, scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("cannot run code for"));
}

TEST(TuneErrors, ATaskThatTheModelLacksIsSaid) {
  Scratch scratch;
  const Finished run = hone(tune(scratch, {"--tasks", "conv77x77"}), scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("no task of the model is called like 'conv77x77'"));
}

}  // namespace
}  // namespace hone::testing_system
