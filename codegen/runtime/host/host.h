// The runner's and the command line's side of the ABI: allocate, fill, load, run and check what was compiled.
// Links neither LLVM nor any framework.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/signature.h"
#include "codegen/runtime/model/abi.h"

namespace hone {

/// A 64-byte aligned buffer that ends just before an inaccessible page (and starts after one).
class GuardedBuffer {
 public:
  static Result<GuardedBuffer> allocate(int64_t bytes);
  GuardedBuffer(GuardedBuffer&&) noexcept;
  GuardedBuffer& operator=(GuardedBuffer&&) noexcept;
  ~GuardedBuffer();
  std::byte* data() const { return data_; }
  int64_t size() const { return bytes_; }

 private:
  GuardedBuffer() = default;
  std::byte* data_ = nullptr;
  int64_t bytes_ = 0;
  void* mapping_ = nullptr;
  size_t mapped_ = 0;
};

/// Writes a plain float32 array into a buffer of this layout and placement: halo = spec.halo_value, padding lanes and slack = `padding`.
void pack(const BufferSpec& spec, std::span<const float> plain, float padding, std::byte* buffer);
/// Reads it back out.
std::vector<float> unpack(const BufferSpec& spec, const std::byte* buffer);

/// Refuses what no artifact of ours has: needed libraries, constructors, undefined symbols, a foreign architecture, a torn file.
Status inspect_shared_object(std::span<const std::byte> shared_object);

/// A loaded artifact. Loads from a sealed memfd; the shared object stays mapped as long as this lives.
class LoadedArtifact {
 public:
  static Result<LoadedArtifact> load(std::span<const std::byte> shared_object);
  LoadedArtifact(LoadedArtifact&&) noexcept;
  LoadedArtifact& operator=(LoadedArtifact&&) noexcept;
  ~LoadedArtifact();
  const Signature& signature() const { return signature_; }
  /// One call of all phases on this thread.
  void run(void* const* buffers) const;
  void run_range(void* const* buffers, int32_t phase, int64_t begin, int64_t end) const;
  /// Logical constants, then packed ones.
  void prepare(void* const* buffers) const;

 private:
  LoadedArtifact() = default;
  Signature signature_;
  void* handle_ = nullptr;
  hone_run_function* run_ = nullptr;
  hone_prepare_function* prepare_ = nullptr;
};

/// Buffers of one artifact, filled for a check or a measurement with data of one seed; outputs poisoned.
struct ArtifactBuffers {
  std::vector<GuardedBuffer> owned;
  std::vector<void*> pointers;  ///< in the order of the signature
};
Result<ArtifactBuffers> make_buffers(const LoadedArtifact& artifact, const std::string& seed);

/// What the reference artifact gave for one (task, seed): plain, float64.
struct ReferenceOutput {
  std::vector<double> value, magnitude;
};
Result<ReferenceOutput> run_reference(const LoadedArtifact& reference, const std::string& seed);

/// What a check found. `ok` with the errors seen, or a reason that says which rule broke and where.
struct CheckReport {
  bool ok = false;
  double relative_l2 = 0;
  double worst_factor = 0;  ///< largest |y - r| / (epsilon m)
  std::string reason;       ///< "element [0,3,1,7] is 0.25, reference 0.31: 812 x epsilon x magnitude, bound 64"
};
/// After a run into poisoned outputs: values, padding lanes finite, halo and slack untouched.
CheckReport check(const Signature& signature, const ArtifactBuffers& buffers, const ReferenceOutput& reference);

/// A compiled model in this process.
class LoadedModel {
 public:
  static Result<LoadedModel> load(const std::string& file, int threads);
  LoadedModel(LoadedModel&&) noexcept;
  LoadedModel& operator=(LoadedModel&&) noexcept;
  ~LoadedModel();
  std::string description() const;
  std::vector<hone_model_tensor> inputs() const;
  std::vector<hone_model_tensor> outputs() const;
  int operator_count() const;
  Status run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs);
  Status run_timed(const std::vector<const void*>& inputs, const std::vector<void*>& outputs, std::vector<int64_t>& ns);

 private:
  struct State;
  explicit LoadedModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hone
