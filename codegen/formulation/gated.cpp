// x * gate, and a 1x1 convolution of that (squeeze-and-excite): the gate goes into the weights, which are
// fewer than the pixels, by a stage of its own before the direct convolution.
#include "codegen/formulation/blocks.h"
#include "codegen/formulation/conv.h"
#include "codegen/formulation/direct.h"
#include "codegen/formulation/direct_shape.h"
#include "codegen/formulation/families.h"
#include "codegen/formulation/plain_schedule.h"

namespace hone {
namespace {

bool gated_applies(const Task& task, const Target&) { return gate_of(task).has_value(); }

SearchSpace gated_space(const Task& task, const Target& target, const Ports& ports) {
  return direct_formulation().space(without_gate(task), target, without_gate(task, ports));
}

Parameters gated_default(const Task& task, const Target& target, const Ports& ports) {
  return direct_formulation().default_parameters(without_gate(task), target, without_gate(task, ports));
}

Result<Schedule> gated_schedule(const Task& task, const Target& target, const Ports& ports,
                                const Parameters& p) {
  const Task plain = without_gate(task);
  const Ports plain_ports = without_gate(task, ports);
  HONE_TRY(Schedule schedule, direct_formulation().schedule(plain, target, plain_ports, p));
  const DirectShape d = direct_shape(plain, plain_ports);
  StageSchedule scale{"scale", {}};
  std::vector<std::string> loops{"oc", "ic"}, lanes, copies;
  if (d.output_block > 1) {
    scale.steps.push_back(steps::split("oc", d.output_block, "oc.b", "oc.v"));
    loops[0] = "oc.b";
    lanes = {"oc.v"};
  }
  if (d.unit > 1) {
    scale.steps.push_back(steps::split("ic", d.unit, "ic.o", "ic.v"));
    loops[1] = "ic.o";
    copies = {"ic.v"};
  }
  const std::vector<std::string> divided{loops[0]};
  loops.insert(loops.end(), copies.begin(), copies.end());
  loops.insert(loops.end(), lanes.begin(), lanes.end());
  scale.steps.push_back(steps::reorder(loops));
  if (!copies.empty()) scale.steps.push_back(steps::tile(copies));
  if (!lanes.empty()) scale.steps.push_back(steps::vectorize(lanes[0]));
  scale.steps.push_back(steps::parallel(divided));
  schedule.stages.insert(schedule.stages.begin(), std::move(scale));
  return schedule;
}

}  // namespace

Formulation gated_formulation() {
  Formulation f = direct_base("gated");
  f.cycles = nullptr;  // alone where it applies
  f.applies = gated_applies;
  f.halo = no_halo;
  f.space = gated_space;
  f.default_parameters = gated_default;
  f.schedule = gated_schedule;
  return f;
}

}  // namespace hone
