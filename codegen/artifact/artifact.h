// Candidate or reference -> Artifact: lowered, emitted, linked, with its signature.
#pragma once

#include <cstddef>
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

struct Artifact {
  std::vector<std::byte> shared_object;
  Signature signature;
  Digest digest;  ///< of the shared object: its address
  int64_t code_bytes = 0;  ///< of hone_run and hone_prepare
  int spills = 0;          ///< in hone_run
};
/// `HONE_DUMP=dir` in the environment writes every stage below dir/<task key>/<candidate digest>/.
Result<Artifact> compile(const Candidate& candidate);
Result<Artifact> compile_reference(const Task& task, const Target& target);

/// Lowered programs of a candidate (run, and prepare if it has constants), for features, dumps and model
/// builds.
struct LoweredCandidate {
  loop::Program run, prepare;
  bool has_prepare = false;
  Signature signature;
};
Result<LoweredCandidate> lower_candidate(const Candidate& candidate);

}  // namespace hone
