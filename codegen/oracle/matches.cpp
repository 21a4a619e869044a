// Whether a signature is of the oracle's task: what an artifact says of itself is a claim.
#include <algorithm>

#include "codegen/oracle/plan.h"

namespace hone {
namespace {

std::string range_text(const ValueRange& range) {
  return "[" + std::to_string(range.lo) + "," + std::to_string(range.hi) + ")";
}

/// Compares one tensor of the signature with the task's.
Status same(const OracleTensor& task, const std::string& name, const TensorType& type,
            const ValueRange* range) {
  if (name != task.name) return fail("tensor '" + name + "' stands where the task has '" + task.name + "'");
  if (type != task.type)
    return fail("'" + name + "' is " + to_text(type) + ", not " + to_text(task.type) + " as in the task");
  if (range != nullptr && *range != task.range)
    return fail("'" + name + "' wants test data in " + range_text(*range) + ", not in " +
                range_text(task.range) + " as the task");
  return {};
}

Status same_count(const char* what, size_t claimed, size_t wanted) {
  if (claimed == wanted) return {};
  return fail(std::to_string(claimed) + " " + what + " instead of the task's " + std::to_string(wanted));
}

}  // namespace

Status matches(const Oracle& oracle, const Signature& signature) {
  if (signature.task != oracle.task()) return fail("the signature is of another task");
  std::vector<const OracleTensor*> activations, constants;
  for (const OracleTensor& tensor : oracle.inputs())
    (tensor.constant ? constants : activations).push_back(&tensor);
  std::vector<const BufferSpec*> inputs, outputs;
  for (const BufferSpec& buffer : signature.buffers) {
    if (buffer.role == Role::input) inputs.push_back(&buffer);
    if (buffer.role == Role::output) outputs.push_back(&buffer);
  }
  HONE_RETURN_IF_ERROR(same_count("inputs", inputs.size(), activations.size()));
  for (size_t i = 0; i < inputs.size(); ++i)
    HONE_RETURN_IF_ERROR(same(*activations[i], inputs[i]->name, inputs[i]->type, &inputs[i]->range));
  HONE_RETURN_IF_ERROR(same_count("constants", signature.constants.size(), constants.size()));
  for (size_t i = 0; i < constants.size(); ++i)
    HONE_RETURN_IF_ERROR(same(*constants[i], signature.constants[i].name, signature.constants[i].type,
                              &signature.constants[i].range));
  HONE_RETURN_IF_ERROR(same_count("outputs", outputs.size(), signature.reference ? 2 : 1));
  OracleTensor y = oracle.output();
  if (signature.reference) y.type.dtype = DType::f64;
  HONE_RETURN_IF_ERROR(same(y, outputs[0]->name, outputs[0]->type, nullptr));
  if (signature.reference) {
    y.name += ".magnitude";
    return same(y, outputs[1]->name, outputs[1]->type, nullptr);
  }
  const ErrorBound loosest = loosest_bound(oracle);
  const ErrorBound& claimed = signature.bound;
  if (!(claimed.relative_l2 <= loosest.relative_l2 && claimed.element_factor <= loosest.element_factor))
    return fail("an error bound of " + std::to_string(claimed.relative_l2) + " and " +
                std::to_string(claimed.element_factor) +
                " magnitudes is claimed; no way to compute the task needs more than " +
                std::to_string(loosest.relative_l2) + " and " + std::to_string(loosest.element_factor));
  return {};
}

}  // namespace hone
