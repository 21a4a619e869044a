// What a child may do: resource limits, no new privileges, and two system call filters, the second one
// stricter. Filters are compiled once, before any child exists: installing one costs a system call.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

/// A compiled system call filter; empty if this machine has none.
struct SyscallFilter {
  struct Instruction {
    uint16_t code;
    uint8_t jump_true, jump_false;
    uint32_t value;
  };
  std::vector<Instruction> program;
};

/// For loading an artifact: memory, files opened for reading, nothing that starts, sends, writes or signals.
Result<SyscallFilter> loading_filter();
/// For running it: plain memory, clock, exit.
Result<SyscallFilter> running_filter();
/// From here on this process obeys the filter too. A forbidden call raises SIGSYS.
Status install(const SyscallFilter& filter);

struct ChildLimits {
  uint64_t address_space_bytes = 0;  ///< 0: not limited
  uint64_t file_bytes = 0;           ///< largest file (a memory file too) it may write
  uint64_t cpu_seconds = 0;
};
/// Limits of this process, no core dumps, no new privileges, killed first when memory runs out.
void apply_limits(const ChildLimits& limits);
/// After loading: no file may grow any more.
void forbid_files();

/// Own, empty namespaces for network and IPC where that is allowed; false: it is not, and only the filters
/// forbid sockets.
bool leave_network();

/// Becomes nobody, for good, if this process is root. False: it still is (a namespace without that user).
bool drop_root();

/// What of the sandbox is missing, as bits of ChildReport::sandbox_partial.
enum SandboxPart : uint32_t { sandbox_filter = 1, sandbox_network = 2, sandbox_root = 4 };
/// For people: "no system call filter, ..."; empty: nothing is missing.
std::string missing_parts(uint32_t parts);

}  // namespace hone
