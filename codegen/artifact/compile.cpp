// Machine code for candidates and references: lower, emit, link, and the signature inside.
#include "codegen/artifact/lowered.h"

namespace hone {
namespace {

Result<Artifact> assemble(LoweredCandidate lowered, const Dump& dump) {
  dump.write("run.loops", loop::to_text(lowered.run));
  if (lowered.has_prepare) dump.write("prepare.loops", loop::to_text(lowered.prepare));
  const std::string json = to_json(lowered.signature);
  dump.write("signature.json", json);
  std::vector<EmitFunction> functions{{"hone_run", &lowered.run}};
  std::vector<std::string> exported{"hone_run", "hone_signature"};
  if (lowered.has_prepare) {
    functions.push_back({"hone_prepare", &lowered.prepare});
    exported.push_back("hone_prepare");
  }
  EmitOptions options;
  options.data = {{"hone_signature", json + '\0'}};
  options.dump_prefix = dump.prefix("code");
  HONE_TRY(ObjectCode object, emit(functions, lowered.signature.target, options));
  Artifact artifact;
  artifact.code_bytes = object.code_bytes;
  artifact.spills = object.spills;
  HONE_TRY(artifact.shared_object, link_shared({object.elf}, lowered.signature.target, exported));
  artifact.digest = digest_of(artifact.shared_object);
  artifact.signature = std::move(lowered.signature);
  return artifact;
}

std::string identity(const Candidate& candidate) {
  return digest_of(candidate.task.text + to_text(candidate.target) + candidate.formulation +
                   to_text(candidate.ports) + to_text(candidate.schedule));
}

}  // namespace

Result<Artifact> compile(const Candidate& candidate) {
  HONE_TRY(LoweredCandidate lowered, lower_candidate(candidate));
  const Dump dump(candidate.task, identity(candidate).substr(0, 16));
  if (dump.on()) {
    dump.write("task.txt", candidate.task.text);
    dump.write("ports.txt", to_text(candidate.ports));
    dump.write("schedule.txt", to_text(candidate.parameters) + '\n' + to_text(candidate.schedule));
    const Formulation* formulation = find_formulation(candidate.formulation);
    HONE_TRY(const Formulated formulated,
             formulation->formulate(candidate.task, candidate.target, candidate.ports));
    dump.write("run.computation", to_text(formulated.run));
    dump.write("prepare.computation", to_text(formulated.prepare));
  }
  return assemble(std::move(lowered), dump);
}

Result<Artifact> compile_reference(const Task& task, const Target& target) {
  HONE_TRY(const Reference made, reference(task, target));
  const Dump dump(task, "reference");
  if (dump.on()) {
    dump.write("run.computation", to_text(made.run));
    dump.write("schedule.txt", to_text(made.run_schedule));
  }
  HONE_TRY(LoweredCandidate lowered,
           lower_both(task, target, "reference", made.run, made.run_schedule, made.prepare, {}, {}));
  lowered.signature.reference = true;
  return assemble(std::move(lowered), dump);
}

}  // namespace hone
