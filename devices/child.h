// What a forked child does: load, fill, check, time; or run a reference. It ends its process and leaves a
// ChildReport.
#pragma once

#include <cstddef>
#include <span>

#include "codegen/runtime/host/host.h"
#include "devices/child_protocol.h"
#include "devices/cold.h"
#include "devices/sandbox.h"

namespace hone {

/// Made once by the child server; children inherit it.
struct ChildEnvironment {
  SyscallFilter loading, running;
  std::span<const std::byte> evict;  ///< streamed to make caches cold
  BufferArena arena;                 ///< for buffers: one child after the other uses it
  uint64_t address_space_bytes = 0;  ///< what the server itself maps: a child's limit counts from there
  uint32_t missing = 0;              ///< SandboxParts that the server could not give
};

/// The reference's output as its child wrote it and as the candidate's child reads it: values, then as many
/// magnitudes.
struct SharedReference {
  double* data = nullptr;
  size_t elements = 0;  ///< of each half; when it is written: as many as fit
};

/// Checks and times the artifact. Does not return.
[[noreturn]] void measure_in_child(const ChildRequest& request, const ChildEnvironment& environment,
                                   int artifact_file, SharedReference reference, ChildReport& report);
/// Runs a known kernel in the sandbox and compares with the known answer; times the reference kernel. Does
/// not return.
[[noreturn]] void check_in_child(const ChildRequest& request, const ChildEnvironment& environment,
                                 ChildReport& report);
/// Runs the reference artifact into `output`. Does not return.
[[noreturn]] void reference_in_child(const ChildRequest& request, const ChildEnvironment& environment,
                                     int reference_file, SharedReference output, ChildReport& report);

}  // namespace hone
