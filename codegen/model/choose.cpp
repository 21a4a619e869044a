// Which formulation computes a task when tuning says nothing, and which are out of the question.
#include "codegen/model/model.h"

namespace hone {
namespace {

int64_t packed_bytes(const Tensor& tensor) {
  return geometry(tensor.type.shape, tensor.layout, tensor.placement).elements * size_of(tensor.type.dtype);
}

}  // namespace

double weight_growth(const Formulation& formulation, const Task& task, const Target& target) {
  const auto formulated = formulation.formulate(task, target, default_ports(formulation, task, target));
  if (!formulated) return 1;  // whoever wants to use it gets the error
  int64_t logical = 0, packed = 0;
  for (const Tensor& tensor : formulated->prepare.tensors) {
    if (tensor.role == Role::input) logical += packed_bytes(tensor);
    if (tensor.role == Role::output) packed += packed_bytes(tensor);
  }
  return logical == 0 ? 1 : static_cast<double>(packed) / static_cast<double>(logical);
}

bool may_use(const Formulation& formulation, const Task& task, const Target& target,
             const PlanOptions& options) {
  return formulation.applies(task, target) && !(options.strict && formulation.transforms) &&
         (options.max_weight_growth <= 0 ||
          weight_growth(formulation, task, target) <= options.max_weight_growth);
}

Result<const Formulation*> choose_formulation(const Task& task, const Target& target,
                                              const PlanOptions& options) {
  PlanOptions any_weights = options;
  any_weights.max_weight_growth = 0;
  const Formulation* least = nullptr;
  double least_growth = 0;
  for (const Formulation* formulation : formulations_for(task, target)) {
    if (!may_use(*formulation, task, target, any_weights)) continue;
    if (options.max_weight_growth <= 0) return formulation;
    const double growth = weight_growth(*formulation, task, target);
    if (growth <= options.max_weight_growth) return formulation;
    if (least != nullptr && growth >= least_growth) continue;
    least = formulation;
    least_growth = growth;
  }
  if (least != nullptr) return least;
  return default_formulation(task, target);  // for its message: a task is never covered by transforms alone
}

}  // namespace hone
