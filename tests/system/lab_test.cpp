// A lab over real sockets: keys and roles, jobs that outlive their client, boards as a client sees them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "tests/system/programs.h"

namespace hone::testing_system {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class Lab : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (scratch_ / name).string(); }
  void make_key(const std::string& name, const std::string& role) {
    testing_system::make_key(scratch_, name, role);
  }
  /// A scheduler on a port of its own, with keys; `endpoint_` is where.
  void start_scheduler() {
    make_key("scheduler", "");
    make_key("me", "client");
    scheduler_ = std::make_unique<Running>(
        "hone-scheduler",
        std::vector<std::string>{"--listen", "tcp://127.0.0.1:*", "--log", at("log.h5"), "--heartbeat-ms",
                                 "100", "--key", at("scheduler.key"), "--keys", at("list")},
        scratch_);
    ASSERT_TRUE(scheduler_says("listens on tcp://127.0.0.1:"));
    const std::string said = text_of(scratch_ / "hone-scheduler.err");
    const size_t from = said.find("tcp://");
    endpoint_ = said.substr(from, said.find(';', from) - from);
  }
  bool scheduler_says(const std::string& what) {
    return wait_until(scratch_.path(), *scheduler_, [&] {
      return text_of(scratch_ / "hone-scheduler.err").find(what) != std::string::npos;
    });
  }
  std::vector<std::string> with_key(std::vector<std::string> arguments, const std::string& name) const {
    for (const std::string& word : {std::string("--scheduler"), endpoint_, std::string("--key"),
                                    at(name + ".key"), std::string("--server-key"), at("scheduler.pub")})
      arguments.push_back(word);
    return arguments;
  }
  /// A client's `hone tune` that was accepted; nobody works for it.
  std::unique_ptr<Running> submit() {
    auto client = std::make_unique<Running>("hone", with_key({"tune", tiny_model()}, "me"), scratch_);
    EXPECT_TRUE(wait_until(scratch_.path(), *client, [&] {
      return text_of(scratch_ / "hone.err").find("was accepted") != std::string::npos;
    })) << text_of(scratch_ / "hone.err");
    const std::string said = text_of(scratch_ / "hone.err");
    const size_t from = said.find("job ") + 4;
    job_ = said.substr(from, said.find(' ', from) - from);
    return client;
  }

  Scratch scratch_;
  std::unique_ptr<Running> scheduler_;
  std::string endpoint_, job_;
};

TEST_F(Lab, TunesWithKeysAndShowsJobsAndBoards) {
  start_scheduler();
  make_key("b1", "runner");
  make_key("worker", "tuner");
  Running board("hone-runner", with_key({"--name", "b1", "--label", "rack=2", "--simulate", "seed:7"}, "b1"),
                scratch_);
  Running tuner("hone-tuner", with_key({"--jobs", "1"}, "worker"), scratch_);
  const Finished tuned = hone(with_key({"tune", tiny_model(), "--trials", "4"}, "me"), scratch_);
  EXPECT_EQ(tuned.exit_code, 0) << tuned.err;
  EXPECT_THAT(tuned.out, HasSubstr("total"));
  const Finished jobs = hone(with_key({"jobs", "list"}, "me"), scratch_);
  EXPECT_THAT(jobs.out, AllOf(HasSubstr("Completed"), HasSubstr("tiny"))) << jobs.err;
  const Finished boards = hone(with_key({"boards"}, "me"), scratch_);
  EXPECT_THAT(boards.out, AllOf(HasSubstr("b1  rack=2"), HasSubstr("idle for"), HasSubstr("0 failed")))
      << boards.err;
}

TEST_F(Lab, RefusesStrangersAndWrongRolesAndCountsThem) {
  start_scheduler();
  make_key("b1", "runner");
  make_key("stranger", "");
  Running no_key("hone-runner", {"--scheduler", endpoint_, "--simulate", "seed:7"}, scratch_);
  Finished refused = no_key.finish();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("it demands a key"));
  Running wrong_role("hone-tuner", with_key({}, "b1"), scratch_);
  refused = wrong_role.finish();
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("its key is for a runner, not for a tuner"));
  refused = hone(with_key({"jobs", "list"}, "stranger"), scratch_);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("not on the scheduler's list"));
  EXPECT_TRUE(scheduler_says("refused "));
  EXPECT_TRUE(scheduler_says("1 came in another role")) << text_of(scratch_ / "hone-scheduler.err");
  const Finished fine = hone(with_key({"jobs", "list"}, "me"), scratch_);
  EXPECT_EQ(fine.exit_code, 0) << fine.err;
}

