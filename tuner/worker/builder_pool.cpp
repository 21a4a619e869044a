// Spawns `hone-tuner --builder` with a socket as descriptor 3 and a memory file as stderr, so that a crash
// can be quoted.
#include "tuner/worker/builder_pool.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace hone {
namespace {

using Clock = std::chrono::steady_clock;

/// What a builder wrote to stderr, shortened to its first lines' worth.
std::string last_words(int file) {
  std::string text(600, '\0');
  const ssize_t got = pread(file, text.data(), text.size(), 0);
  text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

}  // namespace

struct BuilderPool::Builder {
  std::optional<int> idle_core;
  pid_t pid = -1;
  int socket = -1, words = -1;
  std::optional<FrameReader> reader;
  std::optional<uint64_t> ticket;  ///< of the request it works on
  bool proposes = false;           ///< that request is a round
  Clock::time_point deadline;
  std::vector<PipeFrame> frames;
  std::optional<Queued> held;  ///< on an idle core, what it works on: to be given to another

  Status spawn(const std::string& program);
  /// Ends it and says how it ended.
  std::string reap();
};

Status BuilderPool::Builder::spawn(const std::string& program) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return fail("no socket for a builder process");
  words = memfd_create("builder-stderr", MFD_CLOEXEC);
  const char* arguments[] = {program.c_str(), "--builder", nullptr};
  // vfork-like care: between fork and exec only async-signal-safe calls are made.
  pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    setpgid(0, 0);                    // Ctrl-C is for the tuner to act on
    setpriority(PRIO_PROCESS, 0, 5);  // whoever hands out work on the same core goes first
    if (idle_core) {
      cpu_set_t core;
      CPU_ZERO(&core);
      CPU_SET(static_cast<size_t>(*idle_core), &core);
      // Where either is refused it builds all the same: no candidate is to blame for that.
      const sched_param none_needed = {};
      (void)!sched_setscheduler(0, SCHED_IDLE, &none_needed);
      (void)!sched_setaffinity(0, sizeof core, &core);
    }
    if (ends[1] == 3) {
      fcntl(3, F_SETFD, 0);
    } else {
      dup2(ends[1], 3);
    }
    if (words >= 0) {
      fcntl(words, F_SETFL, O_APPEND);
      dup2(words, 2);
    }
#ifndef __SANITIZE_ADDRESS__
    const rlimit memory = {8ul << 30, 8ul << 30};
    setrlimit(RLIMIT_AS, &memory);
#endif
    const rlimit no_core = {0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    execv(program.c_str(), const_cast<char* const*>(arguments));
    _exit(127);
  }
  close(ends[1]);
  if (pid < 0) {
    close(ends[0]);
    return fail(std::string("cannot start a builder process: ") + std::strerror(errno));
  }
  socket = ends[0];
  reader.emplace(socket);
  return {};
}

std::string BuilderPool::Builder::reap() {
  if (pid < 0) return "";
  kill(pid, SIGKILL);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  std::string how = WIFSIGNALED(status) ? std::string(strsignal(WTERMSIG(status)))
                                        : "exit code " + std::to_string(WEXITSTATUS(status));
  const std::string words_said = words >= 0 ? last_words(words) : "";
  if (!words_said.empty()) how += ": " + words_said;
  close(socket);
  if (words >= 0) close(words);
  pid = socket = words = -1;
  reader.reset();
  ticket.reset();
  held.reset();
  frames.clear();
  return how;
}

BuilderPool::BuilderPool(BuilderOptions options) : options_(std::move(options)) {
  for (int i = 0; i < options_.processes; ++i) builders_.push_back(std::make_unique<Builder>());
  for (const int core : options_.idle_cores) {
    builders_.push_back(std::make_unique<Builder>());
    builders_.back()->idle_core = core;
  }
}

BuilderPool::~BuilderPool() {
  for (const auto& builder : builders_) builder->reap();
}

