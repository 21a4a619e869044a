// How much memory a model takes, before any of it is taken.
#include <algorithm>
#include <cstdio>
#include <map>

#include "codegen/model/model.h"

namespace hone {
namespace {

void add(MemoryNeed& need, int64_t bytes) { need.bytes = saturating_sum(need.bytes, bytes); }

void name_largest(MemoryNeed& need, const std::string& name, const TensorType& type, int64_t bytes) {
  if (bytes <= need.largest_bytes) return;
  need.largest = "tensor '" + name + "' " + to_text(type);
  need.largest_bytes = bytes;
}

std::string amount(int64_t bytes) {
  char text[32];
  const auto exact = static_cast<double>(bytes);
  if (bytes >= int64_t{1} << 30)
    std::snprintf(text, sizeof text, "%.1f GiB", exact / (1 << 30));
  else
    std::snprintf(text, sizeof text, "%.1f MiB", exact / (1 << 20));
  return text;
}

/// The float64 values of the reference while they are read, and what its dearest operator works with: inputs
/// in float32, result and magnitude in float64.
int64_t reference_bytes(const Graph& graph) {
  const auto doubles = [&](ValueId id) {
    return saturating_product(element_count(graph.value(id).type.shape), 8);
  };
  std::vector<NodeId> last(graph.values.size(), -1);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    for (const ValueId id : graph.nodes[i].inputs) last[id] = static_cast<NodeId>(i);
  int64_t live = 0, most = 0;
  for (const ValueId id : graph.inputs) live = saturating_sum(live, doubles(id));
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    live = saturating_sum(live, doubles(node.output));
    int64_t working = saturating_product(doubles(node.output), 2);
    for (const ValueId id : node.inputs) working = saturating_sum(working, byte_count(graph.value(id).type));
    most = std::max(most, saturating_sum(live, working));
    for (const ValueId id : node.inputs)
      if (last[id] == static_cast<NodeId>(i) && !graph.value(id).is_constant) {
        live -= std::min(live, doubles(id));
        last[id] = -1;  // an operand may be read twice
      }
  }
  return most;
}

}  // namespace

MemoryNeed need_of_run(const Plan& plan) {
  MemoryNeed need;
  add(need, plan.arena_bytes);
  for (const auto* list : {&plan.graph.inputs, &plan.graph.outputs})
    for (const ValueId id : *list) add(need, byte_count(plan.graph.value(id).type));
  for (const PlannedBuffer& buffer : plan.buffers)
    if (!buffer.type.shape.empty()) name_largest(need, buffer.name, buffer.type, buffer.bytes);
  return need;
}

MemoryNeed need_of_check(const Plan& plan) {
  MemoryNeed need = need_of_run(plan);
  add(need, reference_bytes(plan.graph));
  return need;
}

MemoryNeed need_of_measuring(const Task& task) {
  MemoryNeed need;
  for (const Value& value : task.graph.values) {
    const bool made =
        !value.is_constant && value.name != task.graph.value(task.graph.outputs[0]).name &&
        std::ranges::none_of(task.graph.inputs, [&](ValueId id) { return &task.graph.value(id) == &value; });
    if (made) continue;  // stays in registers
    const int64_t bytes = byte_count(value.type);
    name_largest(need, value.name, value.type, bytes);
    // Constants as they are and packed; the output in float32, and by the reference twice in float64.
    const bool output = &value == &task.graph.value(task.graph.outputs[0]);
    add(need, saturating_product(bytes, output ? 5 : value.is_constant ? 2 : 1));
  }
  return need;
}

Status fits_memory(const MemoryNeed& need, int64_t memory_bytes, const std::string& what,
                   const std::string& hint) {
  if (need.bytes <= memory_bytes) return {};
  return fail(what + " takes " + amount(need.bytes) + " of memory, " + need.largest + " alone " +
                  amount(need.largest_bytes) + "; there are " + amount(memory_bytes),
              {}, hint);
}

}  // namespace hone
