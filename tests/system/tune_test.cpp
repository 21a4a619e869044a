// `hone tune` end to end: scheduler, tuner and runner as real processes on a tiny model; their deaths;
// Ctrl-C.
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdio>
#include <fstream>
#include <map>
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
std::set<Digest> records(const Scratch& scratch) {
  std::set<Digest> result;
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
  const Finished run = hone(tune(scratch, {"--trials", "40"}), scratch);
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

TEST(Tune, WithJsonPrintsNothingElseOnStdoutAndTheTableOnStderr) {
  Scratch scratch;
  const Finished run = hone(tune(scratch, {"--trials", "12"}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(nlohmann::json::accept(run.out)) << run.out;
  EXPECT_THAT(run.err, HasSubstr("GFLOP/s"));
  EXPECT_THAT(run.err, HasSubstr("total "));
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

TEST(Tune, EndsAsSoonAsTheTargetSpeedIsReached) {
  Scratch scratch;
  const Finished run = hone(tune(scratch, {"--target-speed", "1000", "--trials", "100000"}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("under the target of 1000 ms"));
  const auto json = nlohmann::json::parse(run.last_line());
  EXPECT_EQ(json["state"], "Completed");
  EXPECT_TRUE(json["complete"].get<bool>());
  EXPECT_LE(json["best_ms"], 1000);
  for (const auto& task : json["best"]) {
    EXPECT_GT(task["best_ms"], 0) << task.dump();
    EXPECT_TRUE(task["finished"].get<bool>()) << task.dump();
  }
  // The first time of each task was under the target: nothing was searched beyond what was in flight then.
  EXPECT_LT(json["trials"], 24 * json["best"].size());
  expect_sound(scratch);
}

TEST(Tune, NeverSaysThatATargetSpeedOutOfReachWasReached) {
  Scratch scratch;
  const Finished run = hone(tune(scratch, {"--target-speed", "0.000001", "--trials", "12"}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(run.err.find("under the target"), std::string::npos) << run.err;
  EXPECT_THAT(run.err, HasSubstr("the log holds"));
  EXPECT_GE(nlohmann::json::parse(run.last_line())["trials"], 12);
}

TEST(Tune, WritesACurveWhoseLastRowIsItsResult) {
  Scratch scratch;
  const std::string file = scratch / "curve.csv";
  const Finished run = hone(tune(scratch, {"--trials", "16", "--curve", file}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.last_line());
  std::ifstream in(file);
  std::string line;
  ASSERT_TRUE(std::getline(in, line));
  EXPECT_EQ(line, "seconds,trials,model_ms,finals");
  double seconds = 0, trials = 0, model_ms = 0;
  int finals = -1, rows = 0;
  for (; std::getline(in, line); ++rows) {
    double at = 0, count = 0, ms = 0;
    const bool complete = std::sscanf(line.c_str(), "%lf,%lf,%lf,%d", &at, &count, &ms, &finals) == 4;
    if (!complete) {
      ASSERT_EQ(std::sscanf(line.c_str(), "%lf,%lf,,%d", &at, &count, &finals), 3) << line;
      EXPECT_EQ(model_ms, 0) << "a model that had a time has one still: " << line;
    }
    EXPECT_GE(at, seconds) << line;
    EXPECT_GE(count, trials) << line;
    seconds = at, trials = count, model_ms = ms;
  }
  EXPECT_GT(rows, 1);
  EXPECT_EQ(finals, 1);
  EXPECT_EQ(trials, json["trials"].get<double>());
  EXPECT_NEAR(model_ms, json["best_ms"].get<double>(), 1e-5);
}

TEST(Tune, SharesOfTimeAddUpToWhatItsBoardAndItsTunerHad) {
  Scratch scratch;
  const Finished run = hone(tune(scratch, {"--trials", "80"}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  const auto json = nlohmann::json::parse(run.last_line());
  const auto& stages = json["stages_ms"];
  for (const char* stage : {"propose", "build", "upload", "check", "run", "idle"})
    EXPECT_GE(stages[stage], 0) << stage;
  for (const char* stage : {"propose", "build", "check", "run"}) EXPECT_GT(stages[stage], 0) << stage;
  const double seconds = json["seconds"];
  const double board = stages["upload"].get<double>() + stages["check"].get<double>() +
                       stages["run"].get<double>() + stages["idle"].get<double>();
  // One board: what it did and did not do is the job's time, but for how it starts and ends.
  EXPECT_LE(board, 1000 * seconds * 1.02 + 50);
  EXPECT_GE(board, 1000 * seconds * 0.6);
  for (const char* word : {"builders  propose", ", build ", "boards    upload", ", check ", ", run ",
                           ", idle ", "trials/s  propose", "together"})
    EXPECT_THAT(run.err, HasSubstr(word));
}

/// A log of the tiny model to learn from.
std::string learned_log(const Scratch& scratch) {
  const std::string log = scratch / "learned.h5";
  const Finished run =
      hone({"tune", tiny_model(), "--target", "host", "--log", log, "--json", "--trials", "40"}, scratch);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  return log;
}

TEST(Tune, TriesTheBestOfATransferredLogFirstAndLeavesThatLogAlone) {
  Scratch scratch;
  const std::string learned = learned_log(scratch);
  const auto teacher = LogDatabase::open(learned);
  ASSERT_TRUE(teacher) << teacher.error().text();
  const auto bytes = std::filesystem::file_size(learned);
  const auto changed = std::filesystem::last_write_time(learned);
  const Finished run = hone(tune(scratch, {"--trials", "40", "--transfer", learned}), scratch);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("learns  from " + std::to_string(teacher->records().size()) + " records"));
  EXPECT_EQ(std::filesystem::file_size(learned), bytes);
  EXPECT_EQ(std::filesystem::last_write_time(learned), changed);
  const auto log = LogDatabase::open(scratch / "log.h5");
  ASSERT_TRUE(log) << log.error().text();
  // The best of each task that was searched there is measured here among its first trials, with its own
  // measurement.
  std::map<Digest, const Record*> best;
  for (const Record& record : teacher->records()) {
    if (record.from.final || record.measurement.status != MeasureStatus::ok) continue;
    const Record*& of_task = best[record.task_key];
    if (of_task == nullptr || record.measurement.median_ns < of_task->measurement.median_ns)
      of_task = &record;
  }
  std::map<Digest, size_t> trials, found;
  for (const Record& record : log->records()) {
    const auto known = best.find(record.task_key);
    if (known == best.end() || record.from.final) continue;
    ++trials[record.task_key];
    if (record.from.trial <= 16 && record.candidate.formulation == known->second->candidate.formulation &&
        record.candidate.parameters == known->second->candidate.parameters)
      ++found[record.task_key];
  }
  size_t searched = 0;
  for (const auto& [task, count] : trials) {
    if (count < 6) continue;  // not much more than trial 0
    ++searched;
    EXPECT_EQ(found[task], 1u) << best[task]->task_summary << ": " << best[task]->candidate.parameters;
  }
  EXPECT_GT(searched, 0u);
  expect_sound(scratch);
}

TEST(TuneErrors, ATransferLogThatIsMissingOrTheLogItselfIsNamed) {
  Scratch scratch;
  const Finished missing = hone(tune(scratch, {"--transfer", "/nowhere/old.h5"}), scratch);
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.err, HasSubstr("/nowhere/old.h5"));
  const std::string learned = learned_log(scratch);
  const Finished same = hone(
      {"tune", tiny_model(), "--target", "host", "--log", learned, "--json", "--transfer", learned}, scratch);
  EXPECT_EQ(same.exit_code, 1);
  EXPECT_THAT(same.err, HasSubstr("is the log itself"));
}

TEST(TuneErrors, ATargetSpeedThatIsNoneAndACurveThatCannotBeWrittenAreSaid) {
  Scratch scratch;
  const Finished speed = hone(tune(scratch, {"--target-speed=-2"}), scratch);
  EXPECT_EQ(speed.exit_code, 1);
  EXPECT_THAT(speed.err, HasSubstr("is no time in milliseconds"));
  const Finished curve =
      hone(tune(scratch, {"--trials", "4", "--curve", "/proc/nowhere/curve.csv"}), scratch);
  EXPECT_EQ(curve.exit_code, 1);
  EXPECT_THAT(curve.err, HasSubstr("/proc/nowhere/curve.csv"));
  EXPECT_TRUE(records(scratch).empty()) << "said before anything was measured";
}

TEST(Tune, SurvivesTheDeathOfEachOfItsProcessesWithoutLosingARecord) {
  Scratch scratch;
  Running run("hone", tune(scratch, {"--time", "1h", "--more"}), scratch);
  std::set<Digest> acknowledged;
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
  for (const Digest& record : acknowledged) EXPECT_TRUE(kept.contains(record));
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
  for (const Digest& record : before) EXPECT_TRUE(kept.contains(record));
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
  for (const Digest& record : before) EXPECT_TRUE(kept.contains(record));
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
  for (const Digest& record : before) EXPECT_TRUE(kept.contains(record));
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
  const Finished run = hone({"tune", tiny_model(), "--log", "/proc/nowhere/log.h5", "--trials", "1"}, scratch);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("/proc/nowhere"));
}

TEST(TuneErrors, AFileThatIsNoLogIsNotOverwritten) {
  Scratch scratch;
  const std::string no_log = scratch / "photos.h5";
  std::filesystem::copy_file(tiny_model(), no_log);
  const Finished run = hone({"tune", tiny_model(), "--log", no_log, "--trials", "1"}, scratch);
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
