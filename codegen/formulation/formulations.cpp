// The table of formulations, and the questions asked of it.
#include <algorithm>
#include <utility>

#include "codegen/formulation/direct.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"
#include "codegen/formulation/winograd.h"

namespace hone {

const std::vector<Formulation>& formulations() {
  static const std::vector<Formulation> table{
      depthwise_formulation(),
      first_layer_formulation(),
      winograd4_formulation(),
      winograd2_formulation(),
      winograd6_formulation(),
      direct_formulation(),
      gated_formulation(),
      preactivated_formulation(),
      grouped_formulation(),
      pool_formulation(),
      global_pool_formulation(),
      dense_formulation(),
      matmul_formulation(),
      softmax_formulation(),
      transform_formulation(),
      concat_formulation(),
      pad_formulation(),
      transpose_formulation(),
      slice_formulation(),
      gather_formulation(),
      reshape_formulation(),
      lrn_formulation(),
      channel_shuffle_formulation(),
      elementwise_formulation(),
  };
  return table;
}

const Formulation* find_formulation(std::string_view name) {
  for (const Formulation& formulation : formulations())
    if (formulation.name == name) return &formulation;
  return nullptr;
}

std::vector<const Formulation*> formulations_for(const Task& task, const Target& target) {
  std::vector<const Formulation*> all;
  std::vector<std::pair<double, size_t>> estimated;
  for (const Formulation& formulation : formulations()) {
    if (!formulation.applies(task, target)) continue;
    if (formulation.cycles != nullptr) estimated.emplace_back(formulation.cycles(task, target), all.size());
    all.push_back(&formulation);
  }
  std::vector<const Formulation*> sorted = all;
  std::vector<size_t> places;
  for (const auto& one : estimated) places.push_back(one.second);
  std::stable_sort(estimated.begin(), estimated.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t k = 0; k < places.size(); ++k) sorted[places[k]] = all[estimated[k].second];
  return sorted;
}

Result<const Formulation*> default_formulation(const Task& task, const Target& target) {
  const auto all = formulations_for(task, target);
  if (!all.empty()) return all.front();
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
  // Winograd's transform of a window for all its points at once: they read the same elements.
  return plain_schedule(prepare, target, {.most_copies = 64});
}

}  // namespace hone
