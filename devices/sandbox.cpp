#include "devices/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <initializer_list>
#include <memory>

namespace hone {
namespace {

static_assert(sizeof(SyscallFilter::Instruction) == sizeof(sock_filter));

class Rules {
 public:
  // A trap, not a kill: the child's handler says which call it was.
  Rules() : context_(seccomp_init(SCMP_ACT_TRAP), seccomp_release) {}

  template <class... Arguments>
  void allow(int call, Arguments... arguments) {
    if (!context_) return;
    // A call this architecture does not have cannot be made either.
    if (seccomp_rule_add(context_.get(), SCMP_ACT_ALLOW, call, sizeof...(arguments), arguments...) != 0)
      missing_ = true;
  }
  void allow_all(std::initializer_list<int> calls) {
    for (int call : calls) allow(call);
  }
  /// Plain memory, time, and the way out.
  void allow_basics() {
    const auto executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
    allow(SCMP_SYS(mmap), executable, SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS));
    allow(SCMP_SYS(mprotect), executable);
    allow_all({SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(futex),
               SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(clock_gettime), SCMP_SYS(sched_yield),
               SCMP_SYS(rt_sigreturn)});
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    allow_all({SCMP_SYS(sigaltstack), SCMP_SYS(gettid),
               SCMP_SYS(getpid)});  // the sanitizer's own, before each _exit
#endif
  }

  Result<SyscallFilter> compile() {
    if (!context_) return fail("libseccomp gave no filter");
    int file = ::memfd_create("hone-filter", MFD_CLOEXEC);
    if (file < 0) return fail(std::string("no memory file for a filter: ") + std::strerror(errno));
    SyscallFilter filter;
    bool good = seccomp_export_bpf(context_.get(), file) == 0;
    off_t bytes = good ? ::lseek(file, 0, SEEK_END) : 0;
    filter.program.resize(static_cast<size_t>(bytes) / sizeof(sock_filter));
    good = good && bytes > 0 && ::pread(file, filter.program.data(), static_cast<size_t>(bytes), 0) == bytes;
    ::close(file);
    if (!good) return fail("the system call filter could not be compiled");
    return filter;
  }

 private:
  std::unique_ptr<void, void (*)(scmp_filter_ctx)> context_;
  bool missing_ = false;
};

void limit(decltype(RLIMIT_CPU) what, uint64_t value) {
  rlimit limits{value, value};
  ::setrlimit(what, &limits);
}

}  // namespace

Result<SyscallFilter> loading_filter() {
  Rules rules;
  rules.allow_basics();
  // The dynamic loader maps the artifact's code from the memory file it was copied to.
  rules.allow(SCMP_SYS(mmap), SCMP_A3(SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, 0));
  rules.allow(SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
  rules.allow_all({SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(lseek),
                   SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
                   SCMP_SYS(fcntl), SCMP_SYS(memfd_create), SCMP_SYS(getrandom), SCMP_SYS(prctl),
                   SCMP_SYS(seccomp), SCMP_SYS(prlimit64), SCMP_SYS(setrlimit)});
  return rules.compile();
}

Result<SyscallFilter> running_filter() {
  Rules rules;
  rules.allow_basics();
  return rules.compile();
}

Status install(const SyscallFilter& filter) {
  sock_fprog program{
      static_cast<unsigned short>(filter.program.size()),
      reinterpret_cast<sock_filter*>(const_cast<SyscallFilter::Instruction*>(filter.program.data()))};
  // All threads of the process, also those that were there before.
  if (filter.program.empty() ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) != 0)
    return fail(std::string("no system call filter: ") + std::strerror(errno));
  return {};
}

void apply_limits(const ChildLimits& limits) {
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_NOFILE, 32);
  limit(RLIMIT_NPROC, 0);
  limit(RLIMIT_FSIZE, limits.file_bytes);
  limit(RLIMIT_CPU, limits.cpu_seconds);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (limits.address_space_bytes > 0) limit(RLIMIT_AS, limits.address_space_bytes);
#endif
  if (int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); file >= 0) {
    [[maybe_unused]] ssize_t written = ::write(file, "1000", 4);
    ::close(file);
  }
}

void forbid_files() {
  limit(RLIMIT_FSIZE, 0);
  ::prctl(PR_SET_DUMPABLE, 0);
}

bool leave_network() {
  return ::unshare(CLONE_NEWNET | CLONE_NEWIPC) == 0 ||
         ::unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0;
}

bool drop_root() {
  constexpr uid_t nobody = 65534;
  if (::geteuid() != 0) return true;
  const pid_t parent = ::getppid();
  // glibc changes all threads of the process.
  const bool dropped = ::setgroups(0, nullptr) == 0 && ::setresgid(nobody, nobody, nobody) == 0 &&
                       ::setresuid(nobody, nobody, nobody) == 0;
  // The loader opens the artifact through /proc/self, which is root's in a process that may not be dumped.
  ::prctl(PR_SET_DUMPABLE, 1);
  // The kernel forgets with the user that this process is to die with its parent.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  return dropped;
}

std::string missing_parts(uint32_t parts) {
  std::string text;
  for (const auto& [bit, name] : {std::pair(sandbox_filter, "no system call filter"),
                                  {sandbox_network, "no network namespace"},
                                  {sandbox_root, "runs as root"}})
    if (parts & bit) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace hone
