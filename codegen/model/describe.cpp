#include "codegen/model/describe.h"

#include <nlohmann/json.hpp>

namespace hone {
namespace {

using nlohmann::json;

json boundaries(const Graph& graph, const std::vector<ValueId>& values) {
  json list = json::array();
  for (const ValueId id : values)
    list.push_back({{"name", graph.value(id).name}, {"type", to_text(graph.value(id).type)}});
  return list;
}

}  // namespace

std::string describe(const Plan& plan, const Kernels& kernels, const BuildOptions& options) {
  json operators = json::array();
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const PlannedOp& op = plan.ops[i];
    const Signature& signature = kernels.kernels[kernels.of_op[i]].signature;
    double arithmetic = 0, constant_bytes = 0;
    json extents = json::array();
    for (const PhaseSpec& phase : signature.phases) {
      arithmetic += phase.flops;
      extents.push_back(phase.extent);
    }
    for (const BufferSpec& buffer : signature.buffers)
      if (buffer.role == Role::constant) constant_bytes += static_cast<double>(buffer.bytes);
    operators.push_back({{"name", op.op.name},
                         {"task", summary(op.op.task)},
                         {"key", op.op.task.key.hex()},
                         {"formulation", op.candidate.formulation},
                         {"ports", to_text(op.candidate.ports)},
                         {"parameters", to_text(op.candidate.parameters)},
                         {"schedule", to_text(op.candidate.schedule)},
                         {"tuned", op.tuned},
                         {"seconds", op.seconds},
                         {"flops", signature.flops},
                         {"arithmetic", arithmetic},
                         {"extents", extents},
                         {"constant_bytes", constant_bytes},
                         {"bytes", signature.min_bytes}});
  }
  json result{{"hone", 1},
              {"model", options.model_name},
              {"target", to_text(plan.target)},
              {"strict", plan.options.strict},
              {"max_weight_growth", plan.options.max_weight_growth},
              {"inputs", boundaries(plan.graph, plan.graph.inputs)},
              {"outputs", boundaries(plan.graph, plan.graph.outputs)},
              {"operators", operators}};
  if (options.preprocessing) {
    const Preprocessing& p = *options.preprocessing;
    result["preprocessing"] = {{"mean", p.mean},   {"deviation", p.deviation},
                               {"scale", p.scale}, {"resize", p.resize},
                               {"crop", p.crop},   {"channel_order", p.channel_order}};
  }
  return result.dump(1, ' ', false, json::error_handler_t::replace);
}

}  // namespace hone
