// What a sandboxed process may not do, each in a process of its own.
#include "devices/sandbox.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ifaddrs.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>

namespace hone {
namespace {

/// The exit code of a process that runs `body`; 128 + signal if that ended it.
int in_a_process(const std::function<int()>& body) {
  const pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

TEST(Sandbox, RootIsGivenUpForGood) {
  if (::geteuid() != 0) GTEST_SKIP() << "this test is not run as root";
  EXPECT_EQ(in_a_process([] {
              if (!drop_root()) return 2;
              return ::geteuid() != 0 && ::getegid() != 0 && ::setuid(0) != 0 ? 0 : 1;
            }),
            0);
}

TEST(Sandbox, NoNewPrivilegesNoCoresNoProcessesAreLeft) {
  EXPECT_EQ(in_a_process([] {
              drop_root();
              apply_limits({0, 5});
              if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) return 1;
              rlimit limit{};
              ::getrlimit(RLIMIT_CORE, &limit);
              if (limit.rlim_max != 0) return 2;
              ::getrlimit(RLIMIT_NOFILE, &limit);
              if (limit.rlim_max > 32) return 3;
              ::getrlimit(RLIMIT_CPU, &limit);
              if (limit.rlim_max != 5) return 4;
              const pid_t child = ::fork();
              if (child == 0) ::_exit(0);
              return ::geteuid() == 0 || child < 0 ? 0
                                                   : 5;  // root may always fork; the filter forbids it then
            }),
            0);
}

TEST(Sandbox, NoFileGrowsAnyMore) {
  EXPECT_EQ(in_a_process([] {
              ::signal(SIGXFSZ, SIG_IGN);
              char path[] = "/tmp/hone-sandbox-XXXXXX";
              const int file = ::mkstemp(path);
              ::unlink(path);
              forbid_files();
              return ::write(file, "x", 1) < 0 ? 0 : 1;
            }),
            0);
}

TEST(Sandbox, NoFileIsOpenedWhereTheKernelKnowsLandlock) {
  const int result = in_a_process([] {
    if (!leave_files()) return 77;
    if (::open("/etc/passwd", O_RDONLY) >= 0) return 1;
    if (::open("/", O_RDONLY | O_DIRECTORY) >= 0) return 2;
    if (::open("/tmp/hone-sandbox", O_WRONLY | O_CREAT, 0600) >= 0) return 3;
    return 0;
  });
  if (result == 77) GTEST_SKIP() << "this kernel has no Landlock";
  EXPECT_EQ(result, 0);
}

TEST(Sandbox, ProcessorTimeEndsAtItsLimit) {
  EXPECT_EQ(in_a_process([] {
              apply_limits({0, 1});
              for (volatile int i = 0;;) i = i + 1;
              return 0;
            }),
            128 + SIGKILL);
}

TEST(Sandbox, NoNetworkIsLeftWhereThatIsAllowed) {
  const int result = in_a_process([] {
    if (!leave_network()) return 77;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) return 0;
    int addresses = 0;
    for (ifaddrs* at = list; at != nullptr; at = at->ifa_next)
      if (at->ifa_addr != nullptr &&
          (at->ifa_addr->sa_family == AF_INET || at->ifa_addr->sa_family == AF_INET6))
        ++addresses;
    return addresses == 0 ? 0 : 1;
  });
  if (result == 77) GTEST_SKIP() << "network namespaces are not allowed here";
  EXPECT_EQ(result, 0);
}

TEST(Sandbox, WhatIsMissingIsSaid) {
  EXPECT_EQ(missing_parts(0), "");
  EXPECT_EQ(missing_parts(sandbox_filter | sandbox_root), "no system call filter, runs as root");
}

}  // namespace
}  // namespace hone
