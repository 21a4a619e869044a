// The table of formulations, and the questions asked of it.
#include <utility>

#include "codegen/formulation/direct.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/winograd.h"

namespace hone {

const std::vector<Formulation>& formulations() {
  static const std::vector<Formulation> table{
      depthwise_formulation(),   first_layer_formulation(), winograd4_formulation(), winograd2_formulation(),
      direct_formulation(),      gated_formulation(),       grouped_formulation(),   pool_formulation(),
      global_pool_formulation(), dense_formulation(),       matmul_formulation(),    softmax_formulation(),
      transform_formulation(),   concat_formulation(),      pad_formulation(),       transpose_formulation(),
      slice_formulation(),       gather_formulation(),      reshape_formulation(),   lrn_formulation(),
      elementwise_formulation(),
  };
  return table;
}

const Formulation* find_formulation(std::string_view name) {
  for (const Formulation& formulation : formulations())
    if (formulation.name == name) return &formulation;
  return nullptr;
}

Result<const Formulation*> default_formulation(const Task& task, const Target& target) {
  for (const Formulation& formulation : formulations())
    if (formulation.applies(task, target)) return &formulation;
  return fail("no formulation covers this task", task.graph.nodes.empty() ? "empty task" : summary(task),
              "float32 with static shapes; an elementwise chain keeps its anchor's shape");
}

Ports default_ports(const Formulation& formulation, const Task& task, const Target& target) {
  Ports ports = formulation.layouts(task, target);
  const auto needs = formulation.halo(task, target);
  for (size_t i = 0; i < needs.size(); ++i) {
    ports.inputs.at(i).placement.halo_before = needs[i].before;
    ports.inputs.at(i).placement.halo_after = needs[i].after;
  }
  return ports;
}

Schedule packing_schedule(const Computation& prepare, const Target& target) {
  return plain_schedule(prepare, target);
}

}  // namespace hone
