// Machine code for candidates and references: lower, emit, link, and the signature inside.
#include <map>

#include "codegen/artifact/lowered.h"

namespace hone {
namespace {

/// The code of `prepare`, which schedules do not change: it is emitted once for all candidates of a search
/// that pack alike.
Result<ObjectCode> prepare_code(const Kernel& kernel, const Dump& dump) {
  constexpr size_t kMostKept = 64;
  thread_local std::map<std::string, ObjectCode> kept;
  if (const auto found = kept.find(kernel.packing); found != kept.end() && !dump.on()) return found->second;
  EmitOptions options;
  options.dump_prefix = dump.prefix("prepare");
  HONE_TRY(ObjectCode code, emit({{"hone_prepare", &*kernel.prepare}}, kernel.signature.target, options));
  if (kernel.packing.empty()) return code;
  if (kept.size() >= kMostKept) kept.clear();
  return kept[kernel.packing] = std::move(code);
}

}  // namespace

Result<Artifact> compile(Kernel kernel) {
  const Dump dump(digest_of(std::string_view(kernel.signature.task)), kernel.name);
  if (dump.on()) {
    dump.write("task.txt", kernel.signature.task);
    dump.write("run.loops", loop::to_text(kernel.run));
    if (kernel.prepare) dump.write("prepare.loops", loop::to_text(*kernel.prepare));
  }
  const std::string json = to_json(kernel.signature);
  dump.write("signature.json", json);
  EmitOptions options;
  options.data = {{"hone_signature", json + '\0'}};
  options.dump_prefix = dump.prefix("code");
  HONE_TRY(ObjectCode run, emit({{"hone_run", &kernel.run}}, kernel.signature.target, options));
  Artifact artifact;
  artifact.code_bytes = run.code_bytes;
  artifact.spills = run.spills;
  std::vector<std::vector<std::byte>> objects{std::move(run.elf)};
  std::vector<std::string> exported{"hone_run", "hone_signature"};
  if (kernel.prepare) {
    HONE_TRY(ObjectCode prepare, prepare_code(kernel, dump));
    artifact.code_bytes += prepare.code_bytes;
    objects.push_back(std::move(prepare.elf));
    exported.push_back("hone_prepare");
  }
  HONE_TRY(artifact.shared_object, link_shared(objects, kernel.signature.target, exported));
  artifact.digest = digest_of(artifact.shared_object);
  artifact.signature = std::move(kernel.signature);
  return artifact;
}

Result<Artifact> compile(const Candidate& candidate) {
  HONE_TRY(Kernel kernel, lower_candidate(candidate));
  return compile(std::move(kernel));
}

Result<Artifact> compile_reference(const Task& task, const Target& target) {
  HONE_TRY(Kernel kernel, lower_reference(task, target));
  return compile(std::move(kernel));
}

}  // namespace hone
