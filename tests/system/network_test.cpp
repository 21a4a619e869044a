// Networks that fail without a word: a cut cable, packets lost in one direction or both, a board whose power
// goes. No FIN or RST tells either side; the programs must notice by themselves and come back.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

/// Two network namespaces with a cable between them; nothing where that is not allowed.
class Cable {
 public:
  Cable() : name_("hone" + std::to_string(::getpid())) {
    works_ = run({"netns", "add", name_ + "a"}) && run({"netns", "add", name_ + "b"}) &&
             run({"link", "add", "cable", "netns", name_ + "a", "type", "veth", "peer", "name", "cable",
                  "netns", name_ + "b"});
    for (const char* end : {"a", "b"}) {
      const std::string mac = std::string("02:00:00:00:77:0") + (end[0] == 'a' ? "1" : "2");
      works_ = works_ &&
               run({"-n", name_ + end, "address", "add", end[0] == 'a' ? "10.231.77.1/30" : "10.231.77.2/30",
                    "dev", "cable"}) &&
               run({"-n", name_ + end, "link", "set", "cable", "address", mac}) &&
               run({"-n", name_ + end, "link", "set", "cable", "up"}) &&
               run({"-n", name_ + end, "link", "set", "lo", "up"});
    }
    hear("a");
    hear("b");
  }
  ~Cable() {
    for (const char* end : {"a", "b"}) run({"netns", "del", name_ + end});
  }
  bool works() const { return works_; }
  void cut() { run({"-n", name_ + "b", "link", "set", "cable", "down"}); }
  void mend() {
    run({"-n", name_ + "b", "link", "set", "cable", "up"});
    hear("a");
    hear("b");
  }
  /// What comes from `end` is thrown away at the other end, as if it were for another machine; whoever sends
  /// it is not told.
  void drop_from(const std::string& end) { neighbour(end, "02:00:00:00:77:99"); }
  void hear(const std::string& end) {
    neighbour(end, end == "a" ? "02:00:00:00:77:02" : "02:00:00:00:77:01");
  }
  Launcher at(const std::string& end) const { return {"ip", "netns", "exec", name_ + end}; }

 private:
  void neighbour(const std::string& end, const std::string& mac) {
    works_ = works_ && run({"-n", name_ + end, "neigh", "replace", end == "a" ? "10.231.77.2" : "10.231.77.1",
                            "lladdr", mac, "dev", "cable", "nud", "permanent"});
  }
  static bool run(std::vector<std::string> arguments) {
    std::vector<char*> argv = {const_cast<char*>("ip")};
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::close(2);
      ::execvp("ip", argv.data());
      ::_exit(127);
    }
    int status = 0;
    ::waitpid(pid, &status, 0);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  std::string name_;
  bool works_ = false;
};

struct Loss {
  const char* name;
  std::function<void(Cable&)> begin, end;
  bool power = false;  ///< the runner dies meanwhile, and another is started afterwards
  friend std::ostream& operator<<(std::ostream& out, const Loss& it) { return out << it.name; }
};

/// A scheduler, a tuner, a client and one board at end "a" of a cable, another board at end "b"; with keys.
class Network : public Rig, public testing::WithParamInterface<Loss> {
 protected:
  std::string at(const std::string& name) const { return (scratch_ / name).string(); }
  std::vector<std::string> with_key(std::vector<std::string> arguments, const std::string& role) const {
    for (const std::string& word : {std::string("--scheduler"), address, std::string("--key"),
                                    at(role + ".key"), std::string("--server-key"), at("scheduler.pub")})
      arguments.push_back(word);
    return arguments;
  }
  void make_keys() {
    for (const std::string role : {"scheduler", "tuner", "runner", "client"}) {
      ASSERT_EQ(hone({"keygen", at(role)}, scratch_).exit_code, 0);
      if (role == "scheduler") continue;
      std::vector<std::string> add = {"keys", "add", role, at(role + ".pub"), "--keys", at("list")};
      if (role == "runner") add.insert(add.end(), {"--board", "near", "--board", "far"});
      const Finished added = hone(add, scratch_);
      ASSERT_EQ(added.exit_code, 0) << added.err;
    }
    std::ofstream(scratch_ / "script") << "time_ns 5000000 10000000\npace 1\n";
  }
  std::unique_ptr<Running> board(const std::string& name, const std::string& end) {
    return std::make_unique<Running>("hone-runner",
                                     with_key({"--name", name, "--simulate", at("script")}, "runner"),
                                     scratch_, cable_.at(end), name);
  }

