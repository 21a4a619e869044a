// Candidates: a task with everything that decides its code, regenerated from the parameters that a record
// keeps.
#include "codegen/artifact/artifact.h"

namespace hone {

Result<Candidate> make_candidate(const Task& task, const Target& target, const Formulation& formulation,
                                 const Ports& ports, const Parameters& parameters) {
  if (!formulation.applies(task, target))
    return fail("formulation " + std::string(formulation.name) + " does not cover this task", summary(task));
  if (ports.inputs.size() != task.graph.inputs.size())
    return fail("ports for " + std::to_string(ports.inputs.size()) + " inputs, but the task has " +
                    std::to_string(task.graph.inputs.size()),
                summary(task));
  HONE_TRY(Schedule schedule, formulation.schedule(task, target, ports, parameters));
  return Candidate{task, target, std::string(formulation.name), ports, parameters, std::move(schedule)};
}

Result<Candidate> default_candidate(const Task& task, const Target& target) {
  HONE_TRY(const Formulation* formulation, default_formulation(task, target));
  const Ports ports = default_ports(*formulation, task, target);
  return make_candidate(task, target, *formulation, ports,
                        formulation->default_parameters(task, target, ports));
}

}  // namespace hone
