// What a child may do: resource limits, no new privileges, no files, and a system call filter, compiled once,
// before any child exists: installing it costs a system call.
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

/// For a candidate, from its first instruction on: futexes, the clock, its two bells (child_process.h) and the way
/// out. It asks for no memory, and exchanges no page for another.
Result<SyscallFilter> candidate_filter();
/// Installs a filter that allows everything. While one is held somewhere, the kernel has pages for compiled filters
/// ready; making them for each child anew would interrupt every processor (0.3 ms).
void hold_filter_memory();
/// From here on this process obeys the filter too. A forbidden call raises SIGSYS.
Status install(const SyscallFilter& filter);

struct ChildLimits {
  uint64_t address_space_bytes = 0;  ///< 0: not limited
  uint64_t cpu_seconds = 0;
};
/// Limits of this process, no core dumps, no new privileges.
void apply_limits(const ChildLimits& limits);
/// When memory runs out this process is killed first.
void be_killed_first();
/// No file may grow any more, and nobody looks into this process.
void forbid_files();

/// Landlock: from here on this thread, and those it starts, can open nothing, reach no address and signal nobody
/// outside, as far as this kernel knows how. Sets "no new privileges". False: it does not know files.
bool leave_files();

/// Own, empty namespaces for network and IPC where that is allowed; false: it is not, and only the filter
/// forbids sockets.
bool leave_network();

/// Becomes nobody, for good, if this process is root. False: it still is (a namespace without that user).
bool drop_root();

/// What of the sandbox is missing, as bits of ChildReport::sandbox_partial.
enum SandboxPart : uint32_t { sandbox_filter = 1, sandbox_network = 2, sandbox_root = 4, sandbox_files = 8 };
/// For people: "no system call filter, ..."; empty: nothing is missing.
std::string missing_parts(uint32_t parts);

}  // namespace hone
