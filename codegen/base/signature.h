// The artifact signature: everything a runner must know to allocate, fill, run and check an artifact it never
// saw. It travels as JSON text beside the shared object, and inside it as the symbol `hone_signature`.
//
// Symbols of an artifact (C ABI, see codegen/runtime/model/abi.h):
//   hone_run(buffers, phase, begin, end)      one pointer per entry of `buffers`, in that order
//   hone_prepare(buffers, phase, begin, end)  logical constants (plain float32, order of `constants`), then
//   the packed ones
//                                             (those entries of `buffers` whose role is constant, in order);
//                                             once, untimed
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/base/result.h"
#include "codegen/base/target.h"
#include "codegen/base/tensor.h"

namespace hone {

/// What a buffer of `hone_run` is for. `constant` buffers hold what `hone_prepare` wrote.
enum class Role : uint8_t { input, constant, output, scratch };
std::string_view to_text(Role role);

/// Range of values that test data for a tensor are drawn from (a variance is positive).
struct ValueRange {
  float lo = -1, hi = 1;
  bool operator==(const ValueRange&) const = default;
};

struct BufferSpec {
  std::string name;  ///< the task's name for it: "x", "w", "y"
  Role role = Role::input;
  TensorType type;
  Layout layout;
  Placement placement;
  int64_t bytes = 0;  ///< whole buffer with halo, padding lanes and one vector of slack; 64-byte aligned
  ValueRange range;
  /// What the halo must hold when the artifact runs (inputs): 0 for convolutions.
  float halo_value = 0;
};

/// A constant of the task as the model has it: plain layout, float32.
struct LogicalConstant {
  std::string name;
  TensorType type;
  ValueRange range;
};

/// A phase is run over [0, extent) in any split over threads; phases run one after the other.
struct PhaseSpec {
  int64_t extent = 1;
  double flops = 0;  ///< of the whole phase: for the threshold below which it stays on one thread
  /// So many indices after each other are rows (or pixels) of the same channels, and `extent` is a multiple
  /// of it: threads may take the same share of every such run. 0: nothing known.
  int64_t inner = 0;
};

/// How far a right answer may lie from the reference: relative L2 of the whole output, and per element
/// |y - r| <= element_factor * epsilon(float32) * m + tiny, with m the reference's magnitude output (see
/// codegen/CONTRACTS.md, checks).
struct ErrorBound {
  double relative_l2 = 1e-5;
  double element_factor = 64;
  /// Every element equal to the reference's.
  static constexpr ErrorBound exact() { return {0, 0}; }
  bool is_exact() const { return relative_l2 == 0 && element_factor == 0; }
};

/// Bound for results that sum `terms` products one after the other. The relative error of the whole grows
/// with the root of their number (measured: 1.6e-8 times it at worst; four times that is allowed), that of an
/// element against its magnitude does not (measured over tests/numeric: 1.2 at worst).
ErrorBound sum_bound(int64_t terms);

struct Signature {
  std::string task;         ///< canonical text
  std::string formulation;  ///< name
  Target target;
  std::vector<BufferSpec> buffers;  ///< order of the pointer array
  std::vector<LogicalConstant> constants;
  std::vector<PhaseSpec> phases;          ///< of hone_run
  std::vector<PhaseSpec> prepare_phases;  ///< of hone_prepare; empty: the artifact has no such symbol
  double flops = 0;
  double min_bytes = 0;  ///< compulsory traffic: inputs, outputs and packed constants once
  ErrorBound bound;
  /// A reference artifact computes in float64; its outputs come in pairs: y and "y.magnitude".
  bool reference = false;
};
std::string to_json(const Signature& signature);

inline constexpr size_t kMostSignatureBytes = 1u << 20;         ///< of its text
inline constexpr int64_t kMostBufferBytes = int64_t{64} << 30;  ///< of all buffers and constants together
/// Of any text. Error: no signature, or one of more than kMostSignatureBytes.
Result<Signature> parse_signature(std::string_view json);
/// Whether a signature that somebody else wrote may be allocated, filled, run and checked: counts, names,
/// extents, geometries and bytes are within bounds and agree with each other. Error: what does not.
Status check_signature(const Signature& signature);

}  // namespace hone
