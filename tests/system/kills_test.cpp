// One tuning run in which tuner, runner and scheduler are killed at random, again and again: nothing that was
// acknowledged or seen in the log is lost, nothing is there twice, the job completes. HONE_KILLS says how
// often (scripts/kills: 200 times).
#include <gmock/gmock.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <random>

#include "logs/database.h"
#include "tests/system/peers.h"

namespace hone::testing_system {
namespace {

int number_from(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

class Kills : public testing::Test {
 protected:
  std::string endpoint() const { return "ipc://" + (scratch_ / "socket").string(); }
  void start(const std::string& program) {
    std::vector<std::string> arguments;
    if (program == "hone-scheduler")
      arguments = {"--listen", endpoint(),  "--log", scratch_ / "log.h5", "--heartbeat-ms",
                   "50",       "--loss-ms", "400",   "--settle-trials",   "100000"};
    else if (program == "hone-tuner")
      arguments = {"--scheduler", endpoint()};
    else
      arguments = {"--scheduler", endpoint(),          "--heartbeat-ms", "50",
                   "--simulate",  scratch_ / "script", "--boards",       "1"};
    programs_[program] = std::make_unique<Running>(program, arguments, scratch_);
  }
  std::set<Digest> records() const { return records_of(scratch_ / "log.h5"); }

  Scratch scratch_;
  std::map<std::string, std::unique_ptr<Running>> programs_;
};

TEST_F(Kills, OfAnyProgramInAnyOrderLoseAndDoubleNothing) {
  const int kills = number_from("HONE_KILLS", 12), seed = number_from("HONE_KILLS_SEED", 1);
  const char* model =
      std::getenv("HONE_KILLS_MODEL");  // the tiny one's search spaces end after some 200 trials
  const size_t trials = static_cast<size_t>(std::max(120, 5 * kills));
  const std::string script = "seed 7\ntime_ns 200000 2000000\npace 1\n";
  std::ofstream(scratch_ / "script") << script;
  const std::string names[] = {"hone-scheduler", "hone-tuner", "hone-runner"};
  for (const std::string& name : names) start(name);
  Witness witness(endpoint(), script);
  Running client("hone",
                 {"tune", model == nullptr ? tiny_model() : model, "--scheduler", endpoint(), "--trials",
                  std::to_string(trials), "--more", "--json"},
                 scratch_);
  std::mt19937 random(static_cast<unsigned>(seed));
  std::set<Digest> seen;
  std::map<std::string, int> killed;
  for (int kill = 0; kill < kills; ++kill) {
    // All kills happen before most of the trials are there, however fast this machine is.
    const size_t due = trials * 3 / 4 * static_cast<size_t>(kill) / static_cast<size_t>(kills) + 1;
    ASSERT_TRUE(wait_until(scratch_.path(), client, [&] { return records().size() >= due; }))
        << "after " << kill << " kills there are only " << records().size() << " of " << due << " records; "
        << (client.running() ? hone({"jobs", "list", "--scheduler", endpoint()}, scratch_).out
                             : "the client has left: " + client.finish().err);
    const std::string& victim = names[random() % 3];
    programs_.at(victim)->signal(SIGKILL);
    EXPECT_EQ(programs_.at(victim)->finish().exit_code, 128 + SIGKILL) << victim << " died by itself before";
    ++killed[victim];
    const std::set<Digest> now = records();
    for (const Digest& record : seen) ASSERT_TRUE(now.contains(record)) << "lost after kill " << kill;
    seen = now;
    start(victim);
  }
  const Finished finished = client.finish();
  EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  const Finished listed = hone({"jobs", "list", "--scheduler", endpoint()}, scratch_);
  EXPECT_THAT(listed.out, testing::HasSubstr("Completed")) << listed.out << listed.err;
  const std::set<Digest> acknowledged = witness.acknowledged();
  programs_.at("hone-scheduler")->signal(SIGTERM);
  const Finished stopped = programs_.at("hone-scheduler")->finish();
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  const auto log = LogDatabase::open(scratch_ / "log.h5");
  ASSERT_TRUE(log) << log.error().text();
  EXPECT_THAT(log->verify(), testing::IsEmpty());
  const std::set<Digest> kept = records();
  EXPECT_EQ(kept.size(), log->records().size()) << "something is there twice";
  for (const Digest& record : seen) EXPECT_TRUE(kept.contains(record)) << "seen in the log and lost";
  for (const Digest& record : acknowledged) EXPECT_TRUE(kept.contains(record)) << "acknowledged and lost";
  EXPECT_GT(acknowledged.size(), 0u) << "the witness took no part";
  std::printf(
      "%d kills (scheduler %d, tuner %d, runner %d): %zu records, %zu of them acknowledged to the witness\n",
      kills, killed["hone-scheduler"], killed["hone-tuner"], killed["hone-runner"], kept.size(),
      acknowledged.size());
}

}  // namespace
}  // namespace hone::testing_system