uint64_t BuilderPool::submit(PipeFrame request) {
  queue_.push_back({++last_ticket_, std::move(request)});
  return last_ticket_;
}

void BuilderPool::cancel(uint64_t ticket) {
  std::erase_if(queue_, [&](const Queued& queued) { return queued.ticket == ticket; });
  for (const auto& builder : builders_) {
    if (builder->ticket == ticket) builder->reap();
  }
}

std::vector<int> BuilderPool::descriptors() const {
  std::vector<int> result;
  for (const auto& builder : builders_) {
    if (builder->ticket) result.push_back(builder->socket);
  }
  return result;
}

std::optional<Clock::time_point> BuilderPool::deadline() const {
  std::optional<Clock::time_point> first;
  for (const auto& builder : builders_) {
    if (builder->ticket && (!first || builder->deadline < *first)) first = builder->deadline;
  }
  return first;
}

std::deque<BuilderPool::Queued>::iterator BuilderPool::next_for(const Builder& builder) {
  return std::ranges::find_if(queue_, [&](const Queued& queued) {
    return !builder.idle_core ||
           (!queued.was_starved && std::holds_alternative<wire::Built>(queued.request.message));
  });
}

void BuilderPool::start(Clock::time_point now, std::vector<BuilderAnswer>& answers) {
  for (const auto& builder : builders_) {
    if (queue_.empty()) return;
    if (builder->ticket) continue;
    const auto next = next_for(*builder);
    if (next == queue_.end()) continue;
    Queued queued = std::move(*next);
    queue_.erase(next);
    Status status;
    // A builder that died idle is found out by the write: a second, fresh one gets the request.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (builder->pid < 0) status = builder->spawn(options_.program);
      if (status && builder->words >= 0) (void)!ftruncate(builder->words, 0);
      if (status) status = write_frame(builder->socket, queued.request.message, queued.request.blob);
      if (status) break;
      builder->reap();
    }
    if (!status) {
      answers.push_back({queued.ticket, {}, MeasureStatus::build_error, status.error().text()});
      continue;
    }
    builder->ticket = queued.ticket;
    builder->proposes = std::holds_alternative<wire::Want>(queued.request.message);
    builder->deadline = now + (builder->proposes ? options_.propose_timeout : options_.build_timeout);
    if (builder->idle_core) builder->held = std::move(queued);
  }
}

std::vector<BuilderAnswer> BuilderPool::poll(Clock::time_point now) {
  std::vector<BuilderAnswer> answers;
  for (const auto& builder : builders_) {
    if (!builder->ticket) continue;
    const uint64_t ticket = *builder->ticket;
    bool alive = builder->reader->fill(false).has_value(), complete = false;
    while (!complete) {
      Result<std::optional<PipeFrame>> frame = builder->reader->next();
      if (!frame) alive = false;
      if (!frame || !*frame) break;
      // A round's answer ends with RoundDone; a build's is one frame.
      complete = !builder->proposes || std::holds_alternative<wire::RoundDone>((*frame)->message);
      builder->frames.push_back(std::move(**frame));
    }
    if (complete) {
      answers.push_back({ticket, std::move(builder->frames), MeasureStatus::ok, ""});
      builder->frames.clear();
      builder->ticket.reset();
      builder->held.reset();
    } else if (!alive) {
      answers.push_back(
          {ticket, {}, MeasureStatus::build_error, "the compiler crashed (" + builder->reap() + ")"});
    } else if (now >= builder->deadline && builder->held) {
      Queued starved = std::move(*builder->held);
      builder->reap();
      starved.was_starved = true;
      queue_.push_front(std::move(starved));
    } else if (now >= builder->deadline) {
      builder->reap();
      answers.push_back({ticket, {}, MeasureStatus::build_timeout, "took longer than its deadline"});
    }
  }
  start(now, answers);
  return answers;
}

}  // namespace hone
