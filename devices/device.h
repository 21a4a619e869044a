// What a runner measures on: one small interface, so that runner, scheduler and tests do not care whether a
// board is real.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>

#include "codegen/base/target.h"
#include "measure/measurement.h"
#include "measure/wire.h"

namespace hone {

/// A measurement with where its time went, in ms on the board.
struct DeviceResult {
  Measurement measurement;
  double check_ms = 0;  ///< load, fill, first run, check (and the reference if it was not there yet)
  double run_ms = 0;    ///< warm-up and samples
};

/// What a board says about itself beside its Board.
struct DeviceFacts {
  std::string os = {};       ///< "Debian GNU/Linux 12 (bookworm)"
  bool emulated = false;     ///< by qemu-user: its times mean nothing
  std::string sandbox = {};  ///< what of the sandbox is missing; empty: nothing
  double max_frequency_mhz = -1;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual Board board() const = 0;
  virtual DeviceFacts facts() const { return {}; }
  /// Whether it still does what it should: a known kernel in a child, memory, disk. Blocks; called as
  /// measure().
  virtual wire::HealthReport check(std::chrono::milliseconds deadline) = 0;
  /// Temperature and frequency now; -1: unknown.
  virtual Health health() const = 0;
  /// Checks and times one artifact; blocks until the result is there or its deadline passed. A failure is a
  /// status of the measurement, with its message. Called from one thread at a time.
  virtual DeviceResult measure(const wire::MeasureRequest& request, std::span<const std::byte> artifact,
                               std::span<const std::byte> reference) = 0;
  /// Makes a measure() that runs in another thread, or the next one, come back soon, with status board_lost.
  virtual void cancel() = 0;
  /// Takes back a cancel() that came when nothing ran any more. Only while nothing is measured.
  virtual void resume() {}
};

}  // namespace hone
