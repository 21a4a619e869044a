// Candidate or reference -> Kernel -> Artifact: lowered, then emitted and linked, with its signature.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/base/signature.h"
#include "codegen/formulation/formulation.h"
#include "codegen/llvm/emit.h"

namespace hone {

/// Task + Target + Formulation + Schedule, and the placement it is measured with.
struct Candidate {
  Task task;
  Target target;
  std::string formulation;
  Ports ports;
  Parameters parameters;
  Schedule schedule;
};
/// The candidate of these parameters: regenerates the schedule.
Result<Candidate> make_candidate(const Task& task, const Target& target, const Formulation& formulation,
                                 const Ports& ports, const Parameters& parameters);
/// Trial 0 with default formulation, ports and parameters.
Result<Candidate> default_candidate(const Task& task, const Target& target);

/// What every lowering ends in: the programs of a candidate or a reference, and what a runner must know of
/// them. Features, dumps and model builds begin here.
struct Kernel {
  Signature signature;
  loop::Program run;
  std::optional<loop::Program> prepare;  ///< none: there is nothing to pack
  /// What `prepare` is a function of: kernels of one process with equal texts share its code. Empty: it
  /// shares none.
  std::string packing;
  std::string name;  ///< of the folder for HONE_DUMP: of a candidate, a digest of all that decides its code
};
/// With HONE_DUMP set, writes what comes before the loops: ports, schedule, computations.
Result<Kernel> lower_candidate(const Candidate& candidate);
Result<Kernel> lower_reference(const Task& task, const Target& target);

struct Artifact {
  std::vector<std::byte> shared_object;
  Signature signature;
  Digest digest;  ///< of the shared object: its address
  int64_t code_bytes = 0;  ///< of hone_run and hone_prepare
  int spills = 0;          ///< in hone_run
};
/// `HONE_DUMP=dir` in the environment writes every stage below dir/<task key>/<the kernel's name>/.
Result<Artifact> compile(Kernel kernel);
Result<Artifact> compile(const Candidate& candidate);
Result<Artifact> compile_reference(const Task& task, const Target& target);

}  // namespace hone
