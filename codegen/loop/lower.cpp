// Computation + Schedule -> Program: the list of passes.
#include <fmt/format.h>

#include "codegen/loop/nest.h"
#include "codegen/loop/passes.h"

namespace hone::loop {
namespace {

constexpr int64_t kMaxLocalBytes = 1 << 20;  // of one phase, on the stack

/// Stages computed inside `root`, in order.
std::vector<const ScheduledStage*> attached_to(const Computation& computation,
                                               const std::vector<ScheduledStage>& stages,
                                               const ScheduledStage& root) {
  std::vector<const ScheduledStage*> attached;
  for (const ScheduledStage& one : stages)
    if (one.compute_at_stage == computation.stages[root.stage].name) attached.push_back(&one);
  return attached;
}

std::vector<Geometry> whole_geometries(const Computation& computation) {
  std::vector<Geometry> geometries;
  for (const Tensor& t : computation.tensors)
    geometries.push_back(geometry(t.type.shape, t.layout, t.placement));
  return geometries;
}

/// Local tensors get memory for their region only.
Status shrink_locals(const Computation& computation, const RegionExtents& regions,
                     std::vector<Geometry>& geometries) {
  int64_t bytes = 0;
  for (const auto& [tensor, extent] : regions) {
    const Tensor& t = computation.tensors[tensor];
    geometries[tensor] = geometry(extent, t.layout, {});
    bytes += geometries[tensor].elements * size_of(t.type.dtype);
    if (bytes > kMaxLocalBytes)
      return fail(fmt::format("'{}' needs {} with the other local tensors {} bytes on the stack; at most {}",
                              t.name, hone::to_text(extent), bytes, kMaxLocalBytes),
                  "compute_at", "compute it further inside, or at the root");
  }
  return {};
}

}  // namespace

Result<Program> lower(const Computation& computation, const Schedule& schedule) {
  HONE_RETURN_IF_ERROR(hone::verify(computation));
  HONE_TRY(std::vector<ScheduledStage> stages, apply(computation, schedule));
  Program program{computation.tensors, whole_geometries(computation), {}, computation.arithmetic};
  for (const ScheduledStage& root : stages) {
    if (!root.compute_at_stage.empty()) continue;
    RegionExtents regions;
    NestInput input{computation,        root,    attached_to(computation, stages, root),
                    program.geometries, regions, true};
    if (!input.attached.empty()) {
      HONE_RETURN_IF_ERROR(make_phases(input));
      HONE_RETURN_IF_ERROR(shrink_locals(computation, regions, program.geometries));
    }
    input.measure_only = false;
    HONE_TRY(std::vector<Phase> phases, make_phases(input));
    for (Phase& phase : phases) {
      phase.flops = count_flops(phase);
      program.phases.push_back(std::move(phase));
    }
  }
  HONE_RETURN_IF_ERROR(verify(program));
  return program;
}

}  // namespace hone::loop
