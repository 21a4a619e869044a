// Everything that may come to a door with keys, and what each of those who may come in may do. A job goes on
// meanwhile and is not disturbed; each refused attempt is counted where a person sees it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/system/rig.h"

namespace hone::testing_system {
namespace {

using testing::HasSubstr;

/// A lab with keys on a port of its own, and a job that goes on in it.
class Strangers : public Rig {
 protected:
  std::string at(const std::string& name) const { return (scratch_ / name).string(); }
  void make_key(const std::string& name, const std::string& role) {
    testing_system::make_key(scratch_, name, role);
  }
  std::vector<std::string> key(const std::string& name, const std::string& server = "scheduler") const {
    return {"--scheduler", address_, "--key", at(name + ".key"), "--server-key", at(server + ".pub")};
  }
  std::vector<std::string> with(std::vector<std::string> arguments,
                                const std::vector<std::string>& more) const {
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  TransportOptions options(const std::string& name) const {
    TransportOptions out;
    out.keys = *peer_keys(at(name + ".key"), at("scheduler.pub"));
    return out;
  }
  void start() {
    make_key("scheduler", "");
    make_key("me", "client");
    make_key("b1", "runner");
    make_key("worker", "tuner");
    make_key("stranger", "");
    const std::vector<std::string> arguments = scheduler_arguments(
        {"--listen", "tcp://127.0.0.1:*", "--key", at("scheduler.key"), "--keys", at("list")});
    server_ = std::make_unique<Running>("hone-scheduler", arguments, scratch_);
    ASSERT_TRUE(said(*server_, "hone-scheduler.err", "listens on tcp://127.0.0.1:"));
    const size_t from = scheduler_said().find("tcp://");
    address_ = scheduler_said().substr(from, scheduler_said().find(';', from) - from);
  }
  uint64_t refused() { return status(key("me"))["refused"].get<uint64_t>(); }
  /// Bytes of no protocol at the door, and waits until they are counted.
  void throw_bytes(const std::string& bytes) {
    const int file = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_port = htons(static_cast<uint16_t>(std::stoi(address_.substr(address_.rfind(':') + 1))));
    ::inet_pton(AF_INET, "127.0.0.1", &place.sin_addr);
    ASSERT_EQ(::connect(file, reinterpret_cast<sockaddr*>(&place), sizeof place), 0);
    (void)!::send(file, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ::shutdown(file, SHUT_WR);
    char answer[256];
    while (::recv(file, answer, sizeof answer, 0) > 0) {  // until the door is shut
    }
    ::close(file);
  }

  std::unique_ptr<Running> server_;
  std::string address_;
};

TEST_F(Strangers, AreRefusedAndCountedWhileAJobGoesOnUndisturbed) {
  start();
  std::ofstream(scratch_ / "script") << "seed 3\ntime_ns 1000000 2000000\npace 1\n";
  Running board("hone-runner", with({"--name", "b1", "--simulate", at("script")}, key("b1")), scratch_, {},
                "b1");
  FakeTuner tuner(address_, {}, options("worker"));
  Client client(address_, options("me"));
  client.submit(request(100000));
  ASSERT_TRUE(client.until([&] { return client.event().trials >= 20; })) << scheduler_said();
  EXPECT_EQ(refused(), 0u);

  Finished told =
      Running("hone-runner", {"--scheduler", address_, "--simulate", at("script")}, scratch_).finish();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("it demands a key"));
  uint64_t before = refused();
  EXPECT_GE(before, 1u) << "without a key";

  told = hone(with({"jobs", "list"}, key("stranger")), scratch_);
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("not on the scheduler's list"));
  EXPECT_GT(refused(), before) << "with a key that is not listed";
  before = refused();

  // A right key, but another scheduler is expected: nothing is said at all, and it is counted.
  Running misled("hone-runner",
                 with({"--simulate", at("script"), "--give-up-ms", "2000"}, key("b1", "stranger")), scratch_,
                 {}, "misled");
  told = misled.finish();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("no scheduler was heard"));
  EXPECT_GT(refused(), before) << "with another scheduler's key";
  before = refused();

