#include "devices/child_server.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "devices/child.h"
#include "devices/examination.h"

namespace hone {
namespace {

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

/// The bytes behind a descriptor, read-only.
class MappedFile {
 public:
  MappedFile(int file, uint64_t bytes) : bytes_(bytes) {
    void* data = bytes == 0 ? MAP_FAILED : ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, file, 0);
    if (data != MAP_FAILED) data_ = static_cast<const std::byte*>(data);
  }
  MappedFile(const MappedFile&) = delete;
  ~MappedFile() {
    if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), bytes_);
  }
  std::span<const std::byte> bytes() const { return {data_, data_ == nullptr ? 0 : bytes_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t bytes_;
};

class Server {
 public:
  explicit Server(int socket)
      : socket_(socket), examination_(socket) {}

  int run() {
    isolate();
    if (!examination_.good()) return 2;
    if (auto filter = candidate_filter()) examination_.environment().filter = std::move(*filter);
    for (;;) {
      ChildRequest request;
      std::array<int, 2> files = {-1, -1};
      if (!receive(request, files)) return 0;
      const int64_t start = clock_ns();
      auto reply = std::make_unique<ServerReply>();
      serve(request, files, *reply);
      reply->whole_ms = static_cast<double>(clock_ns() - start) / 1e6;
      for (int file : files) ::close(file);
      if (::send(socket_, reply.get(), sizeof *reply, MSG_NOSIGNAL) != static_cast<ssize_t>(sizeof *reply))
        return 0;
    }
  }

 private:
  void isolate() {
    if (!leave_network()) examination_.environment().missing |= sandbox_network;
    hold_filter_memory();
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
    request.purpose[sizeof request.purpose - 1] = 0;
    return true;
  }

  void serve(const ChildRequest& request, const std::array<int, 2>& files, ServerReply& reply) {
    prepare_core(request);
    examination_.environment().address_space_bytes = mapped_bytes();
    if (request.check) return examination_.check(request, reply);
    const MappedFile artifact(files[0], request.artifact_bytes), reference(files[1], request.reference_bytes);
    try {
      examination_.measure(request, artifact.bytes(), reference.bytes(), reply);
    } catch (const std::bad_alloc&) {  // what a signature asks for must not end the server
      reply = ServerReply();
      reply.end = ChildEnd::finished;
      reply.verdict.given = 1;
      reply.verdict.status = static_cast<uint32_t>(MeasureStatus::out_of_memory);
      std::snprintf(reply.verdict.message, sizeof reply.verdict.message, "no memory for what this artifact asks for");
    }
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
    const uint64_t bytes = 2 * request.l2_bytes;
    ChildEnvironment& environment = examination_.environment();
    if (environment.evict.size() >= bytes) return;
    evict_.emplace(Pages::Kind::shared, bytes);
    environment.evict = {};
    if (evict_->data() == nullptr) return;
    std::memset(evict_->data(), 1, bytes);
    ::mprotect(evict_->data(), evict_->bytes(), PROT_READ);  // no child leaves another one anything there
    environment.evict = {evict_->data(), bytes};
  }

  int socket_;
  std::optional<Pages> evict_;
  Examination examination_;
};

}  // namespace

int serve_children(int socket) { return Server(socket).run(); }

}  // namespace hone
