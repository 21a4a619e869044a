// One function per formulation, and the bases that several of them start from. The table of all is
// formulations.cpp.
#pragma once

#include <string_view>

#include "codegen/formulation/formulation.h"

namespace hone {

Formulation depthwise_formulation();
Formulation pool_formulation();
Formulation global_pool_formulation();
Formulation dense_formulation();
Formulation matmul_formulation();
Formulation elementwise_formulation();
Formulation softmax_formulation();
Formulation transform_formulation();
Formulation concat_formulation();
Formulation pad_formulation();
Formulation transpose_formulation();
Formulation slice_formulation();
Formulation gather_formulation();
Formulation reshape_formulation();
Formulation lrn_formulation();
Formulation channel_shuffle_formulation();

/// A formulation of one stage n, c, oh, ow over kh, kw in NCHW[V]c: space and schedule of windows (depthwise,
/// pooling).
Formulation window_formulation(std::string_view name);
/// A formulation whose every stage is scheduled by `plain_schedule`: nothing to search but the tile under
/// reductions.
Formulation plain_base(std::string_view name);
Result<Schedule> schedule_plainly(const Computation& computation, const Target& target,
                                  const Parameters& parameters);
template <Result<Formulated> (*formulate)(const Task&, const Target&, const Ports&)>
Formulation plain_formulation(std::string_view name) {
  Formulation f = plain_base(name);
  f.formulate = formulate;
  f.schedule = [](const Task& task, const Target& target, const Ports& ports,
                  const Parameters& p) -> Result<Schedule> {
    HONE_TRY(const Formulated formulated, formulate(task, target, ports));
    return schedule_plainly(formulated.run, target, p);
  };
  return f;
}

std::vector<HaloNeed> no_halo(const Task& task, const Target& target);

}  // namespace hone