  told = Running("hone-tuner", key("b1"), scratch_).finish();
  EXPECT_EQ(told.exit_code, 1);
  EXPECT_THAT(told.err, HasSubstr("its key is for a runner, not for a tuner"));
  EXPECT_GT(refused(), before) << "a runner's key in a tuner's role";
  before = refused();

  throw_bytes("GET / HTTP/1.1\r\n\r\n");
  throw_bytes(std::string(1000, '\xff'));
  throw_bytes("");
  EXPECT_TRUE(wait_until(scratch_.path(), *server_, [&] { return refused() >= before + 2; }))
      << "bytes of no protocol";

  // Shown to people too, and the job has gone on meanwhile.
  const Finished shown = hone(with({"status"}, key("me")), scratch_);
  EXPECT_THAT(shown.out, HasSubstr("refused    " + std::to_string(refused()) + " connections at the door"));
  EXPECT_THAT(shown.out, HasSubstr("log        " + log().string()));
  const uint64_t trials = client.event().trials;
  ASSERT_TRUE(client.until([&] { return client.event().trials > trials; })) << scheduler_said();
  EXPECT_EQ(client.event().boards, 1u);
  expect_no_board_was_blamed();
  client.stop();
  ASSERT_TRUE(client.ended());
  expect_sound(*server_);
}

TEST_F(Strangers, MayNotStopOrResumeAJobOfAnotherNorTouchBoardsUnlessTheyAreOperators) {
  start();
  make_key("you", "client");
  make_key("boss", "operator");
  std::ofstream(scratch_ / "script") << "seed 3\ntime_ns 1000000 2000000\npace 1\n";
  Running board("hone-runner", with({"--name", "b1", "--simulate", at("script")}, key("b1")), scratch_, {},
                "b1");
  ASSERT_TRUE(said(*server_, "hone-scheduler.err", "board b1 is Good"));
  const Finished created =
      hone(with({"jobs", "create", tiny_model(), "--require", "rack=9"}, key("me")), scratch_);
  ASSERT_EQ(created.exit_code, 0) << created.err;
  const std::string job = created.last_line();

  Finished finished = hone(with({"jobs", "stop", job}, key("you")), scratch_);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("job " + job +
                                      " belongs to me: only me or an operator may stop or resume "
                                      "it, and this key is you's"));
  // Everybody may look.
  finished = hone(with({"jobs", "describe", job}, key("you")), scratch_);
  EXPECT_THAT(finished.out, testing::AllOf(HasSubstr("tiny: Starting"), HasSubstr("for     me")))
      << finished.err;

  for (const std::string action : {"drain", "resume", "retire"}) {
    finished = hone(with({"boards", action, "b1"}, key("me")), scratch_);
    EXPECT_EQ(finished.exit_code, 1) << action;
    EXPECT_THAT(finished.err, HasSubstr("only an operator may drain, resume, retire or release boards"))
        << action;
  }
  finished = hone(with({"boards", "describe", "b1"}, key("me")), scratch_);
  EXPECT_THAT(finished.out, HasSubstr("Good")) << finished.err;

  finished = hone(with({"jobs", "stop", job}, key("boss")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("Stopped, stopped by boss"));
  finished = hone(with({"jobs", "resume", job}, key("you")), scratch_);
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("belongs to me"));
  finished = hone(with({"jobs", "resume", job}, key("me")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  finished = hone(with({"jobs", "stop", job}, key("me")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  finished = hone(with({"boards", "drain", "b1"}, key("boss")), scratch_);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_TRUE(said(*server_, "hone-scheduler.err", "board b1 is Maintenance"));

  // An operator is a client: in another role its key is refused.
  finished = Running("hone-tuner", key("boss"), scratch_).finish();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("its key is for an operator, not for a tuner"));
  expect_sound(*server_);
}

}  // namespace
}  // namespace hone::testing_system