TEST_F(Lab, AJobGoesOnWithoutItsClientUntilItIsStopped) {
  start_scheduler();
  auto client = submit();
  client->signal(SIGINT);
  const Finished detached = client->finish();
  EXPECT_EQ(detached.exit_code, 130);
  EXPECT_THAT(detached.err, HasSubstr("job " + job_ + " goes on"));
  Finished shown = hone(with_key({"jobs", "describe", job_}, "me"), scratch_);
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_THAT(shown.out, AllOf(HasSubstr("tiny: Starting"), HasSubstr("0 boards and 0 tuners")));
  const Finished stopped = hone(with_key({"jobs", "stop", job_}, "me"), scratch_);
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  EXPECT_THAT(stopped.out, HasSubstr("Stopped, stopped by a client"));
  shown = hone(with_key({"jobs", "list"}, "me"), scratch_);
  EXPECT_THAT(shown.out, HasSubstr("Stopped"));
}

TEST_F(Lab, AJobOutlivesAKilledClient) {
  start_scheduler();
  auto client = submit();
  client->signal(SIGKILL);
  EXPECT_EQ(client->finish().exit_code, 128 + SIGKILL);
  const Finished shown = hone(with_key({"jobs", "describe", job_}, "me"), scratch_);
  EXPECT_THAT(shown.out, HasSubstr("tiny: Starting")) << shown.err;
}

TEST_F(Lab, BoardsAreDrainedResumedAndRetired) {
  start_scheduler();
  make_key("b1", "runner");
  make_key("boss", "operator");
  Running board("hone-runner", with_key({"--name", "b1", "--simulate", "seed:7"}, "b1"), scratch_);
  ASSERT_TRUE(scheduler_says("board b1 is Good"));
  Finished said = hone(with_key({"boards", "drain", "b1", "--reason", "new fan"}, "boss"), scratch_);
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_THAT(said.out, testing::AnyOf(HasSubstr("Good, draining"), HasSubstr("Maintenance")));
  ASSERT_TRUE(scheduler_says("board b1 is Maintenance: drained: new fan"));
  said = hone(with_key({"boards"}, "me"), scratch_);
  EXPECT_THAT(said.out, AllOf(HasSubstr("Maintenance for"), HasSubstr("new fan")));
  said = hone(with_key({"boards", "resume", "b1"}, "boss"), scratch_);
  EXPECT_EQ(said.exit_code, 0) << said.err;
  EXPECT_TRUE(scheduler_says("board b1 is Unknown: resumed"));
  said = hone(with_key({"boards", "retire", "b1", "--reason", "burnt"}, "boss"), scratch_);
  EXPECT_THAT(said.out, HasSubstr("Retired")) << said.err;
  said = hone(with_key({"boards", "describe", "b1"}, "me"), scratch_);
  EXPECT_THAT(said.out, AllOf(HasSubstr("Maintenance  drained: new fan"), HasSubstr("Retired      burnt")));
  said = hone(with_key({"boards", "drain", "b1"}, "boss"), scratch_);
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_THAT(said.err, HasSubstr("board b1 is Retired: resume it first"));
  said = hone(with_key({"boards", "drain", "b9"}, "boss"), scratch_);
  EXPECT_THAT(said.err, HasSubstr("there is no board b9"));
}

