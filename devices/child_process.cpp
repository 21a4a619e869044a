#include "devices/child_process.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <utility>

#include "devices/cold.h"

namespace hone {
namespace {

void drain(int bell) {
  uint64_t count;
  [[maybe_unused]] ssize_t got = ::read(bell, &count, sizeof count);
}

void ring(int bell) {
  const uint64_t one = 1;
  [[maybe_unused]] ssize_t written = ::write(bell, &one, sizeof one);
}

void close_range(unsigned first, unsigned last) {
  if (::syscall(SYS_close_range, first, last, 0u) == 0) return;
  for (unsigned file = first; file <= std::min(last, 1024u); ++file) ::close(static_cast<int>(file));
}

}  // namespace

// Out of the way of the places that they have in a child.
Bells::Bells()
    : to_server_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), to_child_(::eventfd(0, EFD_CLOEXEC)) {}

Bells::~Bells() {
  ::close(to_server_);
  ::close(to_child_);
}

void Bells::keep_only_these() const {
  // By way of numbers that neither of them can have yet, since one may lie where the other is to go.
  constexpr int apart = 100;
  ::dup2(to_server_, apart);
  ::dup2(to_child_, apart + 1);
  ::dup2(apart, child_rings);
  ::dup2(apart + 1, child_hears);
  close_range(child_hears + 1, ~0u);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  close_range(0, 2);  // a sanitizer would say what it found
#endif
}

void ring_server() { ring(Bells::child_rings); }

void await_server() {
  uint64_t count;
  while (::read(Bells::child_hears, &count, sizeof count) < 0 && errno == EINTR) {
  }
}

ChildProcess::ChildProcess(const Bells& bells, int runner, pid_t process)
    : bells_(&bells), runner_(runner), process_(process) {}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : bells_(other.bells_),
      runner_(other.runner_),
      process_(std::exchange(other.process_, -1)),
      handle_(std::exchange(other.handle_, -1)),
      gone_(other.gone_),
      status_(other.status_) {}

ChildProcess::~ChildProcess() {
  if (process_ > 0) (void)end();
  if (handle_ >= 0) ::close(handle_);
}

Result<ChildProcess> ChildProcess::start(const Bells& bells, int runner, const std::function<void()>& body) {
  drain(bells.to_server_);
  pollfd left{bells.to_child_, POLLIN, 0};  // an earlier child may not have heard it
  if (::poll(&left, 1, 0) > 0) drain(bells.to_child_);
  const pid_t parent = ::getpid();
  const pid_t process = ::fork();
  if (process < 0) return fail(std::string("no child could be forked: ") + std::strerror(errno));
  if (process == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);
    bells.keep_only_these();
    body();
    ::_exit(0);
  }
  ChildProcess child(bells, runner, process);
  child.handle_ = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
  if (child.handle_ < 0) return fail(std::string("a child cannot be watched: ") + std::strerror(errno));
  return child;
}

ChildProcess::Woke ChildProcess::wait(int64_t deadline_ns) {
  for (;;) {
    pollfd events[] = {{bells_->to_server_, POLLIN, 0}, {handle_, POLLIN, 0}, {runner_, POLLRDHUP, 0}};
    const int64_t left_ms = (deadline_ns - clock_ns() + 999999) / 1000000;
    const int ready = ::poll(events, 3, static_cast<int>(std::clamp<int64_t>(left_ms, 0, 1 << 30)));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Woke::late;
    if (events[0].revents) {
      drain(bells_->to_server_);
      return Woke::rang;
    }
    return events[1].revents ? Woke::ended : Woke::orphaned;
  }
}

ChildProcess::Time ChildProcess::time() const {
  Time time;
  clockid_t clock;
  timespec processor = {};
  if (::clock_getcpuclockid(process_, &clock) == 0 && ::clock_gettime(clock, &processor) == 0)
    time.on_processor_ns = int64_t{processor.tv_sec} * 1000000000 + processor.tv_nsec;
  std::error_code none;
  const std::filesystem::path threads = "/proc/" + std::to_string(process_) + "/task";
  for (std::filesystem::directory_iterator thread(threads, none), end; !none && thread != end; thread.increment(none)) {
    std::ifstream file(thread->path() / "schedstat");  // on a processor, waiting for one, how often
    int64_t on_processor = 0, waited = 0;
    if (file >> on_processor >> waited) time.waited_ns += waited;
  }
  return time;
}

bool ChildProcess::reap(int options) {
  pid_t got;
  do got = ::waitpid(process_, &status_, options);
  while (got < 0 && errno == EINTR);
  gone_ = got < 0 || !WIFSTOPPED(status_);
  return gone_;
}

bool ChildProcess::stop() {
  if (gone_ || ::kill(process_, SIGSTOP) != 0) return false;
  return !reap(WUNTRACED);
}

int64_t ChildProcess::go(int64_t settle_ns) {
  if (settle_ns > 0) {
    ::kill(process_, SIGCONT);
    const timespec pause = {0, settle_ns};
    ::nanosleep(&pause, nullptr);
  }
  drain(bells_->to_server_);  // what it rang before is no answer to this
  const int64_t start = clock_ns();
  ring(bells_->to_child_);
  if (settle_ns <= 0) ::kill(process_, SIGCONT);
  return start;
}

Ended ChildProcess::end(bool late) {
  // Whatever it still does is of no interest: that it ended by itself, before, can be told apart.
  if (!gone_) {
    siginfo_t about = {};
    const bool by_itself =
        ::waitid(P_PID, static_cast<id_t>(process_), &about, WEXITED | WNOHANG | WNOWAIT) == 0 && about.si_pid != 0;
    if (!by_itself) ::kill(process_, SIGKILL);
    reap(0);
    if (!by_itself) {
      process_ = -1;
      return {late ? ChildEnd::watchdog : ChildEnd::finished, SIGKILL};
    }
  }
  process_ = -1;
  if (WIFSIGNALED(status_)) return {ChildEnd::signalled, WTERMSIG(status_)};
  return {ChildEnd::exited, WEXITSTATUS(status_)};
}

}  // namespace hone
