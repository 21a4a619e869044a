// Text of ports and parameter vectors, and back.
#include <charconv>

#include "codegen/formulation/formulation.h"

namespace hone {
namespace {

std::vector<std::string_view> pieces(std::string_view text, std::string_view separator) {
  std::vector<std::string_view> result;
  while (true) {
    const size_t at = text.find(separator);
    result.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return result;
    text.remove_prefix(at + separator.size());
  }
}

std::string to_text(const Port& port) {
  const std::string placement = hone::to_text(port.placement);
  return hone::to_text(port.layout) + (placement.empty() ? "" : " " + placement);
}

Result<Port> parse_port(std::string_view text) {
  const size_t space = text.find(' ');
  Port port;
  HONE_TRY(port.layout, parse_layout(text.substr(0, space)));
  if (space != std::string_view::npos) {
    HONE_TRY(port.placement, parse_placement(text.substr(space + 1)));
  }
  return port;
}

}  // namespace

std::string to_text(const Ports& ports) {
  std::string text;
  for (const Port& port : ports.inputs) text += (text.empty() ? "" : ", ") + to_text(port);
  return text + " -> " + to_text(ports.output);
}

Result<Ports> parse_ports(std::string_view text) {
  const auto sides = pieces(text, " -> ");
  if (sides.size() != 2)
    return fail("'" + std::string(text) + "' is not a list of ports", "", "such as \"abcd -> aBcd16b\"");
  Ports ports;
  if (!sides[0].empty())
    for (const auto one : pieces(sides[0], ", ")) {
      HONE_TRY(Port port, parse_port(one));
      ports.inputs.push_back(std::move(port));
    }
  HONE_TRY(ports.output, parse_port(sides[1]));
  return ports;
}

std::string to_text(const Parameters& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters)
    text += (text.empty() ? "" : " ") + name + "=" + std::to_string(value);
  return text;
}

Result<Parameters> parse_parameters(std::string_view text) {
  Parameters parameters;
  for (const auto word : pieces(text, " ")) {
    if (word.empty()) continue;
    const size_t equals = word.find('=');
    int64_t value = 0;
    const std::string_view digits = equals == std::string_view::npos ? "" : word.substr(equals + 1);
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() ||
        equals == 0)
      return fail("'" + std::string(word) + "' is not a parameter such as oc_tile=2", std::string(text));
    if (!parameters.emplace(std::string(word.substr(0, equals)), value).second)
      return fail("parameter '" + std::string(word.substr(0, equals)) + "' is given twice",
                  std::string(text));
  }
  return parameters;
}

}  // namespace hone
