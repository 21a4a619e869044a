// Results that were not written are said; messages never end a program.
#include "codegen/base/console.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>

namespace hone {
namespace {

/// Ends as a program does that gives `code`.
int finished(const char* name, int code) {
  static int given;
  given = code;
  return run_program(name, [](int, char**) { return given; }, 0, nullptr);
}

struct Said {
  int exit_code = -1;
  std::string out, err;
};

/// What `body` says and returns in a process of its own; its stdout leads to `out` if that is a file.
Said in_a_process(const std::function<int()>& body, const char* out = nullptr, const char* err = nullptr) {
  int pipes[2][2];
  for (auto& pipe : pipes) EXPECT_EQ(::pipe(pipe), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(out == nullptr ? pipes[0][1] : ::open(out, O_WRONLY), 1);
    ::dup2(err == nullptr ? pipes[1][1] : ::open(err, O_WRONLY), 2);
    ::_exit(body());
  }
  Said said;
  std::string* texts[] = {&said.out, &said.err};
  for (int i = 0; i < 2; ++i) {
    ::close(pipes[i][1]);
    char buffer[4096];
    for (ssize_t got; (got = ::read(pipes[i][0], buffer, sizeof buffer)) > 0;)
      texts[i]->append(buffer, static_cast<size_t>(got));
    ::close(pipes[i][0]);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  said.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return said;
}

TEST(Console, PrintsLinesThatAreClean) {
  const Said said = in_a_process([] {
    print_line("a\x1b]0;title\x07z");
    say("hone", "two\nlines");
    return finished("hone", 0);
  });
  EXPECT_EQ(said.out, "a\\x1b]0;title\\x07z\n");
  EXPECT_EQ(said.err, "hone: two\\nlines\n");
  EXPECT_EQ(said.exit_code, 0);
}

TEST(Console, SaysThatResultsDidNotArrive) {
  const Said said = in_a_process(
      [] {
        print_line("lost");
        return finished("hone", 0);
      },
      "/dev/full");
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_EQ(said.err, "hone: error: cannot write the results: No space left on device\n");
}

TEST(Console, SaysItOfWhatOthersPrintedTooAndKeepsAnOtherExitCode) {
  const Said said = in_a_process(
      [] {
        std::fputs("help", stdout);
        return finished("hone", 3);
      },
      "/dev/full");
  EXPECT_EQ(said.exit_code, 3);
  EXPECT_EQ(said.err, "hone: error: cannot write the results: No space left on device\n");
}

TEST(Console, GoesOnWhenMessagesCannotBeWritten) {
  const Said said = in_a_process(
      [] {
        say("hone", "lost");
        print_line("kept");
        return finished("hone", 0);
      },
      nullptr, "/dev/full");
  EXPECT_EQ(said.exit_code, 0);
  EXPECT_EQ(said.out, "kept\n");
}

TEST(Console, NeverWritesIntoAFileThatIsOpenedWhereStdoutWasClosed) {
  const Said said = in_a_process([] {
    ::close(0);
    ::close(1);
    return run_program(
        "hone",
        [](int, char**) {
          const int file = ::open("/dev/null", O_RDWR);
          print_line("lost");
          return file <= 2 ? 99 : 0;
        },
        0, nullptr);
  });
  EXPECT_EQ(said.exit_code, 1);
  EXPECT_EQ(said.err, "hone: error: cannot write the results: Bad file descriptor\n");
}

}  // namespace
}  // namespace hone
