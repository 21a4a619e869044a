// Private: what lowering and emitting candidates and references share.
#pragma once

#include "codegen/artifact/artifact.h"

namespace hone {

/// Lowers both computations and describes them. `halos`: values of the inputs' halos, in the order of the
/// task's inputs.
Result<Kernel> lower_both(const Task& task, const Target& target, const std::string& formulation,
                          const Computation& run, const Schedule& run_schedule, const Computation& prepare,
                          const ErrorBound& bound, const std::vector<HaloNeed>& halos);

/// Bytes of a buffer: the whole of it, one vector of slack, in multiples of 64.
int64_t buffer_bytes(const Tensor& tensor, const Target& target);

/// Writes a stage of a compilation below HONE_DUMP, if that is set.
class Dump {
 public:
  Dump(const Digest& task, const std::string& name);
  void write(const std::string& file, const std::string& text) const;
  std::string prefix(const std::string& file) const;  ///< empty if nothing is dumped
  bool on() const { return !directory_.empty(); }

 private:
  std::string directory_;
};

}  // namespace hone
