// Target (what code is generated for) and Board (where it runs).
// A Target is explicit: never the CPU's name alone, since hypervisors mask features.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/result.h"

namespace hone {

struct Target {
  std::string triple;         ///< "x86_64-linux-gnu", "aarch64-linux-gnu"
  std::string cpu;            ///< LLVM's name, for its scheduling model only: "znver5", "generic"
  std::string features;       ///< "+avx512f,+fma,...": sorted; complete for what code generation uses
  int vector_bits = 128;      ///< 128, 256 or 512
  int vector_registers = 16;  ///< architectural vector registers of that width
  bool operator==(const Target&) const = default;

  /// Lanes of one vector of elements of `element_bytes`.
  int lanes(int64_t element_bytes = 4) const { return vector_bits / 8 / static_cast<int>(element_bytes); }
};
/// How often a vector of `bits` goes through a unit: 2 where the units are half as wide, as on Zen 4 with 512
/// bits and Zen 1 with 256; where the width of units is not known they are as wide as the vectors.
int vector_passes(const Target& target, int64_t bits);
/// Canonical one-line text: "triple=... cpu=... vector=512x32 features=..."; parses back.
std::string to_text(const Target& target);
Result<Target> parse_target(std::string_view text);
/// "host", a short name ("x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64-neon"), or a Target's full text.
Result<Target> resolve_target(std::string_view name);

/// What code for a target needs and a machine lacks.
struct Lacking {
  bool architecture = false;          ///< the triple is another one; then nothing else is compared
  bool vector_width = false;          ///< its vectors are narrower
  std::vector<std::string> features;  ///< each as the target writes it, "+avx512f"
  bool nothing() const { return !architecture && !vector_width && features.empty(); }
};
/// `has`: the best target of a machine. What a target switches off ("-avx512vl") needs nothing; the CPU's
/// name is a scheduling model only, and the number of registers follows from the features.
Lacking lacking(const Target& has, const Target& wanted);
/// Whether code for `wanted` runs where `has` is the best target: the one rule, for whoever builds, loads,
/// measures or hands out work.
bool runs_on(const Target& has, const Target& wanted);

/// Facts read from the machine (cpuid, HWCAP, /sys, /proc); what cannot be read is 0 or "unknown".
struct Board {
  std::string model;  ///< e.g. "AMD EPYC family 26 model 2": identifies like boards in look-ups
  std::string id;     ///< this very machine (machine-id digest)
  std::string boot_id;
  std::string kernel;
  int cores = 0;  ///< usable by this process: affinity and cgroup quota respected
  int64_t memory_bytes = 0;
  int64_t l1d_bytes = 0, l2_bytes = 0,
          llc_bytes = 0;  ///< per core for L1d and L2; the whole last-level cache
  Target target;          ///< the best Target for these facts
};
Board probe_board();
/// Bytes of memory that processes here may use: the machine's, or what its control group allows.
int64_t usable_memory_bytes();
std::string to_text(const Board& board);
Result<Board> parse_board(std::string_view text);

}  // namespace hone
