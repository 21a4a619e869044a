#include "codegen/base/signature.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace hone {
namespace {

using nlohmann::json;
constexpr std::string_view kRoles[] = {"input", "constant", "output", "scratch"};

Result<Role> parse_role(std::string_view text) {
  for (int i = 0; i < 4; ++i)
    if (kRoles[i] == text) return static_cast<Role>(i);
  return fail("unknown buffer role '" + std::string(text) + "'");
}

/// Nested deeper than any signature: what an attacker would want to be built of it.
constexpr int kDeepest = 8;

struct BadNumber : std::exception {
  const char* what() const noexcept override { return "a number is out of range or has a fraction"; }
};
// The library converts numbers that do not fit into whatever comes out.
int64_t integer(const json& value) {
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<uint64_t>() > uint64_t{std::numeric_limits<int64_t>::max()}))
    throw BadNumber();
  return value.get<int64_t>();
}
double real(const json& value) {
  if (!value.is_number()) throw BadNumber();
  return value.get<double>();
}
float small_real(const json& value) {
  const double number = real(value);
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) throw BadNumber();
  return static_cast<float>(number);
}

json to_json_value(const ValueRange& range) { return json::array({range.lo, range.hi}); }
ValueRange range_from(const json& value) { return {small_real(value.at(0)), small_real(value.at(1))}; }

json to_json_value(const std::vector<PhaseSpec>& phases) {
  json list = json::array();
  for (const PhaseSpec& phase : phases) {
    list.push_back({{"extent", phase.extent}, {"flops", phase.flops}});
    if (phase.inner != 0) list.back()["inner"] = phase.inner;
  }
  return list;
}

std::vector<PhaseSpec> phases_from(const json& list) {
  std::vector<PhaseSpec> phases;
  for (const json& phase : list)
    phases.push_back({integer(phase.at("extent")), real(phase.at("flops")),
                      phase.contains("inner") ? integer(phase.at("inner")) : 0});
  return phases;
}

Result<BufferSpec> buffer_from(const json& value) {
  BufferSpec buffer;
  buffer.name = value.at("name");
  HONE_TRY(buffer.role, parse_role(value.at("role").get<std::string>()));
  HONE_TRY(buffer.type, parse_tensor_type(value.at("type").get<std::string>()));
  HONE_TRY(buffer.layout, parse_layout(value.at("layout").get<std::string>()));
  HONE_TRY(buffer.placement, parse_placement(value.at("placement").get<std::string>()));
  const size_t rank = buffer.type.shape.size();
  const size_t halo = buffer.placement.halo_before.size();
  if (buffer.layout.order.size() != rank || (halo != 0 && halo != rank))
    return fail("layout or placement of buffer '" + buffer.name + "' does not fit its shape");
  buffer.bytes = integer(value.at("bytes"));
  buffer.range = range_from(value.at("range"));
  const json& margin = value.at("halo_value");  // JSON has no infinities
  buffer.halo_value = margin == "-inf" ? -std::numeric_limits<float>::infinity() : small_real(margin);
  return buffer;
}

Result<Signature> signature_from(const json& value) {
  Signature signature;
  signature.task = value.at("task");
  signature.formulation = value.at("formulation");
  HONE_TRY(signature.target, parse_target(value.at("target").get<std::string>()));
  for (const json& item : value.at("buffers")) {
    HONE_TRY(BufferSpec buffer, buffer_from(item));
    signature.buffers.push_back(std::move(buffer));
  }
  for (const json& item : value.at("constants")) {
    HONE_TRY(TensorType type, parse_tensor_type(item.at("type").get<std::string>()));
    signature.constants.push_back({item.at("name"), std::move(type), range_from(item.at("range"))});
  }
  signature.phases = phases_from(value.at("phases"));
  signature.prepare_phases = phases_from(value.at("prepare_phases"));
  signature.flops = real(value.at("flops"));
  signature.min_bytes = real(value.at("min_bytes"));
  signature.bound.relative_l2 = real(value.at("bound").at("relative_l2"));
  signature.bound.element_factor = real(value.at("bound").at("element_factor"));
  signature.reference = value.at("reference");
  return signature;
}

}  // namespace

std::string_view to_text(Role role) { return kRoles[static_cast<int>(role)]; }

std::string to_json(const Signature& signature) {
  json buffers = json::array(), constants = json::array();
  for (const BufferSpec& buffer : signature.buffers)
    buffers.push_back(
        {{"name", buffer.name},
         {"role", to_text(buffer.role)},
         {"type", to_text(buffer.type)},
         {"layout", to_text(buffer.layout)},
         {"placement", to_text(buffer.placement)},
         {"bytes", buffer.bytes},
         {"range", to_json_value(buffer.range)},
         {"halo_value", std::isinf(buffer.halo_value) ? json("-inf") : json(buffer.halo_value)}});
  for (const LogicalConstant& constant : signature.constants)
    constants.push_back({{"name", constant.name},
                         {"type", to_text(constant.type)},
                         {"range", to_json_value(constant.range)}});
  return json{
      {"task", signature.task},
      {"formulation", signature.formulation},
      {"target", to_text(signature.target)},
      {"buffers", buffers},
      {"constants", constants},
      {"phases", to_json_value(signature.phases)},
      {"prepare_phases", to_json_value(signature.prepare_phases)},
      {"flops", signature.flops},
      {"min_bytes", signature.min_bytes},
      {"bound",
       {{"relative_l2", signature.bound.relative_l2}, {"element_factor", signature.bound.element_factor}}},
      {"reference", signature.reference}}
      .dump();
}

Result<Signature> parse_signature(std::string_view text) {
  if (text.size() > kMostSignatureBytes)
    return fail("artifact signature: " + std::to_string(text.size()) + " bytes, at most " +
                std::to_string(kMostSignatureBytes) + " are read");
  bool too_deep = false;
  const json::parser_callback_t watch = [&](int depth, json::parse_event_t, json&) {
    too_deep |= depth > kDeepest;
    return depth <= kDeepest;
  };
  const json value = json::parse(text, watch, /*allow_exceptions=*/false);
  if (too_deep) return fail("artifact signature: nested too deeply");
  if (!value.is_object()) return fail("artifact signature is not a JSON object");
  try {
    return signature_from(value);
  } catch (const json::exception& error) {
    return fail(std::string("artifact signature: ") + error.what());
  } catch (const BadNumber& error) {
    return fail(std::string("artifact signature: ") + error.what());
  }
}

ErrorBound sum_bound(int64_t terms) { return {1e-6 + 6.4e-8 * std::sqrt(static_cast<double>(terms)), 4}; }

}  // namespace hone
