// Machine code for candidates and references: lower, emit, link, and the signature inside.
#include <map>

#include "codegen/artifact/lowered.h"

namespace hone {
namespace {

/// The code of `prepare`, which schedules do not change: it is emitted once for all candidates of a search
/// that pack alike. `key` says all that it depends on.
Result<ObjectCode> prepare_code(const LoweredCandidate& lowered, const std::string& key, const Dump& dump) {
  constexpr size_t kMostKept = 64;
  thread_local std::map<std::string, ObjectCode> kept;
  if (const auto found = kept.find(key); found != kept.end() && !dump.on()) return found->second;
  EmitOptions options;
  options.dump_prefix = dump.prefix("prepare");
  HONE_TRY(ObjectCode code, emit({{"hone_prepare", &lowered.prepare}}, lowered.signature.target, options));
  if (kept.size() >= kMostKept) kept.clear();
  return kept[key] = std::move(code);
}

/// `prepare_key`: what `prepare` is a function of.
Result<Artifact> assemble(LoweredCandidate lowered, const std::string& prepare_key, const Dump& dump) {
  dump.write("run.loops", loop::to_text(lowered.run));
  if (lowered.has_prepare) dump.write("prepare.loops", loop::to_text(lowered.prepare));
  const std::string json = to_json(lowered.signature);
  dump.write("signature.json", json);
  EmitOptions options;
  options.data = {{"hone_signature", json + '\0'}};
  options.dump_prefix = dump.prefix("code");
  HONE_TRY(ObjectCode run, emit({{"hone_run", &lowered.run}}, lowered.signature.target, options));
  Artifact artifact;
  artifact.code_bytes = run.code_bytes;
  artifact.spills = run.spills;
  std::vector<std::vector<std::byte>> objects{std::move(run.elf)};
  std::vector<std::string> exported{"hone_run", "hone_signature"};
  if (lowered.has_prepare) {
    HONE_TRY(ObjectCode prepare, prepare_code(lowered, prepare_key, dump));
    artifact.code_bytes += prepare.code_bytes;
    objects.push_back(std::move(prepare.elf));
    exported.push_back("hone_prepare");
  }
  HONE_TRY(artifact.shared_object, link_shared(objects, lowered.signature.target, exported));
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
  const std::string packing = to_text(candidate.target) + '\n' + candidate.formulation + '\n' +
                              to_text(candidate.ports) + '\n' + candidate.task.text;
  return assemble(std::move(lowered), packing, dump);
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
  return assemble(std::move(lowered), to_text(target) + "\nreference\n" + task.text, dump);
}

}  // namespace hone
