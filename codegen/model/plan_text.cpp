// A plan as text: where every value lies and when, and what runs, in order.
#include <fmt/format.h>

#include "codegen/model/model.h"

namespace hone {
namespace {

std::string port_text(const Port& port) {
  const std::string placement = to_text(port.placement);
  return to_text(port.layout) + (placement.empty() ? "" : " " + placement);
}

std::string buffer_text(const PlannedBuffer& buffer) {
  std::string text = fmt::format("at {:<8} {:>8} bytes  steps {:>2}..{:<2}  ", buffer.offset, buffer.bytes,
                                 buffer.first_use, buffer.last_use);
  if (buffer.type.shape.empty()) return text + buffer.name;
  text += fmt::format("%{} {} {}", buffer.name, to_text(buffer.type), port_text(buffer.port));
  if (buffer.port.placement.has_halo()) text += fmt::format(" of {}", buffer.halo_value);
  return text;
}

/// "0, 3+256 -> 5 scratch 6, stack": buffers read and written, with the bytes into each where it begins.
std::string operands_text(const PlannedOp& op) {
  std::string text;
  for (size_t i = 0; i < op.buffers.size(); ++i) {
    if (i + 1 == op.buffers.size())
      text += " -> ";
    else if (i > 0)
      text += ", ";
    text += std::to_string(op.buffers[i]);
    if (op.shifts[i] != 0) text += "+" + std::to_string(op.shifts[i]);
  }
  for (size_t i = 0; i < op.scratch.size(); ++i)
    text += (i == 0 ? " scratch " : ", ") + (op.scratch[i] < 0 ? "stack" : std::to_string(op.scratch[i]));
  return text;
}

}  // namespace

std::string to_text(const Plan& plan) {
  std::string text =
      fmt::format("target {}\narena {} bytes\n\nbuffers\n", to_text(plan.target), plan.arena_bytes);
  for (size_t i = 0; i < plan.buffers.size(); ++i)
    text += fmt::format("{:<4}{}\n", i, buffer_text(plan.buffers[i]));
  text += "\nsteps\n";
  for (size_t i = 0; i < plan.ops.size(); ++i) {
    const PlannedOp& op = plan.ops[i];
    const std::string parameters = to_text(op.candidate.parameters);
    text += fmt::format("{:<4}{}  {}\n    {}{}{}{}\n    {}: {}\n", i, summary(op.op.task), op.op.name,
                        op.candidate.formulation, parameters.empty() ? "" : " ", parameters,
                        op.tuned ? fmt::format("  tuned, {} s", op.seconds) : "", operands_text(op),
                        to_text(op.candidate.ports));
  }
  text += "\nborders\n";
  for (size_t i = 0; i < plan.inputs.size(); ++i)
    text += fmt::format("input %{} in {}\n", plan.graph.value(plan.graph.inputs[i]).name, plan.inputs[i]);
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    text += fmt::format("output %{} in {}: {}\n", plan.graph.value(plan.graph.outputs[i]).name,
                        plan.outputs[i], port_text(plan.output_ports[i]));
  return text;
}

}  // namespace hone
