// Text forms of records. Numbers print with all their digits, so that an export loses nothing.
#include "logs/export.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <utility>

namespace hone {
namespace {

using Json = nlohmann::ordered_json;

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

template <class Value>
Json json_of(const Value& value) {
  if constexpr (std::is_enum_v<Value>)
    return to_text(value);
  else if constexpr (std::is_same_v<Value, Digest>)
    return value.hex();
  else if constexpr (std::is_floating_point_v<Value>)
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  else
    return value;
}
template <class Element>
Json json_of(const std::vector<Element>& values) {
  Json out = Json::array();
  for (const Element& value : values) out.push_back(json_of(value));
  return out;
}

std::string csv_of(const Json& value) {
  if (value.is_array()) return std::to_string(value.size());
  if (value.is_string()) return quoted(value.get_ref<const std::string&>());
  if (value.is_boolean()) return value.get<bool>() ? "1" : "0";
  return value.is_null() ? "" : value.dump();
}

/// Calls visit(column, value) for every column of a record.
template <class Visit>
void for_each_value(const Record& record, Visit&& visit) {
  for_each_column([&](const Column& column, auto member) { visit(column, json_of(member(record))); });
}

}  // namespace

void export_csv(const std::vector<const Record*>& records, std::ostream& out) {
  const auto row = [&](const Record& record, auto text_of) {
    const char* separator = "";
    for_each_value(record, [&](const Column& column, const Json& value) {
      out << std::exchange(separator, ",") << text_of(column, value);
    });
    out << '\n';
  };
  row(Record(), [](const Column& column, const Json&) {
    return column.element == nullptr ? std::string(column.name) : std::string(column.element) + "_count";
  });
  for (const Record* record : records)
    row(*record, [](const Column&, const Json& value) { return csv_of(value); });
}

void export_json_lines(const std::vector<const Record*>& records, std::ostream& out) {
  for (const Record* record : records) {
    Json line;
    for_each_value(*record, [&](const Column& column, Json value) { line[column.name] = std::move(value); });
    out << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
}

}  // namespace hone
