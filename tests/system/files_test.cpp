// Files as users and other programs really treat them: linked, deleted, special, full; under the real
// programs.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "logs/database.h"
#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

constexpr const char* script = "seed 3\ntime_ns 1000000 2000000\npace 1\n";
constexpr const char* no_space = ": cannot be written: No space left on device";

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

/// A .npy of one picture for the tiny model.
void write_input(const fs::path& file) {
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 32, 32), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes = std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
  bytes.append(size_t{4} * 3 * 32 * 32, '\0');
  std::ofstream(file, std::ios::binary) << bytes;
}

/// A device that is full. For root one of its own: were it replaced, nobody else would miss it.
std::string full_device(const Scratch& scratch) {
  const fs::path own = scratch / "full";
  struct stat facts = {};
  if (::stat("/dev/full", &facts) == 0 && ::mknod(own.c_str(), S_IFCHR | 0666, facts.st_rdev) == 0)
    return own;
  return "/dev/full";
}

/// The tiny model, built once.
class Files : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    shared_ = new Scratch();
    const Finished built = hone({"build", tiny_model(), "-o", so(), "--no-check"}, *shared_);
    ASSERT_EQ(built.exit_code, 0) << built.err;
  }
  static void TearDownTestSuite() { delete shared_; }
  static std::string so() { return *shared_ / "tiny.so"; }
  std::string input() {
    write_input(scratch_ / "x.npy");
    return scratch_ / "x.npy";
  }
  /// With its stdout on a device that is full.
  Finished on_a_full_disk(const std::string& command) {
    const std::string program = std::string(HONE_BINARY_DIR) + "/bin/hone";
    return Running("/bin/sh", {"-c", "exec " + program + " " + command + " > /dev/full"}, scratch_, {}, "sh")
        .finish();
  }
  static Scratch* shared_;
  Scratch scratch_;
};
Scratch* Files::shared_ = nullptr;

TEST_F(Files, ResultsThatDoNotArriveAreAFailureOfEveryCommand) {
  const std::string model = tiny_model(), log = scratch_ / "log.h5";
  for (const std::string& command :
       {std::string("--help"), std::string("--version"), std::string("run --help"), "inspect " + model,
        "inspect --json " + model, "build --no-check " + model + " -o " + (scratch_ / "out.so").string(),
        "build --json " + model + " -o " + (scratch_ / "out.so").string(),
        "run " + so() + " --input " + input(), "bench --seconds 0.01 --json " + so(),
        "tune --tasks list --log " + log + " " + model,
        "tune --trials 5 --json --log " + log + " " + model}) {
    const Finished finished = on_a_full_disk(command);
    EXPECT_EQ(finished.exit_code, 1) << command << ": " << finished.err;
    EXPECT_THAT(finished.err, HasSubstr("hone: error: cannot write the results: No space left on device"))
        << command;
  }
  EXPECT_TRUE(fs::exists(log)) << "what was measured is kept";
}

TEST_F(Files, MessagesThatDoNotArriveEndNothing) {
  const std::string program = std::string(HONE_BINARY_DIR) + "/bin/hone";
  Running running(
      "/bin/sh",
      {"-c", "exec " + program + " run " + so() + " --input " + input() + " --top-k 2 2> /dev/full"},
      scratch_, {}, "sh");
  const Finished finished = running.finish();
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(count(finished.out, "\n"), 2u) << finished.out;
  Running missing("/bin/sh", {"-c", "exec " + program + " inspect /nonexistent 2> /dev/full"}, scratch_, {},
                  "sh");
  EXPECT_EQ(missing.finish().exit_code, 1) << "and not an abort";
}

TEST_F(Files, NothingIsSaidIntoAFileThatTookAClosedPlace) {
  const std::string program = std::string(HONE_BINARY_DIR) + "/bin/hone", out = scratch_ / "out.so";
  Running running("/bin/sh",
                  {"-c", "exec " + program + " build " + tiny_model().string() + " -o " + out + " <&- >&-"},
                  scratch_, {}, "sh");
  EXPECT_EQ(running.finish().exit_code, 1) << "its results went nowhere";
  const Finished ran = hone({"run", out, "--input", input()}, scratch_);
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
}

