// This machine's CPU as a Device: every measurement in a sandboxed child that is forked, watched and judged.
#pragma once

#include <deque>
#include <memory>
#include <string>

#include "devices/child_protocol.h"
#include "devices/device.h"
#include "measure/transport.h"

namespace hone {

struct CpuDeviceOptions {
  std::string server_program;  ///< hone-runner itself
  int core = -1;               ///< that measurements are pinned to; -1: the last one this process may use
  std::chrono::milliseconds run{10000};  ///< deadline for requests that name none
  std::chrono::milliseconds reference{
      120000};                ///< deadline of a reference, which is not the candidate's to answer for
  uint64_t memory_bytes = 0;  ///< a child's limit; 0: half of the board's memory
};

/// Where the last measurement's time went, in ms: for benchmarks.
struct CpuDeviceTimes {
  double reference = 0, fork = 0, load = 0, fill = 0, check = 0, run = 0, batch = 0, whole = 0;
};

/// Slow drift of the board, seen through the reference kernel.
class DriftWatch {
 public:
  /// True if both figures lie more than `part` off the median of the session so far (of at least 5 figures).
  bool drifted(double before_ns, double after_ns, double part) const;
  void add(double before_ns, double after_ns);
  double median_ns() const;

 private:
  std::deque<double> recent_;
};

class CpuDevice : public Device {
 public:
  /// Errors: the child server cannot be started. Pins the calling thread off the measuring core if there is
  /// another one.
  static Result<std::unique_ptr<CpuDevice>> create(CpuDeviceOptions options);
  ~CpuDevice() override;
  Board board() const override { return board_; }
  DeviceFacts facts() const override { return facts_; }
  wire::HealthReport check(std::chrono::milliseconds deadline) override;
  Health health() const override;
  DeviceResult measure(const wire::MeasureRequest& request, std::span<const std::byte> artifact,
                       std::span<const std::byte> reference) override;
  void cancel() override { cancelled_.notify(); }
  void resume() override { cancelled_.clear(); }
  CpuDeviceTimes last_times() const { return times_; }

 private:
  explicit CpuDevice(CpuDeviceOptions options);
  uint64_t l2_bytes() const {
    return static_cast<uint64_t>(board_.l2_bytes > 0 ? board_.l2_bytes : int64_t{1} << 20);
  }
  Status start_server();
  void stop_server();
  DeviceResult measure_once(const wire::MeasureRequest& request, std::span<const std::byte> artifact,
                            std::span<const std::byte> reference);
  /// Sends a request and waits for its reply; a child server that fails is stopped, the next request starts
  /// one.
  Result<std::unique_ptr<ServerReply>> ask(const ChildRequest& request, std::span<const std::byte> artifact,
                                           std::span<const std::byte> reference);
  Status send(const ChildRequest& request, std::span<const std::byte> artifact,
              std::span<const std::byte> reference);
  Result<std::unique_ptr<ServerReply>> receive(TimePoint deadline);

  CpuDeviceOptions options_;
  Board board_;
  DeviceFacts facts_;
  uint64_t cores_[16] = {};  ///< this process's when it began, as a bit set
  int usable_ = 1;           ///< how many those are
  int socket_ = -1;
  int server_ = -1;  ///< process id
  WakeUp cancelled_;
  DriftWatch drift_;
  CpuDeviceTimes times_;
  bool said_partial_ = false;
};

/// What a reply says about a candidate: the server's verdict if it gave one, else how the child ended; the report
/// comes from a process that ran foreign code, and only holds where the server saw nothing against it.
Measurement judge(const ServerReply& reply, int64_t run_ms);

}  // namespace hone
