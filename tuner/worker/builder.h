// A builder process: proposes and compiles what its tuner sends down a pipe, one request at a time. Whatever
// crashes or never ends in lowering, LLVM or lld ends one builder and costs one candidate, never the round.
#pragma once

namespace hone {

/// Name of the reference in CandidateText::formulation.
inline constexpr const char* reference_formulation = "reference";

/// Serves `fd` until it is closed; gives the process's exit code. Requests and answers:
/// - wire::Want with one round that asks to propose, blob: the cost model -> one wire::Built per proposal
/// (point, features, prediction; no
///   artifact), then wire::RoundDone;
/// - wire::Want with one round that asks to featurise -> one wire::Featurised per row that lowers, then
///   wire::RoundDone;
/// - wire::Built with a candidate's task, target, ports, formulation and parameters -> the same with status,
/// message,
///   schedule, artifact and signature, blob: the shared object. Formulation "reference": the task's
///   reference.
int run_builder(int fd);

}  // namespace hone