TEST_F(Files, OutputsOnAFullDiskAreFailures) {
  const std::string model = tiny_model(), full = full_device(scratch_);
  const Finished built = hone({"build", "--no-check", model, "-o", full}, scratch_);
  EXPECT_EQ(built.exit_code, 1);
  EXPECT_THAT(built.err, HasSubstr(full + no_space));
  const Finished ran = hone({"run", so(), "--input", input(), "--output", full}, scratch_);
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_THAT(ran.err, HasSubstr(full + no_space));
  const Finished plotted = hone({"bench", so(), "--seconds", "0.01", "--plot", full}, scratch_);
  EXPECT_EQ(plotted.exit_code, 1);
  EXPECT_THAT(plotted.err, HasSubstr(full + no_space));
  const Finished tuned =
      hone({"tune", model, "--log", scratch_ / "log.h5", "--trials", "5", "--curve", full}, scratch_);
  EXPECT_EQ(tuned.exit_code, 1);
  EXPECT_THAT(tuned.err, HasSubstr(full + no_space));
  EXPECT_THAT(names_in(scratch_.path()), testing::Not(testing::Contains(HasSubstr("log.h5"))))
      << "what refuses to start leaves nothing behind";
}

TEST_F(Files, OutputsGoWhereALinkLeadsAndKeepTheirPermissions) {
  fs::create_directory(scratch_ / "real");
  std::ofstream(scratch_ / "real/model.so") << "old";
  fs::permissions(scratch_ / "real/model.so", fs::perms(0600));
  fs::create_symlink("real/model.so", scratch_ / "link.so");
  ASSERT_EQ(hone({"build", "--no-check", tiny_model(), "-o", scratch_ / "link.so"}, scratch_).exit_code, 0);
  EXPECT_TRUE(fs::is_symlink(scratch_ / "link.so"));
  EXPECT_GT(fs::file_size(scratch_ / "real/model.so"), 4096u);
  EXPECT_EQ(fs::status(scratch_ / "real/model.so").permissions(), fs::perms(0600));
  fs::create_symlink("real/y.npy", scratch_ / "y.npy");
  ASSERT_EQ(hone({"run", so(), "--input", input(), "--output", scratch_ / "y.npy"}, scratch_).exit_code, 0);
  EXPECT_TRUE(fs::is_symlink(scratch_ / "y.npy"));
  EXPECT_THAT(names_in(scratch_ / "real"), ElementsAre("model.so", "y.npy"));
}

TEST_F(Files, DevicesAreWrittenAndNeverReplaced) {
  const fs::path null = scratch_ / "null";
  struct stat facts = {};
  ASSERT_EQ(::stat("/dev/null", &facts), 0);
  if (::mknod(null.c_str(), S_IFCHR | 0666, facts.st_rdev) != 0)
    GTEST_SKIP() << "only root can make a device";
  const Finished built = hone({"build", tiny_model(), "-o", null}, scratch_);
  EXPECT_EQ(built.exit_code, 0) << built.err;
  EXPECT_EQ(hone({"run", so(), "--input", input(), "--output", null}, scratch_).exit_code, 0);
  EXPECT_EQ(hone({"bench", so(), "--seconds", "0.01", "--plot", null}, scratch_).exit_code, 0);
  ASSERT_EQ(::lstat(null.c_str(), &facts), 0);
  EXPECT_TRUE(S_ISCHR(facts.st_mode));
  const Finished out = hone({"run", so(), "--input", input(), "--output", "/dev/stdout"}, scratch_);
  EXPECT_EQ(out.exit_code, 0) << out.err;
  EXPECT_THAT(out.out, HasSubstr("NUMPY"));
}

TEST_F(Files, InputsThatAreNoFilesAreRefusedAndNotWaitedFor) {
  const std::string pipe = scratch_ / "pipe", folder = scratch_ / "folder";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo((pipe + ".npy").c_str(), 0600), 0);
  fs::create_directory(folder);
  const std::string x = input();
  const struct {
    std::vector<std::string> command;
    std::string message;
  } cases[] = {
      {{"run", so(), "--input", x, "--labels", folder}, "folder: is a folder, not a file"},
      {{"run", so(), "--input", x, "--labels", "/dev/zero"}, "/dev/zero: is a device, not a file"},
      {{"run", so(), "--input", x, "--labels", pipe}, "pipe: is a pipe, not a file"},
      {{"run", so(), "--input", x, "--labels", "/nonexistent"}, "/nonexistent: there is no such file"},
      {{"run", so(), "--input", pipe}, "pipe: is a pipe, not a file"},
      {{"run", so(), "--input", pipe + ".npy"}, "pipe.npy: is a pipe, not a file"},
      {{"run", so(), "--input", "/dev/zero"}, "/dev/zero: is a device, not a file"},
      {{"inspect", pipe}, "pipe: is a pipe, not a file"},
      {{"build", "/dev/zero", "-o", scratch_ / "out.so"}, "/dev/zero: is a device, not a file"},
      {{"build", tiny_model(), "-o", scratch_ / "out.so", "--log", pipe}, "pipe: is a pipe, not a file"},
  };
  for (const auto& [command, message] : cases) {
    const Finished finished = hone(command, scratch_);
    EXPECT_EQ(finished.exit_code, 1) << message;
    EXPECT_THAT(finished.err, HasSubstr(message));
  }
}

