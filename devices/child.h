// What a forked child does: load, prepare, run, time, then run again whenever the server wants to see for itself.
#pragma once

#include <cstddef>
#include <span>

#include "devices/child_process.h"
#include "devices/cold.h"
#include "devices/sandbox.h"
#include "devices/workspace.h"

namespace hone {

/// Made once by the child server; children inherit it.
struct ChildEnvironment {
  SyscallFilter filter;
  std::span<const std::byte> evict;  ///< streamed to make caches cold; read-only
  uint64_t address_space_bytes = 0;  ///< what the server itself maps: a child's limit counts from there
  uint32_t missing = 0;              ///< SandboxParts that the server could not give
};

/// One artifact's child.
struct ChildWork {
  const ChildRequest& request;
  const ChildEnvironment& environment;
  std::span<const std::byte> artifact;  ///< the shared object
  const Signature& signature;           ///< as the server reads it
  const Workspace& workspace;           ///< filled
  std::span<std::byte> unused;          ///< pages behind the workspace that the child is not to have
  int64_t deadline_ms = 0;
  ChildReport& report;
  const ChildOrders& orders;
};

/// Runs and times a candidate, rings with its claims in the report, then does what `orders` say at each ring of
/// its own bell. Does not return.
[[noreturn]] void measure_in_child(const ChildWork& work);
/// Runs the reference artifact once. Does not return.
[[noreturn]] void reference_in_child(const ChildWork& work);
/// Runs a known kernel in the sandbox and compares with the known answer; times the reference kernel; then
/// obeys `orders` as a candidate's child does, with nothing to run. Does not return.
[[noreturn]] void check_in_child(const ChildRequest& request, const ChildEnvironment& environment,
                                 ChildReport& report, const ChildOrders& orders);

}  // namespace hone
