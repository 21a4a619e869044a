// The runner's loop: one connection to a scheduler, one Device, one measurement at a time.
// Waits for messages, the end of a measurement, deadlines and a stop event in one place.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "devices/device.h"
#include "devices/work_queue.h"
#include "measure/transport.h"

namespace hone {

struct RunnerOptions {
  std::string scheduler;  ///< endpoint
  std::string name;
  std::vector<std::string> labels;         ///< "key=value"
  uint32_t capacity = 8;                   ///< leases held at once: enough to fetch while one is measured
  std::chrono::milliseconds heartbeat{0};  ///< 0: what the scheduler asks for
  std::chrono::milliseconds hello_timeout{2000};
  std::chrono::milliseconds give_up{0};         ///< leave when no scheduler was heard for this long; 0: never
  std::chrono::milliseconds commit_wait{2000};  ///< how long a runner told to stop waits for its last commit
  WorkQueue::Limits limits = {};
  TransportOptions transport = {};
};

/// Runs until the scheduler says `stopping` or `stop_fd` can be read. Reconnects, with a new hello, whenever
/// the scheduler falls silent. Errors: a malformed endpoint, a refusal (with its reason), no scheduler within
/// give_up.
Status run_runner(const RunnerOptions& options, Device& device, int stop_fd);

}  // namespace hone