TEST_F(Files, LabelsThatDoNotFitAreSaidBeforeAnythingIsWritten) {
  std::ofstream(scratch_ / "empty.txt");
  const Finished finished = hone(
      {"run", so(), "--input", input(), "--labels", scratch_ / "empty.txt", "--output", scratch_ / "y.npy"},
      scratch_);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("0 labels, but the first output has 10 elements"));
  EXPECT_FALSE(fs::exists(scratch_ / "y.npy"));
}

TEST_F(Files, ALogThatALinkNamesStaysWhereItIs) {
  fs::create_directory(scratch_ / "real");
  fs::create_symlink("real/log.h5", scratch_ / "alias.h5");
  const Finished first =
      hone({"tune", tiny_model(), "--log", scratch_ / "alias.h5", "--trials", "10", "--json"}, scratch_);
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_TRUE(fs::is_symlink(scratch_ / "alias.h5"));
  EXPECT_THAT(names_in(scratch_ / "real"), ElementsAre("log.h5"));
  const Finished again =
      hone({"tune", tiny_model(), "--log", scratch_ / "real/log.h5", "--trials", "10", "--json"}, scratch_);
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_EQ(nlohmann::json::parse(again.last_line())["new_trials"], 0) << "it is the same log";
}

TEST_F(Files, FoldersOfAKilledRunGoWithTheNextOne) {
  fs::create_directory(scratch_ / "tmp");
  const std::vector<std::string> launcher = with_environment({"TMPDIR=" + (scratch_ / "tmp").string()});
  Running killed("hone", {"tune", tiny_model(), "--log", scratch_ / "a.h5"}, scratch_, launcher);
  ASSERT_TRUE(wait_until(scratch_ / "tmp", killed, [&] { return killed.child("hone-scheduler") != 0; }));
  const pid_t scheduler = killed.child("hone-scheduler");
  killed.signal(SIGKILL);
  (void)killed.finish();
  ASSERT_TRUE(ends(scheduler));
  const auto left = names_in(scratch_ / "tmp");
  ASSERT_THAT(left, testing::Contains(testing::StartsWith("hone-tune-")));
  Running next("hone", {"tune", tiny_model(), "--log", scratch_ / "b.h5", "--trials", "5"}, scratch_,
               launcher);
  EXPECT_EQ(next.finish().exit_code, 0);
  EXPECT_THAT(names_in(scratch_ / "tmp"), Not(testing::Contains(testing::StartsWith("hone-tune-"))));
}

class LogFiles : public Rig {
 protected:
  std::string journal() const { return log().string() + ".journal"; }
  std::string jobs() const { return log().string() + ".jobs"; }
};

TEST_F(LogFiles, OfOneLogAreLockedUnderEachOfItsNames) {
  fs::create_symlink("log.h5", scratch_ / "alias.h5");
  fs::create_directory_symlink(".", scratch_ / "here");
  auto server = scheduler();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "listens on"));
  for (const std::string alias : {"alias.h5", "here/alias.h5"}) {
    auto arguments = scheduler_arguments({"--log", scratch_ / alias});
    arguments[1] = "ipc://" + (scratch_ / "other").string();
    Running second("hone-scheduler", arguments, scratch_, {}, "second");
    const Finished refused = second.finish();
    EXPECT_EQ(refused.exit_code, 2);
    EXPECT_THAT(refused.err, HasSubstr("the log is in use by another process"));
  }
  EXPECT_FALSE(fs::exists(scratch_ / "alias.h5.journal"));
  expect_sound(*server);
}