TEST_F(Lab, AJobIsCreatedOnceAndItsLogIsPulledAndBuiltFrom) {
  start_scheduler();
  make_key("b1", "runner");
  make_key("worker", "tuner");
  Running board("hone-runner", with_key({"--name", "b1", "--label", "rack=2", "--simulate", "seed:7"}, "b1"),
                scratch_);
  Running tuner("hone-tuner", with_key({"--jobs", "1"}, "worker"), scratch_);
  const std::vector<std::string> create =
      with_key({"jobs", "create", tiny_model(), "--trials", "4", "--token", "t", "--require", "rack=2",
                "--priority", "30"},
               "me");
  const Finished created = hone(create, scratch_), again = hone(create, scratch_);
  ASSERT_EQ(created.exit_code, 0) << created.err;
  EXPECT_EQ(again.out, created.out) << "the same job";
  const std::string job = created.last_line();
  const Finished followed = hone(with_key({"jobs", "follow", job}, "me"), scratch_);
  EXPECT_EQ(followed.exit_code, 0) << followed.err;
  EXPECT_THAT(followed.out, HasSubstr("Completed"));
  const Finished shown = hone(with_key({"jobs", "describe", job}, "me"), scratch_);
  EXPECT_THAT(shown.out, AllOf(HasSubstr("for     me, priority 30"), HasSubstr("needs rack=2")));
  const std::vector<std::string> pull = with_key({"logs", "pull", "--job", job, "-o", at("pulled.h5")}, "me");
  Finished pulled = hone(pull, scratch_);
  EXPECT_EQ(pulled.exit_code, 0) << pulled.err;
  EXPECT_THAT(pulled.err, testing::Not(HasSubstr(" 0 records pulled")));
  pulled = hone(pull, scratch_);
  EXPECT_THAT(pulled.err, HasSubstr(", 0 of them new"));
  std::vector<std::string> build = {"build",        tiny_model(),       "--log", endpoint_ + "/" + job,
                                    "-o",           at("x.so"),         "--key", at("me.key"),
                                    "--server-key", at("scheduler.pub")};
  const Finished built = hone(build, scratch_);
  EXPECT_EQ(built.exit_code, 0) << built.err;
  EXPECT_THAT(built.out, testing::Not(HasSubstr(" 0 tuned")));
  build[3] = endpoint_ + "/x";
  EXPECT_THAT(hone(build, scratch_).err, HasSubstr("'x' is no job"));
  const Finished resumed = hone(with_key({"jobs", "resume", job}, "me"), scratch_);
  EXPECT_THAT(resumed.err, HasSubstr("is Completed: submit it again with --more"));
}

TEST_F(Lab, AJobFailsWithItsReasonWhenItsTimeLimitPasses) {
  start_scheduler();
  const Finished tuned =
      hone(with_key({"tune", tiny_model(), "--time-limit", "200ms", "--require", "rack=9"}, "me"), scratch_);
  EXPECT_EQ(tuned.exit_code, 1);
  EXPECT_THAT(tuned.err, HasSubstr("its time limit of"));
  const Finished jobs = hone(with_key({"jobs", "list"}, "me"), scratch_);
  EXPECT_THAT(jobs.out, AllOf(HasSubstr("Failed"), HasSubstr("me "), HasSubstr("tasks have a time")));
}

TEST_F(Lab, AStoppedJobIsResumed) {
  start_scheduler();
  submit()->signal(SIGKILL);
  EXPECT_THAT(hone(with_key({"jobs", "stop", job_}, "me"), scratch_).out, HasSubstr("Stopped"));
  const Finished resumed = hone(with_key({"jobs", "resume", job_}, "me"), scratch_);
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(hone(with_key({"jobs", "describe", job_}, "me"), scratch_).out, HasSubstr("tiny: Starting"));
}

TEST_F(Lab, SaysWhatIsWrongWithAQuestion) {
  start_scheduler();
  Finished finished = hone(with_key({"jobs", "follow", "77"}, "me"), scratch_);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("there is no job 77"));
  finished = hone(with_key({"tune", tiny_model(), "--log", at("x.h5")}, "me"), scratch_);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("the log lies with the scheduler"));
  finished = hone({"tune", tiny_model()}, scratch_);
  EXPECT_NE(finished.exit_code, 0);
  EXPECT_THAT(finished.err, HasSubstr("--log"));
  finished = hone({"boards", "--scheduler", "tcp://10.0.0.1:5555"}, scratch_);
  EXPECT_THAT(finished.err, HasSubstr("CURVE keys"));
}

TEST_F(Lab, TheDaemonsAreCommandsToo) {
  EXPECT_THAT(hone({"scheduler", "--help"}, scratch_).out, HasSubstr("Central part of hone"));
  EXPECT_THAT(hone({"runner", "--help"}, scratch_).out, HasSubstr("--simulate"));
  EXPECT_THAT(hone({"tuner", "--help"}, scratch_).out, HasSubstr("--build-timeout-ms"));
}

}  // namespace
}  // namespace hone::testing_system
