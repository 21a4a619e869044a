// One forked child and the two bells between it and its server: everything that the server knows of a child for
// certain is whether it lives, whether it stands still, and when it rang.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "codegen/base/result.h"
#include "devices/child_protocol.h"

namespace hone {

/// Two counters of the kernel (eventfd), the only descriptors that a child keeps.
class Bells {
 public:
  /// Where the child has them.
  static constexpr int child_rings = 3, child_hears = 4;

  Bells();
  Bells(const Bells&) = delete;
  ~Bells();
  bool good() const { return to_server_ >= 0 && to_child_ >= 0; }
  /// In a fresh child: puts them in their places and closes all other descriptors.
  void keep_only_these() const;

 private:
  friend class ChildProcess;
  int to_server_, to_child_;
};
/// The child's side of the bells. They make no system calls but read and write on them.
void ring_server();
void await_server();

struct Ended {
  ChildEnd end = ChildEnd::not_started;
  int code = 0;  ///< exit code or signal
};

class ChildProcess {
 public:
  /// Forks a child that runs `body` and then leaves with code 0. `runner`: the socket that closes when nobody
  /// waits for results any more. Errors: the system's.
  static Result<ChildProcess> start(const Bells& bells, int runner, const std::function<void()>& body);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  /// Kills it if it lives.
  ~ChildProcess();

  enum class Woke { rang, ended, late, orphaned };
  /// Waits for the bell, the child's end, the deadline (of cold.h's clock_ns) or the end of the runner.
  Woke wait(int64_t deadline_ns);
  /// Makes all its threads stand still; true once they do. False: it has ended.
  bool stop();
  /// Rings its bell and lets it run; gives the time of that. `settle_ns`: so long it runs before the bell rings, so
  /// that its threads find their cores again and wait there, as they do between samples. What lies in shared
  /// memory can be read meanwhile, but not for longer than that.
  int64_t go(int64_t settle_ns = 0);
  pid_t id() const { return process_; }
  /// What the kernel accounts for, all threads together: time on a processor, and time that they were ready to run
  /// and others had it (0 where the kernel does not say).
  struct Time {
    int64_t on_processor_ns = 0, waited_ns = 0;
  };
  Time time() const;
  /// Kills it if it lives. How it ended: `late` or what it did itself.
  Ended end(bool late = false);

 private:
  ChildProcess(const Bells& bells, int runner, pid_t process);
  bool reap(int options);

  const Bells* bells_;
  int runner_;
  pid_t process_ = -1;
  int handle_ = -1;  ///< pidfd
  bool gone_ = false;
  int status_ = 0;  ///< of waitpid, once it is gone
};

}  // namespace hone