TEST_F(LogFiles, ThatAreDeletedWhileTheyAreInUseAreThereAgainAndNothingIsLost) {
  auto server = scheduler();
  auto rack = boards(script, 3);
  Witness witness(endpoint(), script);
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(1000000));
  ASSERT_TRUE(client.until([&] { return client.event().trials >= 100 && !witness.acknowledged().empty(); }))
      << scheduler_said();
  fs::remove(journal());
  fs::remove(jobs());
  for (const std::string& file : {journal(), jobs()})
    ASSERT_TRUE(said(*server, "hone-scheduler.err",
                     file + ": was deleted while it was in use, and is there again"))
        << scheduler_said();
  const uint64_t before = client.event().trials;
  ASSERT_TRUE(client.until([&] { return client.event().trials >= before + 100; })) << scheduler_said();
  client.stop();
  ASSERT_TRUE(client.ended()) << scheduler_said();
  // All of them once more, compacted and with nothing left to write, and then not even a chance to end in
  // order.
  const auto are_there = [](const std::vector<std::string>& files) {
    return std::all_of(files.begin(), files.end(), [](const std::string& file) { return fs::exists(file); });
  };
  const std::string compacted = log().string(), beside = compacted + ".new";
  ASSERT_TRUE(
      wait_until(scratch_.path(), *server, [&] { return fs::exists(compacted) && !fs::exists(beside); }));
  const std::vector<std::string> files = {compacted, journal(), jobs()};
  for (const std::string& file : files) fs::remove(file);
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return are_there(files); })) << scheduler_said();
  const std::set<Digest> acknowledged = witness.acknowledged();
  server->signal(SIGKILL);
  (void)server->finish();
  const std::set<Digest> kept = records();
  EXPECT_GE(kept.size(), 200u);
  for (const Digest& id : acknowledged) EXPECT_TRUE(kept.contains(id)) << "acknowledged and lost";
  auto again = scheduler();
  ASSERT_TRUE(said(*again, "hone-scheduler.err", "listens on")) << scheduler_said();
  const Finished listed = hone({"jobs", "list", "--scheduler", endpoint()}, scratch_);
  EXPECT_THAT(listed.out, HasSubstr("Stopped")) << "the job is known still";
  expect_sound(*again);
}

TEST_F(LogFiles, ThatAnotherTookThePlaceOfAreTroubleUntilThatIsMovedAway) {
  auto server = scheduler();
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "listens on"));
  fs::rename(journal(), scratch_ / "away");
  std::ofstream(journal()) << "somebody else's";
  const std::string trouble = "nothing is acknowledged: " + journal() + ": another file took its place";
  ASSERT_TRUE(said(*server, "hone-scheduler.err", trouble)) << scheduler_said();
  EXPECT_THAT(status()["trouble"], HasSubstr("another file took its place while it was in use"));
  EXPECT_EQ(text_of(journal()), "somebody else's");
  fs::remove(journal());
  ASSERT_TRUE(said(*server, "hone-scheduler.err", "the log can be written again")) << scheduler_said();
  EXPECT_EQ(status()["trouble"], "");
  expect_sound(*server);
}

TEST_F(LogFiles, AreNotWrittenToByMessagesOfASchedulerWhoseStderrIsClosed) {
  std::string command = std::string("exec ") + HONE_BINARY_DIR + "/bin/hone-scheduler";
  for (const std::string& argument : scheduler_arguments()) command += " '" + argument + "'";
  Running server("/bin/sh", {"-c", command + " <&- >&- 2>&-"}, scratch_, {}, "sh");
  ASSERT_TRUE(wait_until(scratch_.path(), server, [&] { return fs::exists(scratch_ / "socket"); }));
  EXPECT_EQ(status()["trouble"], "");
  for (const std::string& file : {journal(), jobs()}) EXPECT_EQ(text_of(file).substr(0, 8), "hone-jnl");
  expect_sound(server);
}

TEST_F(LogFiles, AreNotLeftBehindByASchedulerThatRefusesToStart) {
  const std::vector<std::string> before = names_in(scratch_.path());
  auto elsewhere = scheduler_arguments();
  elsewhere[1] = "tcp://0.0.0.0:5555";  // off loopback, without keys
  auto untaught = scheduler_arguments({"--transfer", scratch_ / "none.h5"});
  for (const auto& arguments : {elsewhere, untaught}) {
    Running refused("hone-scheduler", arguments, scratch_);
    EXPECT_EQ(refused.finish().exit_code, 2);
    EXPECT_THAT(names_in(scratch_.path()), ElementsAre("hone-scheduler.err", "hone-scheduler.out"));
  }
}

}  // namespace
}  // namespace hone::testing_system
