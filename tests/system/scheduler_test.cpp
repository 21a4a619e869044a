// The real hone-scheduler with simulated boards (hone-runner --simulate), a client and a tuner inside the
// test: killed, stopped, started again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <map>
#include <memory>
#include <set>

#include "codegen/base/target.h"
#include "logs/database.h"
#include "tests/system/peers.h"

namespace hone::testing_system {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

class Scheduler : public testing::Test {
 protected:
  std::string endpoint() const { return "ipc://" + (scratch_ / "socket").string(); }
  std::filesystem::path log() const { return scratch_ / "log.h5"; }
  std::unique_ptr<Running> scheduler() {
    return std::make_unique<Running>(
        "hone-scheduler",
        std::vector<std::string>{"--listen", endpoint(), "--log", log(), "--heartbeat-ms", "100", "--loss-ms",
                                 "3000", "--settle-trials", "100000"},
        scratch_);
  }
  std::unique_ptr<Running> runner() {
    return std::make_unique<Running>(
        "hone-runner",
        std::vector<std::string>{"--scheduler", endpoint(), "--name", "board", "--simulate", "seed:7"},
        scratch_);
  }
  std::set<Digest> records() const { return records_of(log()); }

  Scratch scratch_;
};

TEST_F(Scheduler, RunsAJobToItsEndAndCompactsItsLog) {
  auto server = scheduler();
  auto board = runner();
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(60));
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  EXPECT_EQ(client.event().trials, 60u);
  server->signal(SIGTERM);
  const Finished finished = server->finish();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(std::filesystem::exists(log()));
  EXPECT_FALSE(std::filesystem::exists(log().string() + ".journal"));
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  struct Count {
    size_t trials = 0, good = 0, finals = 0;
  };
  std::map<std::string, Count> counts;  // by task
  for (const Record& record : database->records()) {
    Count& count = counts[record.task_summary];
    ++(record.from.final ? count.finals : count.trials);
    if (!record.from.final && record.measurement.status == MeasureStatus::ok) ++count.good;
  }
  ASSERT_EQ(counts.size(), 3u);
  size_t all = 0;
  for (const auto& [task, count] : counts) {
    const auto [trials, good, finals] = count;
    all += trials;
    if (good == 1) {
      EXPECT_EQ(finals, 1u) << task << ": nothing to compare with, but other data";
    } else {
      EXPECT_GE(finals, std::min<size_t>(good, 3)) << task << ": each of three or four candidates once";
      EXPECT_LE(finals, 12u) << task << ": and three times at most";
    }
  }
  EXPECT_EQ(all, 60u);
}

TEST_F(Scheduler, RunsOneJobOnBoardsOfTwoModelsAtOnce) {
  auto server = scheduler();
  std::vector<std::unique_ptr<Running>> racks;
  for (const char* model : {"fast", "slow"}) {
    const std::filesystem::path script = scratch_ / model;
    std::ofstream(script) << "seed 7\nmodel " << model << "-board\nspeed "
                          << (model[0] == 'f' ? "1 1" : "20 20") << "\n";
    racks.push_back(
        std::make_unique<Running>("hone-runner",
                                  std::vector<std::string>{"--scheduler", endpoint(), "--name", model,
                                                           "--simulate", script, "--boards", "2"},
                                  scratch_, std::vector<std::string>(), model));
  }
  Client client(endpoint());
  client.submit(request(60));
  // All four are there before anything is built: the job might otherwise end before the last one came.
  ASSERT_TRUE(client.until([&] { return client.event().boards == 4; }));
  FakeTuner tuner(endpoint());
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Completed") << client.event().reason;
  ASSERT_EQ(client.event().lanes.size(), 2u);
  std::map<std::string, double> best;
  for (const wire::JobLane& lane : client.event().lanes) {
    EXPECT_EQ(lane.boards, 2u) << lane.board_model;
    for (const wire::TaskProgress& task : lane.tasks) {
      EXPECT_TRUE(task.finished);
      best[lane.board_model] += task.best_ns;
    }
  }
  EXPECT_GT(best["slow-board"], 10 * best["fast-board"]);
  server->signal(SIGTERM);
  EXPECT_EQ(server->finish().exit_code, 0);
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  std::map<std::string, std::set<std::string>> boards;
  std::map<std::string, size_t> trials;
  for (const Record& record : database->records()) {
    boards[record.board.model].insert(record.board.id);
    if (!record.from.final) ++trials[record.board.model];
  }
  for (const char* model : {"fast-board", "slow-board"}) {
    EXPECT_EQ(boards[model].size(), 2u) << model << ": boards of one model share its work";
    EXPECT_GE(trials[model], 60u) << model;
  }
}

TEST_F(Scheduler, ComesBackWithTheSameJobWheneverItIsKilled) {
  auto server = scheduler();
  auto board = runner();
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(2000));
  std::set<Digest> kept;
  for (int kill = 0; kill < 3; ++kill) {
    ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= kept.size() + 40; }));
    ASSERT_TRUE(client.until([&] { return client.job() != 0; }));
    server->signal(SIGKILL);
    EXPECT_EQ(server->finish().exit_code, 128 + SIGKILL);
    const std::set<Digest> now = records();
    for (const Digest& record : kept) EXPECT_TRUE(now.contains(record));
    kept = now;
    server = scheduler();
    client.reconnect();
    ASSERT_TRUE(client.until([&] {
      return client.event().job == client.job() && client.event().trials > kept.size() * 9 / 10;
    })) << client.refused();
  }
  client.stop();
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Stopped");
  server->signal(SIGTERM);
  EXPECT_EQ(server->finish().exit_code, 0);
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  const std::set<Digest> last = records();
  EXPECT_EQ(last.size(), database->records().size()) << "one record per measurement";
  for (const Digest& record : kept) EXPECT_TRUE(last.contains(record));
}

