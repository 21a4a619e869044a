// fork, exec, pidfd, and what a child left behind in its messages file.
#include "tuner/session/processes.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <utility>

namespace hone::session {
namespace {

std::string last_line(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::string line, last;
  while (std::getline(stream, line)) {
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
  }
  return last.substr(0, 400);
}

}  // namespace

Result<Child> Child::start(ChildOptions options) {
  Child child(std::move(options));
  HONE_RETURN_IF_ERROR(child.spawn());
  return child;
}

Child::Child(Child&& other) noexcept
    : options_(std::move(other.options_)),
      pid_(std::exchange(other.pid_, -1)),
      pidfd_(std::exchange(other.pidfd_, -1)),
      status_(other.status_) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(options_, other.options_);
  std::swap(pid_, other.pid_);
  std::swap(pidfd_, other.pidfd_);
  std::swap(status_, other.status_);
  return *this;
}

Child::~Child() {
  if (pid_ > 0) stop(std::chrono::milliseconds(0));
  if (pidfd_ >= 0) close(pidfd_);
}

Status Child::spawn() {
  const std::string program = options_.program.string();
  if (access(program.c_str(), X_OK) != 0) {
    return fail("cannot be started: " + std::string(std::strerror(errno)), program,
                "hone's four programs belong in one folder");
  }
  std::vector<const char*> arguments{program.c_str()};
  for (const std::string& argument : options_.arguments) arguments.push_back(argument.c_str());
  arguments.push_back(nullptr);
  cpu_set_t cores;
  CPU_ZERO(&cores);
  for (const int core : options_.cores) CPU_SET(core, &cores);
  const int messages = open(options_.messages.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
  const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    // Only async-signal-safe calls until exec: this process may have threads.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    setpgid(0, 0);  // Ctrl-C reaches `hone` alone, which then ends its children in order
    if (!options_.cores.empty()) sched_setaffinity(0, sizeof cores, &cores);
    dup2(nothing, 0);
    if (messages >= 0) {
      dup2(messages, 1);
      dup2(messages, 2);
    }
    execv(program.c_str(), const_cast<char* const*>(arguments.data()));
    _exit(127);
  }
  if (messages >= 0) close(messages);
  if (nothing >= 0) close(nothing);
  if (pid_ < 0) return fail("cannot be started: " + std::string(std::strerror(errno)), program);
  pidfd_ = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (pidfd_ < 0) return fail("this kernel has no pidfd_open", program, "Linux 5.3 or later is needed");
  fcntl(pidfd_, F_SETFD, FD_CLOEXEC);
  return {};
}

bool Child::ended() {
  if (pid_ < 0) return true;
  if (waitpid(pid_, &status_, WNOHANG) != pid_) return false;
  pid_ = -1;
  return true;
}

std::string Child::how_it_ended() const {
  std::string how = WIFSIGNALED(status_) ? std::string("killed by ") + strsignal(WTERMSIG(status_))
                                         : "exit code " + std::to_string(WEXITSTATUS(status_));
  const std::string said = last_line(options_.messages);
  return said.empty() ? how : how + ": " + said;
}

void Child::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

bool Child::stop(std::chrono::milliseconds patience) {
  if (ended()) return true;
  signal(SIGTERM);
  pollfd wait = {pidfd_, POLLIN, 0};
  if (patience.count() > 0) (void)poll(&wait, 1, static_cast<int>(patience.count()));
  if (ended()) return true;
  signal(SIGKILL);
  while (pid_ > 0 && waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  return false;
}

Status Child::restart() {
  HONE_CHECK(pid_ < 0);
  if (pidfd_ >= 0) close(std::exchange(pidfd_, -1));
  return spawn();
}

std::vector<int> usable_cores() {
  cpu_set_t set;
  std::vector<int> result;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return result;
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) result.push_back(core);
  }
  return result;
}

std::vector<int> CoreShare::idle() const {
  constexpr size_t few = 2;
  return building.size() > few || building == measuring ? std::vector<int>() : measuring;
}

CoreShare share_cores(const std::vector<int>& cores, int threads) {
  CoreShare share;
  const size_t wanted = std::min(cores.size(), static_cast<size_t>(std::max(1, threads)));
  for (size_t i = 0; i < cores.size(); ++i) {
    (i + wanted < cores.size() ? share.building : share.measuring).push_back(cores[i]);
  }
  if (share.building.empty()) share.building = cores;
  return share;
}

}  // namespace hone::session
