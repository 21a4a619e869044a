// What runner and child server say to each other over their socket pair, and what a child and its server leave
// each other in shared memory: fixed binary structs between processes of one build on one machine. A child is
// not trusted: what it leaves is a claim, and the server's verdict is about that.
#pragma once

#include <cstddef>
#include <cstdint>

#include "codegen/base/digest.h"
#include "measure/measurement.h"

namespace hone {

inline constexpr uint32_t child_magic = 0x686f6e65;
inline constexpr int most_child_samples = 4096;

/// Runner to child server; comes with two file descriptors: artifact and reference (of a check: unused).
struct ChildRequest {
  uint32_t magic = child_magic;
  int32_t threads = 1;
  uint64_t cores[16] = {};  ///< that the child may use, as a bit set; none: any
  char purpose[64] = {};    ///< tells data apart that are not to be the same (search, finals); ends with 0
  Digest task_key, reference;
  uint64_t artifact_bytes = 0, reference_bytes = 0;
  uint8_t dram = 0;      ///< timing mode: 1 dram, 0 llc
  uint8_t check = 0;     ///< 1: no measurement but a health check
  uint8_t emulated = 0;  ///< 1: times mean nothing here, so none is called implausible
  int32_t min_samples = 0, max_samples = 0;
  double target_spread = 0, race_factor = 0, out_factor = 0, best_ns = 0;
  int64_t budget_ms = 0;
  int64_t run_ms = 0;         ///< deadline of the candidate's child
  int64_t reference_ms = 0;   ///< deadline of the reference's child
  uint64_t memory_bytes = 0;  ///< that a child may map beyond what it begins with
  uint64_t l2_bytes = 0;      ///< of one core: twice as much is streamed before each sample in mode llc
};

/// How far a child came.
enum class ChildStage : uint32_t { starting, loading, filling, checking, warming, timing, done, batch };

/// Written by the child as it goes on.
struct ChildReport {
  uint32_t magic = child_magic;
  ChildStage stage = ChildStage::starting;
  uint32_t status = 0;  ///< a MeasureStatus, meaningful once the child rang or ended by itself
  uint32_t sample_count = 0;
  uint32_t sandbox_partial = 0;  ///< SandboxParts that are missing
  int32_t forbidden_call = -1;   ///< number of the system call that ended the child
  char message[256] = {};
  double reference_ns = -1;  ///< of a health check: the reference kernel
  double load_ms = 0, fill_ms = 0, check_ms = 0, run_ms = 0;
  double samples_ns[most_child_samples] = {};
};

/// Written by the server while the child stands still.
struct ChildOrders {
  uint32_t calls = 0;  ///< of the artifact, one in each of so many places of the workspace; then ring
};

/// What the server found out itself.
struct ServerVerdict {
  uint32_t given = 0;   ///< 1: `status` and `message` hold, whatever the child's report says
  uint32_t status = 0;  ///< a MeasureStatus
  char message[512] = {};
  double relative_l2 = 0, worst_factor = 0;
  double batch_ns = -1;  ///< of one warm call by the server's clock; -1: none was timed
};

/// `finished`: the server ended it once it had done what was wanted.
enum class ChildEnd : uint32_t { exited, signalled, watchdog, not_started, finished };

/// Child server to runner.
struct ServerReply {
  uint32_t magic = child_magic;
  ChildEnd end = ChildEnd::not_started;
  int32_t code = 0;           ///< exit code or signal
  uint32_t of_reference = 0;  ///< the reference's child failed, so the candidate's never ran
  double fork_ms = 0, reference_ms = 0, fill_ms = 0, check_ms = 0, batch_ms = 0, whole_ms = 0;
  Health health;  ///< what the server saw of the board while the child ran
  char message[256] = {};                                    ///< if not_started: why
  ServerVerdict verdict;
  ChildReport report;
};

/// Exit codes of a child: 0 is a report that is complete.
inline constexpr int child_exit_forbidden = 90;  ///< made a system call it may not make: forbidden_call

}  // namespace hone