/// The n-th write of the scheduler to its journals is its last act, by strace.
TEST_F(Scheduler, KilledAtEveryWriteOfItsJournalsComesBackAndLosesNothing) {
  if (!std::filesystem::exists("/usr/bin/strace")) GTEST_SKIP() << "strace is not there";
  const std::vector<std::string> arguments = {"--listen",        endpoint(), "--log",     log().string(),
                                              "--heartbeat-ms",  "100",      "--loss-ms", "3000",
                                              "--settle-trials", "100000"};
  auto board = runner();
  FakeTuner tuner(endpoint());
  std::optional<Client> client;
  std::set<Digest> kept;
  int kills = 0;
  for (int write = 1; write <= 24; ++write) {
    std::vector<std::string> traced = {"-f",
                                       "-qq",
                                       "-o",
                                       "/dev/null",
                                       "-e",
                                       "trace=pwrite64",
                                       "-e",
                                       "inject=pwrite64:signal=SIGKILL:when=" + std::to_string(write),
                                       std::string(HONE_BINARY_DIR) + "/bin/hone-scheduler"};
    traced.insert(traced.end(), arguments.begin(), arguments.end());
    Running server("/usr/bin/strace", traced, scratch_);
    if (!client) {
      client.emplace(endpoint());
      wire::JobRequest wanted = request(4000);
      wanted.token = "once";
      client->submit(wanted);
    } else {
      client->reconnect();
    }
    ASSERT_TRUE(client->until([&] { return !server.running(); })) << "write " << write;
    ++kills;
    const std::set<Digest> now = records();
    for (const Digest& record : kept) EXPECT_TRUE(now.contains(record)) << "lost at write " << write;
    kept = now;
  }
  EXPECT_EQ(kills, 24);
  EXPECT_GT(kept.size(), 0u);
  auto server = scheduler();
  client->reconnect();
  ASSERT_TRUE(client->until([&] { return client->event().trials > kept.size() / 2; })) << client->refused();
  client->stop();
  ASSERT_TRUE(client->ended());
  server->signal(SIGTERM);
  EXPECT_EQ(server->finish().exit_code, 0);
  const auto database = LogDatabase::open(log());
  ASSERT_TRUE(database) << database.error().text();
  EXPECT_THAT(database->verify(), testing::IsEmpty());
  EXPECT_EQ(records().size(), database->records().size()) << "one record per measurement";
}

TEST_F(Scheduler, GivesTheWorkOfAKilledBoardToTheNext) {
  auto server = scheduler();
  auto board = runner();
  FakeTuner tuner(endpoint());
  Client client(endpoint());
  client.submit(request(1000000));
  for (int kill = 0; kill < 2; ++kill) {
    const size_t have = records().size();
    ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= have + 20; }));
    board->signal(SIGKILL);
    board->finish();
    board = runner();
  }
  const size_t have = records().size();
  ASSERT_TRUE(wait_until(scratch_.path(), *server, [&] { return records().size() >= have + 20; }));
  ASSERT_TRUE(client.until([&] { return client.job() != 0; }));
  client.stop();
  ASSERT_TRUE(client.ended());
  EXPECT_EQ(client.event().state, "Stopped") << client.event().reason;
  EXPECT_GE(client.event().trials, 50u);
}

TEST_F(Scheduler, RefusesALogThatIsInUseAndSaysByWhom) {
  auto server = scheduler();
  Client client(endpoint());
  client.submit(request(1));
  ASSERT_TRUE(client.until([&] { return client.job() != 0; }));
  Running second("hone-scheduler", {"--listen", endpoint() + "2", "--log", log()}, scratch_);
  const Finished finished = second.finish();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("the log is in use by another process (process " +
                                      std::to_string(server->pid()) + ")"));
}

TEST_F(Scheduler, SaysWhyItCannotStart) {
  Running no_folder("hone-scheduler", {"--listen", endpoint(), "--log", "/nowhere/log.h5"}, scratch_);
  Finished finished = no_folder.finish();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("cannot be opened for writing"));
  Running no_endpoint("hone-scheduler", {"--listen", "potato", "--log", log()}, scratch_);
  finished = no_endpoint.finish();
  EXPECT_EQ(finished.exit_code, 2);
  EXPECT_THAT(finished.err, HasSubstr("potato"));
}

TEST_F(Scheduler, TellsAClientWhyAJobIsRefused) {
  auto server = scheduler();
  Client client(endpoint());
  wire::JobRequest bad = request(1);
  bad.parts.front().tasks.clear();
  client.submit(bad);
  ASSERT_TRUE(client.until([&] { return !client.refused().empty(); }));
  EXPECT_THAT(client.refused(), HasSubstr("it has no tasks"));
}

}  // namespace
}  // namespace hone::testing_system
