#include "devices/child_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "devices/child.h"

namespace hone {
namespace {

/// More than any model has tasks, with two seeds each: a reference takes as long as many measurements.
constexpr size_t most_references = 256;
constexpr size_t most_arena_bytes = size_t{256} << 20;    ///< larger buffers get fresh memory
constexpr size_t most_reference_bytes = size_t{1} << 30;  ///< of all together, and of one while it is written

/// Memory that children share with the server.
class SharedMemory {
 public:
  explicit SharedMemory(size_t bytes) : bytes_(bytes) {
    void* data =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    data_ = data == MAP_FAILED ? nullptr : data;
  }
  SharedMemory(SharedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  ~SharedMemory() {
    if (data_) ::munmap(data_, bytes_);
  }
  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  /// Gives what lies behind `bytes` back.
  void shrink(size_t bytes) {
    bytes = std::max<size_t>((bytes + 4095) / 4096 * 4096, 4096);
    if (bytes >= bytes_) return;
    ::munmap(static_cast<std::byte*>(data_) + bytes, bytes_ - bytes);
    bytes_ = bytes;
  }

 private:
  void* data_;
  size_t bytes_;
};

struct CachedReference {
  std::string key;
  SharedMemory memory;
  size_t elements;
};

struct Ended {
  ChildEnd end;
  int code;
};

/// As in statm: what this process maps now.
uint64_t mapped_bytes() {
  char text[128] = {};
  int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return uint64_t{1} << 30;
  ssize_t got = ::read(file, text, sizeof text - 1);
  ::close(file);
  return got > 0 ? std::strtoull(text, nullptr, 10) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE))
                 : uint64_t{1} << 30;
}

int64_t now_ms() { return clock_ns() / 1000000; }

/// An empty folder that a child lives in; removed with whatever lies in it then.
class Folder {
 public:
  Folder() {
    std::error_code ignored;
    path_ = (std::filesystem::temp_directory_path(ignored) / "hone-child-XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr || ::chmod(path_.c_str(), 0555) != 0) path_.clear();
  }
  Folder(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  /// Without one, the root folder.
  bool enter() const { return ::chdir(path_.empty() ? "/" : path_.c_str()) == 0; }

 private:
  std::string path_;
};

class Server {
 public:
  explicit Server(int socket)
      : socket_(socket), report_memory_(sizeof(ChildReport)), arena_(most_arena_bytes) {
    if (arena_.data()) environment_.arena.pages = {static_cast<std::byte*>(arena_.data()), arena_.bytes()};
  }

  int run() {
    isolate();
    if (!report_memory_.data()) return 2;
    auto loading = loading_filter(), running = running_filter();
    if (loading && running) {
      environment_.loading = std::move(*loading);
      environment_.running = std::move(*running);
    }
    for (;;) {
      ChildRequest request;
      std::array<int, 2> files = {-1, -1};
      if (!receive(request, files)) return 0;
      const int64_t start = clock_ns();
      auto reply = std::make_unique<ServerReply>();
      measure(request, files, *reply);
      reply->whole_ms = static_cast<double>(clock_ns() - start) / 1e6;
      for (int file : files) ::close(file);
      if (::send(socket_, reply.get(), sizeof *reply, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof *reply))
        return 0;
    }
  }

 private:
  void isolate() {
    if (!leave_network()) environment_.missing |= sandbox_network;
    (void)::setpriority(PRIO_PROCESS, 0, -20);  // where it is allowed: fewer interruptions of what is timed
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (null >= 0) {
      ::dup2(null, 0);
      ::dup2(null, 1);
    }
  }

  bool receive(ChildRequest& request, std::array<int, 2>& files) {
    iovec part{&request, sizeof request};
    alignas(cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got;
    do got = ::recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got != static_cast<ssize_t>(sizeof request) || request.magic != child_magic) return false;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
      return false;
    std::memcpy(files.data(), CMSG_DATA(header), 2 * sizeof(int));
    request.seed[sizeof request.seed - 1] = 0;
    request.reference_key[sizeof request.reference_key - 1] = 0;
    return true;
  }

  void measure(const ChildRequest& request, const std::array<int, 2>& files, ServerReply& reply) {
    prepare_core(request);
    if (request.check) {
      const Ended ended = watch(request.run_ms, reply,
                                [&](ChildReport& report) { check_in_child(request, environment_, report); });
      finish(ended, reply);
      return;
    }
    const int64_t start = clock_ns();
    CachedReference* reference = find_reference(request.reference_key);
    if (!reference) {
      reference = make_reference(request, files[1], reply);
      if (!reference) return;
    }
    reply.reference_ms = static_cast<double>(clock_ns() - start) / 1e6;
    SharedReference shared{static_cast<double*>(reference->memory.data()), reference->elements};
    // The child may read the reference but not change it.
    ::mprotect(reference->memory.data(), reference->memory.bytes(), PROT_READ);
    Ended ended = watch(request.run_ms, reply, [&](ChildReport& report) {
      measure_in_child(request, environment_, files[0], shared, report);
    });
    finish(ended, reply);
  }

  /// Pins children, and makes the memory that is streamed before samples.
  void prepare_core(const ChildRequest& request) {
    if (std::any_of(std::begin(request.cores), std::end(request.cores),
                    [](uint64_t bits) { return bits != 0; })) {
      cpu_set_t set;
      CPU_ZERO(&set);
      static_assert(sizeof set == sizeof request.cores);
      std::memcpy(&set, request.cores, sizeof set);
      (void)::sched_setaffinity(0, sizeof set, &set);
    }
    if (environment_.evict.size() >= request.evict_bytes) return;
    evict_.emplace(request.evict_bytes);
    if (!evict_->data()) return;
    std::memset(evict_->data(), 1, request.evict_bytes);
    environment_.evict = {static_cast<const std::byte*>(evict_->data()), request.evict_bytes};
  }

  CachedReference* find_reference(const std::string& key) {
    auto it = std::find_if(references_.begin(), references_.end(),
                           [&](const CachedReference& r) { return r.key == key; });
    if (it == references_.end()) return nullptr;
    references_.splice(references_.begin(), references_, it);
    return &references_.front();
  }

  CachedReference* make_reference(const ChildRequest& request, int file, ServerReply& reply) {
    SharedMemory memory(most_reference_bytes);
    if (!memory.data()) {
      std::snprintf(reply.message, sizeof reply.message, "no memory for a reference: %s",
                    std::strerror(errno));
      return nullptr;
    }
    SharedReference output{static_cast<double*>(memory.data()), most_reference_bytes / sizeof(double) / 2};
    Ended ended = watch(request.reference_ms, reply, [&](ChildReport& report) {
      reference_in_child(request, environment_, file, output, report);
    });
    finish(ended, reply);
    reply.of_reference = 1;
    const size_t elements = reply.report.reference_elements;
    if (reply.end != ChildEnd::exited || reply.code != 0 || reply.report.status != 0 || elements == 0 ||
        elements > output.elements)
      return nullptr;
    memory.shrink(2 * elements * sizeof(double));
    references_.push_front({request.reference_key, std::move(memory), elements});
    size_t bytes = 0;
    for (auto it = references_.begin(); it != references_.end();) {
      bytes += it->memory.bytes();
      bool keep = it == references_.begin() ||
                  (bytes <= most_reference_bytes && references_.size() <= most_references);
      it = keep ? std::next(it) : references_.erase(it);
    }
    reply = ServerReply();
    return &references_.front();
  }

  /// Forks a child that runs `body` and waits for its end, the deadline, or the end of the runner.
  template <class Body>
  Ended watch(int64_t deadline_ms, ServerReply& reply, Body body) {
    auto& report = *static_cast<ChildReport*>(report_memory_.data());
    report = ChildReport();
    environment_.address_space_bytes = mapped_bytes();
    const int64_t start = clock_ns();
    const pid_t parent = ::getpid();
    const Folder folder;
    const pid_t child = ::fork();
    if (child < 0) {
      std::snprintf(reply.message, sizeof reply.message, "no child could be forked: %s",
                    std::strerror(errno));
      return {ChildEnd::not_started, 0};
    }
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (::getppid() != parent) ::_exit(1);
      ::close(socket_);
      if (!folder.enter()) ::_exit(1);
      body(report);
    }
    reply.fork_ms = static_cast<double>(clock_ns() - start) / 1e6;
    return wait_for(child, deadline_ms);
  }

  Ended wait_for(pid_t child, int64_t deadline_ms) {
    int process = static_cast<int>(::syscall(SYS_pidfd_open, child, 0));
    const int64_t deadline = now_ms() + deadline_ms;
    bool late = false, alone = false;
    while (process >= 0) {
      pollfd events[] = {{process, POLLIN, 0}, {socket_, POLLRDHUP, 0}};
      int left = static_cast<int>(std::clamp<int64_t>(deadline - now_ms(), 0, 1 << 30));
      int ready = ::poll(events, 2, left);
      if (ready < 0 && errno == EINTR) continue;
      if (events[0].revents) break;
      alone = ready > 0 && (events[1].revents & (POLLRDHUP | POLLHUP | POLLERR));
      late = ready == 0;
      if (alone || late) break;
    }
    if (process >= 0)
      ::close(process);
    else
      late = true;  // a child that cannot be watched is not left to run
    if (late || alone) ::kill(child, SIGKILL);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (alone) ::_exit(0);
    if (late) return {ChildEnd::watchdog, SIGKILL};
    return WIFSIGNALED(status) ? Ended{ChildEnd::signalled, WTERMSIG(status)}
                               : Ended{ChildEnd::exited, WEXITSTATUS(status)};
  }

  void finish(const Ended& ended, ServerReply& reply) {
    reply.end = ended.end;
    reply.code = ended.code;
    std::memcpy(&reply.report, report_memory_.data(), sizeof reply.report);
  }

  int socket_;
  ChildEnvironment environment_;
  SharedMemory report_memory_, arena_;
  std::optional<SharedMemory> evict_;
  std::list<CachedReference> references_;  ///< most recently used first
};

}  // namespace

int serve_children(int socket) { return Server(socket).run(); }

}  // namespace hone
