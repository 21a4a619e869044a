// The shell round the state machine: sockets, clocks, journals, signals and the training thread. It decides
// nothing.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "measure/transport.h"
#include "scheduler/settings.h"

namespace hone::scheduler {

struct ShellOptions {
  std::string listen;                                ///< endpoint, "ipc:///run/hone.sock"
  std::filesystem::path log;                         ///< x.h5
  std::vector<std::filesystem::path> transfer = {};  ///< other logs to learn from, never written
  Settings settings;
  TransportOptions transport = {};
  size_t compact_every = 50000;       ///< records in the journal before they are compacted during a run
  size_t snapshot_bytes = 64u << 20;  ///< of the jobs journal before it is replaced by a snapshot
  std::function<void(const std::string&)> note = {};  ///< one line for people
};

/// Serves until SIGTERM or SIGINT; then stops the jobs, compacts the log and returns. Errors: the log cannot
/// be opened (in use, damaged), the endpoint cannot be bound, the log could not be compacted at the end.
Status serve(const ShellOptions& options);

}  // namespace hone::scheduler
