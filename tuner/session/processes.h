// Child programs of `hone tune`: started with chosen cores and their own stderr file, ended with it, quoted
// when they die.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "codegen/base/result.h"

namespace hone::session {

struct ChildOptions {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<int> cores;          ///< empty: those of this process
  std::filesystem::path messages;  ///< where its stdout and stderr go
};

/// A running child process. A resource: ended with this object, and by the kernel if this process dies.
class Child {
 public:
  static Result<Child> start(ChildOptions options);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  /// Readable once the process has ended (a pidfd): give it to a wait.
  int fd() const { return pidfd_; }
  bool ended();
  /// "killed by Segmentation fault" or "exit code 1", and the last line it wrote.
  std::string how_it_ended() const;
  void signal(int number) const;
  /// SIGTERM, then SIGKILL after `patience`. True: it ended by itself.
  bool stop(std::chrono::milliseconds patience);
  /// Starts the same again; it must have ended.
  Status restart();

 private:
  explicit Child(ChildOptions options) : options_(std::move(options)) {}
  Status spawn();
  ChildOptions options_;
  pid_t pid_ = -1;
  int pidfd_ = -1;
  int status_ = 0;
};

/// Cores this process may run on, ascending.
std::vector<int> usable_cores();
/// Which cores measure and which build: the last `threads` measure, and nothing runs there meanwhile unless
/// there are no others.
struct CoreShare {
  std::vector<int> measuring, building;
  /// Measuring cores that may build while nothing is measured, since few others can.
  std::vector<int> idle() const;
};
CoreShare share_cores(const std::vector<int>& cores, int threads);

}  // namespace hone::session
