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
#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <memory>

#include "devices/child_process.h"

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

Result<SyscallFilter> candidate_filter() {
  Rules rules;
  rules.allow(SCMP_SYS(read), SCMP_A0(SCMP_CMP_EQ, Bells::child_hears));
  rules.allow(SCMP_SYS(write), SCMP_A0(SCMP_CMP_EQ, Bells::child_rings));
  rules.allow_all({SCMP_SYS(futex), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(clock_gettime),
                   SCMP_SYS(sched_yield), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall)});
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  // The sanitizer's own.
  rules.allow_all({SCMP_SYS(mmap), SCMP_SYS(munmap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk),
                   SCMP_SYS(sigaltstack), SCMP_SYS(gettid), SCMP_SYS(getpid)});
#endif
  return rules.compile();
}

void hold_filter_memory() {
  sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  sock_fprog program{1, &allow};
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
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
  limit(RLIMIT_CPU, limits.cpu_seconds);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  if (limits.address_space_bytes > 0) limit(RLIMIT_AS, limits.address_space_bytes);
#endif
}

void be_killed_first() {
  if (int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); file >= 0) {
    [[maybe_unused]] ssize_t written = ::write(file, "1000", 4);
    ::close(file);
  }
}

void forbid_files() {
  limit(RLIMIT_FSIZE, 0);
  ::prctl(PR_SET_DUMPABLE, 0);
}

bool leave_files() {
  // The kernel's own numbers (include/uapi/linux/landlock.h), since the distribution's headers are older than the
  // kernels that hone runs on. A ruleset that handles a right and allows it nowhere forbids it.
  constexpr long create = 444, restrict_self = 446;
  struct Ruleset {
    uint64_t files, network, scoped;
  };
  constexpr unsigned version_flag = 1;
  const long version = ::syscall(create, nullptr, 0, version_flag);
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (version < 1) return false;
  Ruleset rules = {};
  const int file_rights = version >= 5 ? 16 : version >= 3 ? 15 : version >= 2 ? 14 : 13;
  rules.files = (uint64_t{1} << file_rights) - 1;
  if (version >= 4) rules.network = 3;  // bind and connect, TCP
  if (version >= 6) rules.scoped = 3;   // abstract sockets and signals
  const size_t bytes = version >= 6 ? sizeof rules : version >= 4 ? offsetof(Ruleset, scoped) : sizeof rules.files;
  const int ruleset = static_cast<int>(::syscall(create, &rules, bytes, 0));
  if (ruleset < 0) return false;
  const bool left = ::syscall(restrict_self, ruleset, 0) == 0;
  ::close(ruleset);
  return left;
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
  // The kernel forgets with the user that this process is to die with its parent.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  return dropped;
}

std::string missing_parts(uint32_t parts) {
  std::string text;
  for (const auto& [bit, name] : {std::pair(sandbox_filter, "no system call filter"),
                                  {sandbox_network, "no network namespace"},
                                  {sandbox_root, "runs as root"},
                                  {sandbox_files, "no Landlock"}})
    if (parts & bit) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

}  // namespace hone
