// From a candidate to loop programs and a signature: everything about an artifact but its machine code.
#include <algorithm>

#include "codegen/artifact/lowered.h"

namespace hone {
namespace {

/// Rows or pixels: their axes, and what splitting and fusing made of these.
bool is_spatial(const std::string& variable) {
  for (const char* axis : {"oh", "ow", "hw", "h", "w", "f2", "d2", "d3"}) {
    const std::string name = axis;
    if (variable == name || variable.starts_with(name + ".")) return true;
  }
  return false;
}

int64_t inner_of(const loop::Phase& phase) {
  return phase.parallel.size() > 1 && is_spatial(phase.parallel.back().variable)
             ? phase.parallel.back().extent
             : 0;
}

std::vector<PhaseSpec> phases_of(const loop::Program& program) {
  std::vector<PhaseSpec> phases;
  for (const loop::Phase& phase : program.phases)
    phases.push_back({phase.extent, phase.flops, inner_of(phase)});
  return phases;
}

Digest identity(const Candidate& candidate) {
  return digest_of(candidate.task.text + to_text(candidate.target) + candidate.formulation +
                   to_text(candidate.ports) + to_text(candidate.schedule));
}

}  // namespace

int64_t buffer_bytes(const Tensor& tensor, const Target& target) {
  const int64_t bytes = saturating_product(
      geometry(tensor.type.shape, tensor.layout, tensor.placement).elements, size_of(tensor.type.dtype));
  return saturating_sum(bytes, target.vector_bits / 8 + 63) / 64 * 64;
}

Result<Kernel> lower_both(const Task& task, const Target& target, const std::string& formulation,
                          const Computation& run, const Schedule& run_schedule, const Computation& prepare,
                          const ErrorBound& bound, const std::vector<HaloNeed>& halos) {
  Kernel lowered;
  HONE_TRY(lowered.run, loop::lower(run, run_schedule));
  Signature& signature = lowered.signature;
  signature.task = task.text;
  signature.formulation = formulation;
  signature.target = target;
  signature.bound = bound;
  signature.flops = task.flops();
  signature.phases = phases_of(lowered.run);
  if (!prepare.stages.empty()) {
    HONE_TRY(lowered.prepare, loop::lower(prepare, packing_schedule(prepare, target)));
    signature.prepare_phases = phases_of(*lowered.prepare);
    for (const Tensor& tensor : prepare.tensors)
      if (tensor.role == Role::input) signature.constants.push_back({tensor.name, tensor.type, tensor.range});
  }
  size_t inputs = 0;
  for (const Tensor& tensor : run.tensors) {
    BufferSpec spec{tensor.name,   tensor.role,      tensor.type,
                    tensor.layout, tensor.placement, buffer_bytes(tensor, target),
                    tensor.range,  tensor.halo_value};
    if (tensor.role == Role::input) {
      if (inputs < halos.size()) spec.halo_value = halos[inputs].value;
      ++inputs;
    }
    if (tensor.role != Role::scratch) {
      const bool constant = tensor.role == Role::constant;
      const int64_t elements = constant ? geometry(tensor.type.shape, tensor.layout, {}).elements
                                        : element_count(tensor.type.shape);
      signature.min_bytes += static_cast<double>(elements * size_of(tensor.type.dtype));
    }
    signature.buffers.push_back(std::move(spec));
  }
  return lowered;
}

Result<Kernel> lower_candidate(const Candidate& candidate) {
  const Formulation* formulation = find_formulation(candidate.formulation);
  if (formulation == nullptr) return fail("unknown formulation '" + candidate.formulation + "'");
  if (!formulation->applies(candidate.task, candidate.target) ||
      candidate.ports.inputs.size() != candidate.task.graph.inputs.size())
    return fail("formulation " + candidate.formulation + " does not cover this task",
                summary(candidate.task));
  HONE_TRY(const Formulated formulated,
           formulation->formulate(candidate.task, candidate.target, candidate.ports));
  HONE_TRY(Kernel kernel, lower_both(candidate.task, candidate.target, candidate.formulation, formulated.run,
                                     candidate.schedule, formulated.prepare, formulated.bound,
                                     formulation->halo(candidate.task, candidate.target)));
  kernel.packing = to_text(candidate.target) + '\n' + candidate.formulation + '\n' +
                   to_text(candidate.ports) + '\n' + candidate.task.text;
  kernel.name = identity(candidate).hex(16);
  if (const Dump dump(candidate.task.key, kernel.name); dump.on()) {
    dump.write("ports.txt", to_text(candidate.ports));
    dump.write("schedule.txt", to_text(candidate.parameters) + '\n' + to_text(candidate.schedule));
    dump.write("run.computation", to_text(formulated.run));
    dump.write("prepare.computation", to_text(formulated.prepare));
  }
  return kernel;
}

Result<Kernel> lower_reference(const Task& task, const Target& target) {
  HONE_TRY(const Reference made, reference(task, target));
  HONE_TRY(Kernel kernel,
           lower_both(task, target, "reference", made.run, made.run_schedule, made.prepare, {}, {}));
  kernel.signature.reference = true;
  kernel.packing = to_text(target) + "\nreference\n" + task.text;
  kernel.name = "reference";
  if (const Dump dump(task.key, kernel.name); dump.on()) {
    dump.write("run.computation", to_text(made.run));
    dump.write("schedule.txt", to_text(made.run_schedule));
  }
  return kernel;
}

}  // namespace hone
