// Access to operands and attributes of an ONNX node, and the look-up of handlers.
// See onnx_call.h.
#include "codegen/import/onnx_call.h"

#include <algorithm>

namespace hone::onnx_import {

Result<ValueId> Call::operand(size_t i) const {
  if (!has(i)) return fail("operand " + std::to_string(i) + " is missing");
  return operands_[i];
}

Result<std::optional<std::vector<int64_t>>> Call::constant_integers(size_t i, const char* what) const {
  if (!has(i)) return std::nullopt;
  auto values = graph.known_integers(operands_[i]);
  if (!values) return fail(std::string(what) + " is not a constant of integers", what);
  return values;
}

Result<std::optional<double>> Call::constant_number(size_t i, const char* what) const {
  if (!has(i)) return std::nullopt;
  const auto value = graph.known_number(operands_[i]);
  if (!value) return fail(std::string(what) + " is not a constant", what);
  return value;
}

const onnx::AttributeProto* Call::attribute(const char* key) {
  asked_.insert(key);
  for (const auto& attribute : node.attribute())
    if (attribute.name() == key) return &attribute;
  return nullptr;
}

bool Call::has_attribute(const char* key) { return attribute(key) != nullptr; }

Result<int64_t> Call::integer(const char* key, int64_t otherwise) {
  const auto* found = attribute(key);
  if (!found) return otherwise;
  if (!found->has_i()) return fail(std::string(key) + " is no integer", key);
  return found->i();
}

Result<double> Call::real(const char* key, double otherwise) {
  const auto* found = attribute(key);
  if (!found) return otherwise;
  if (!found->has_f()) return fail(std::string(key) + " is no number", key);
  return found->f();
}

Result<std::string> Call::text(const char* key, std::string otherwise) {
  const auto* found = attribute(key);
  if (!found) return otherwise;
  if (!found->has_s()) return fail(std::string(key) + " is no text", key);
  return found->s();
}

Result<std::vector<int64_t>> Call::integers(const char* key) {
  const auto* found = attribute(key);
  if (!found) return std::vector<int64_t>{};
  if (found->ints_size() == 0 && found->type() != onnx::AttributeProto::INTS)
    return fail(std::string(key) + " is no list of integers", key);
  return std::vector<int64_t>(found->ints().begin(), found->ints().end());
}

const onnx::TensorProto* Call::tensor(const char* key) {
  const auto* found = attribute(key);
  return found && found->has_t() ? &found->t() : nullptr;
}

void Call::ignore(std::initializer_list<const char*> keys) { asked_.insert(keys.begin(), keys.end()); }

std::string Call::left_over() const {
  for (const auto& attribute : node.attribute())
    if (!asked_.count(attribute.name())) return attribute.name();
  return "";
}

Result<int64_t> Call::axis(int64_t axis, size_t rank, const char* key) const {
  const auto extent = static_cast<int64_t>(rank);
  if (axis < -extent || axis >= extent)
    return fail(
        std::string(key) + " " + std::to_string(axis) + " of a tensor of rank " + std::to_string(rank), key);
  return axis < 0 ? axis + extent : axis;
}

Handler find_handler(const std::string& op) {
  for (const auto find : {find_elementwise, find_window, find_arithmetic, find_movement, find_constant})
    if (const Handler handler = find(op)) return handler;
  return nullptr;
}

}  // namespace hone::onnx_import
