// How whoever calls a function that lasts may end it: a value that is handed in. Nothing here handles
// signals; the command line makes an Interrupt of its own from them.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "measure/transport.h"

namespace hone::session {

/// Asked once, a function ends in order; asked again, at once.
class Interrupt {
 public:
  Interrupt() = default;  ///< nobody ever asks
  /// `fd` can be read from when somebody asked; `take` says whether, and forgets it. Both outlive this value.
  Interrupt(int fd, std::function<bool()> take) : fd_(fd), take_(std::move(take)) {}

  int fd() const { return fd_; }  ///< -1: nobody ever asks
  bool take() const { return take_ && take_(); }

 private:
  int fd_ = -1;
  std::function<bool()> take_;
};

/// An Interrupt for programs: press() from any thread, or from a signal handler of their own.
class StopButton {
 public:
  void press() {
    presses_.fetch_add(1);
    wake_.notify();
  }
  /// Each press is taken once. Valid as long as this button.
  Interrupt interrupt() {
    return {wake_.fd(), [this] {
              wake_.clear();
              const int left = presses_.load();
              if (left == 0) return false;
              if (presses_.fetch_sub(1) > 1) wake_.notify();
              return true;
            }};
  }

 private:
  WakeUp wake_;
  std::atomic<int> presses_{0};
};

}  // namespace hone::session
