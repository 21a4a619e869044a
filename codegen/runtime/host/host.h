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
#include "codegen/runtime/host/loaded_image.h"
#include "codegen/runtime/model/abi.h"

namespace hone {

/// A 64-byte aligned buffer that ends just before an inaccessible page (and starts after one).
class GuardedBuffer {
 public:
  /// Zeros.
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

/// Writes a plain array (row-major) into a buffer of this dtype, layout and placement: halo =
/// spec.halo_value; padding lanes, other tensors' channels and slack = `padding`. dtypes: f32, f64, i32, i64.
void pack(const BufferSpec& spec, std::span<const float> plain, double padding, std::byte* buffer);
void pack(const BufferSpec& spec, std::span<const double> plain, double padding, std::byte* buffer);
/// Reads it back out. Into `plain`: one element for each of the tensor's.
void unpack(const BufferSpec& spec, const std::byte* buffer, std::span<float> plain);
void unpack(const BufferSpec& spec, const std::byte* buffer, std::span<double> plain);
std::vector<float> unpack(const BufferSpec& spec, const std::byte* buffer);
std::vector<double> unpack_double(const BufferSpec& spec, const std::byte* buffer);

/// What padding lanes of inputs hold in tests: finite, and far from every right value.
inline constexpr double kTestPadding = 1e6;
/// Fills with a pattern that is NaN both as float32 and as float64; it must survive outside what is written.
void poison(std::byte* buffer, int64_t bytes);

/// Refuses what no shared object of ours has (see elf_image.h), whether artifact or compiled model.
Status inspect_shared_object(std::span<const std::byte> shared_object);

/// The signature of an artifact, checked to be fit to be run; maps nothing and runs nothing. Error: a refused
/// shared object, one without hone_signature, hone_run or what its signature promises, a signature that is
/// not fit.
Result<Signature> read_signature(std::span<const std::byte> shared_object);

/// A loaded artifact: mapped by our own loader as long as this lives. No dynamic linker is asked, no file
/// opened.
class LoadedArtifact {
 public:
  /// Errors: those of read_signature; no memory.
  static Result<LoadedArtifact> load(std::span<const std::byte> shared_object);
  const Signature& signature() const { return signature_; }
  /// One call of all phases on this thread.
  void run(void* const* buffers) const;
  void run_range(void* const* buffers, int32_t phase, int64_t begin, int64_t end) const;
  hone_run_function* run_function() const { return run_; }
  /// Logical constants, then packed ones.
  void prepare(void* const* buffers) const;
  /// Where its code and constants lie.
  const std::vector<std::span<const std::byte>>& ranges() const { return image_.ranges(); }

 private:
  LoadedArtifact(Signature signature, LoadedImage image);
  Signature signature_;
  LoadedImage image_;
  hone_run_function* run_ = nullptr;
  hone_prepare_function* prepare_ = nullptr;
};

/// Packs constants: `logical` has one plain float32 array per entry of signature().constants; gives one
/// buffer per entry of signature().buffers whose role is constant, in order.
Result<std::vector<GuardedBuffer>> prepare_constants(const LoadedArtifact& artifact,
                                                     const std::vector<const void*>& logical);

/// Buffers of one artifact, filled for a check or a measurement with data of one seed (generator name
/// "seed/buffer"); constants generated and prepared, outputs and scratch poisoned.
struct ArtifactBuffers {
  std::vector<GuardedBuffer> owned;
  std::vector<void*> pointers;  ///< in the order of the signature
};
Result<ArtifactBuffers> make_buffers(const LoadedArtifact& artifact, const std::string& seed);

/// Poisons outputs and scratch again, for another checked run.
void poison_outputs(const Signature& signature, const ArtifactBuffers& buffers);

/// What the reference artifact gave for one (task, seed): plain, float64.
struct ReferenceOutput {
  std::vector<double> value, magnitude;
};
/// The same, owned by somebody else: a runner keeps references in memory that its children share.
struct ReferenceView {
  std::span<const double> value, magnitude;
  ReferenceView(std::span<const double> v, std::span<const double> m) : value(v), magnitude(m) {}
  ReferenceView(const ReferenceOutput& output) : value(output.value), magnitude(output.magnitude) {}
};
Result<ReferenceOutput> run_reference(const LoadedArtifact& reference, const std::string& seed);

/// What a check found. `ok` with the errors seen, or a reason that says which rule broke and where.
struct CheckReport {
  bool ok = false;
  double relative_l2 = 0;
  double worst_factor = 0;  ///< largest |y - r| / (epsilon m)
  std::string reason;  ///< "element [0,3,1,7] is 0.25, reference 0.31: 812 x epsilon x magnitude, bound 64"
};
/// After a run into poisoned outputs: values, padding lanes finite, halo and slack untouched.
CheckReport check(const Signature& signature, const ArtifactBuffers& buffers, ReferenceView reference);
/// The same for buffers that somebody else owns, in the order of the signature. `work`: memory to work in, as many
/// elements as the largest output has; fresh memory is taken where it is smaller.
CheckReport check(const Signature& signature, std::span<void* const> buffers, ReferenceView reference,
                  std::span<float> work = {});

/// A compiled model in this process, loaded by our own loader from memory that was verified.
class LoadedModel {
 public:
  /// Errors: unreadable, refused or damaged file (says which part); one without digests if they are required;
  /// this processor lacks what the model was built for; no memory or threads.
  static Result<LoadedModel> load(const std::string& file, int threads, bool digests_required = false);
  /// False: an older version built it, so nothing of it was verified.
  bool has_digests() const;
  LoadedModel(LoadedModel&&) noexcept;
  LoadedModel& operator=(LoadedModel&&) noexcept;
  ~LoadedModel();
  std::string description() const;
  std::vector<hone_model_tensor> inputs() const;
  std::vector<hone_model_tensor> outputs() const;
  int operator_count() const;
  Status run(const std::vector<const void*>& inputs, const std::vector<void*>& outputs);
  Status run_timed(const std::vector<const void*>& inputs, const std::vector<void*>& outputs,
                   std::vector<int64_t>& ns);

 private:
  struct State;
  explicit LoadedModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hone
