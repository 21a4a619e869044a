// fork, exec and pidfds; inotify to wait for files.
#include "tests/system/programs.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>

namespace hone::testing_system {
namespace {

using Clock = std::chrono::steady_clock;

std::string read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

int open_pid(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }

bool readable(int fd, std::chrono::milliseconds patience) {
  pollfd wait = {fd, POLLIN, 0};
  return poll(&wait, 1, static_cast<int>(patience.count())) == 1;
}

}  // namespace

Scratch::Scratch() {
  std::string path = "/tmp/hone-system-XXXXXX";
  path_ = mkdtemp(path.data());
}

Scratch::~Scratch() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string Finished::last_line() const {
  const size_t end = out.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t begin = out.rfind('\n', end);
  return out.substr(begin == std::string::npos ? 0 : begin + 1,
                    end - (begin == std::string::npos ? 0 : begin + 1) + 1);
}

Running::Running(const std::string& program, std::vector<std::string> arguments, const Scratch& scratch,
                 std::vector<std::string> launcher, const std::string& name)
    : out_(scratch / ((name.empty() ? program : name) + ".out")),
      err_(scratch / ((name.empty() ? program : name) + ".err")) {
  const std::string file =
      program.starts_with('/') ? program : std::string(HONE_BINARY_DIR) + "/bin/" + program;
  std::vector<char*> argv;
  for (std::string& word : launcher) argv.push_back(word.data());
  argv.push_back(const_cast<char*>(file.c_str()));
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int out = open(out_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  const int err = open(err_.c_str(), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
  pid_ = fork();
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, 1);
    dup2(err, 2);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  close(out);
  close(err);
  pidfd_ = open_pid(pid_);
}

Running::~Running() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (pidfd_ >= 0) close(pidfd_);
}

void Running::signal(int number) const { kill(pid_, number); }

pid_t Running::child(const std::string& name) const {
  std::ifstream children("/proc/" + std::to_string(pid_) + "/task/" + std::to_string(pid_) + "/children");
  for (pid_t pid; children >> pid;) {
    std::error_code ignored;
    const auto program = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/exe", ignored);
    if (program.filename() == name) return pid;
  }
  return 0;
}

bool Running::running() const { return !readable(pidfd_, std::chrono::milliseconds(0)); }

Finished Running::finish() {
  if (!readable(pidfd_, std::chrono::minutes(4))) kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), read(out_), read(err_)};
}

Finished hone(std::vector<std::string> arguments, const Scratch& scratch) {
  return Running("hone", std::move(arguments), scratch).finish();
}

bool wait_until(const std::filesystem::path& folder, const Running& running,
                const std::function<bool()>& condition) {
  const int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  inotify_add_watch(notify, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO);
  const auto give_up = Clock::now() + std::chrono::minutes(3);
  bool met = condition();
  while (!met && running.running() && Clock::now() < give_up) {
    if (readable(notify, std::chrono::milliseconds(200))) {
      char events[4096];
      while (::read(notify, events, sizeof events) > 0) {
      }
    }
    met = condition();
  }
  close(notify);
  return met;
}

bool ends(pid_t pid) {
  const int fd = open_pid(pid);
  if (fd < 0) return true;
  const bool ended = readable(fd, std::chrono::minutes(1));
  close(fd);
  return ended;
}

void make_key(const Scratch& scratch, const std::string& name, const std::string& role) {
  const Finished made = hone({"keygen", scratch / name}, scratch);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  if (role.empty()) return;
  const Finished added =
      hone({"keys", "add", role, scratch / (name + ".pub"), "--keys", scratch / "list"}, scratch);
  ASSERT_EQ(added.exit_code, 0) << added.err;
}

std::filesystem::path tiny_model() {
  return std::filesystem::path(HONE_SOURCE_DIR) / "tests/system/tiny.onnx";
}

}  // namespace hone::testing_system