  const std::string address = "tcp://10.231.77.1:5577";
  Cable cable_;
};

TEST_P(Network, ThatLosesPacketsCostsABoardItsTurnAndNothingElse) {
  if (!cable_.works()) GTEST_SKIP() << "network namespaces (ip netns) are not allowed here";
  make_keys();
  const std::vector<std::string> arguments =
      scheduler_arguments({"--listen", address, "--key", at("scheduler.key"), "--keys", at("list"), "--loss-ms",
                           "1500", "--lease-ms", "3000"});
  Running server("hone-scheduler", arguments, scratch_, cable_.at("a"));
  Running tuner("hone-tuner", with_key({}, "tuner"), scratch_, cable_.at("a"));
  auto near = board("near", "a"), far = board("far", "b");
  Running client("hone", with_key({"tune", tiny_model(), "--trials", "160", "--more"}, "client"), scratch_,
                 cable_.at("a"), "client");
  ASSERT_TRUE(said(server, "hone-scheduler.err", "board far is Good")) << scheduler_said();
  ASSERT_TRUE(wait_until(scratch_.path(), server, [&] { return records().size() >= 20; }))
      << scheduler_said();
  GetParam().begin(cable_);
  ASSERT_TRUE(cable_.works());
  if (GetParam().power) {
    far->signal(SIGKILL);  // what its system tells the scheduler of it is lost
    far->finish();
  }
  ASSERT_TRUE(said(server, "hone-scheduler.err", "lost far: ")) << scheduler_said();
  EXPECT_THAT(scheduler_said(), testing::HasSubstr("lost far: silent for")) << "it was told";
  size_t before = records().size();
  ASSERT_TRUE(wait_until(scratch_.path(), server, [&] { return records().size() >= before + 10; }))
      << "the other board does not get the work: " << scheduler_said();
  const size_t good = count(scheduler_said(), "board far is Good");
  GetParam().end(cable_);
  ASSERT_TRUE(cable_.works());
  if (GetParam().power) far = board("far", "b");
  ASSERT_TRUE(wait_until(scratch_.path(), server,
                         [&] { return count(scheduler_said(), "board far is Good") > good; }))
      << "it did not come back: " << scheduler_said() << text_of(scratch_ / "far.err");
  const Finished finished = client.finish();
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(scheduler_said(), testing::Not(testing::HasSubstr("set aside"))) << "no candidate is to blame";
  expect_sound(server);
}

void silence(Cable& cable) {
  cable.drop_from("a");
  cable.drop_from("b");
}
void hear_again(Cable& cable) {
  cable.hear("a");
  cable.hear("b");
}

INSTANTIATE_TEST_SUITE_P(
    Faults, Network,
    testing::Values(Loss{"CutCable", [](Cable& c) { c.cut(); }, [](Cable& c) { c.mend(); }},
                    Loss{"FromTheBoard", [](Cable& c) { c.drop_from("b"); }, [](Cable& c) { c.hear("b"); }},
                    Loss{"FromTheScheduler", [](Cable& c) { c.drop_from("a"); },
                         [](Cable& c) { c.hear("a"); }},
                    Loss{"BothWays", silence, hear_again},
                    Loss{"ThePowerOfABoard", silence, hear_again, true}),
    [](const auto& loss) { return loss.param.name; });

}  // namespace
}  // namespace hone::testing_system
