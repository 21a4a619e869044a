// Text forms of records. Numbers print with all their digits, so that an export loses nothing.
#include "logs/export.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <string>

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

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

template <class Numbers>
Json numbers(const Numbers& values) {
  Json out = Json::array();
  for (auto value : values) out.push_back(number(value));
  return out;
}

}  // namespace

void export_csv(const std::vector<const Record*>& records, std::ostream& out) {
  out << "task,summary,target,board_model,formulation,parameters,ports,threads,mode,trial,final,repetition,"
         "status,message,"
         "median_ns,spread,samples,relative_l2,unix_ms\n";
  for (const Record* record : records) {
    const Measurement& measured = record->measurement;
    out << record->task_key << ',' << quoted(record->task_summary) << ',' << quoted(record->target) << ','
        << quoted(record->board_model) << ',' << quoted(record->formulation) << ','
        << quoted(record->parameters) << ',' << quoted(record->ports) << ',' << measured.threads << ','
        << to_text(measured.mode) << ',' << record->trial << ',' << (record->final ? 1 : 0) << ','
        << record->repetition << ',' << to_text(measured.status) << ',' << quoted(measured.message) << ','
        << Json(measured.median_ns).dump() << ',' << Json(measured.spread).dump() << ','
        << measured.samples_ns.size() << ',' << Json(measured.relative_l2).dump() << ',' << record->unix_ms
        << '\n';
  }
}

void export_json_lines(const std::vector<const Record*>& records, std::ostream& out) {
  for (const Record* record : records) {
    const Measurement& measured = record->measurement;
    const Health& health = measured.health;
    Json line;
    line["task_key"] = record->task_key;
    line["task"] = record->task_text;
    line["summary"] = record->task_summary;
    line["target"] = record->target;
    line["formulation"] = record->formulation;
    line["parameters"] = record->parameters;
    line["schedule"] = record->schedule;
    line["ports"] = record->ports;
    line["space_version"] = record->space_version;
    line["board_model"] = record->board_model;
    line["board_id"] = record->board_id;
    line["artifact"] = record->artifact;
    line["status"] = to_text(measured.status);
    line["message"] = measured.message;
    line["threads"] = measured.threads;
    line["mode"] = to_text(measured.mode);
    line["median_ns"] = number(measured.median_ns);
    line["spread"] = number(measured.spread);
    line["samples_ns"] = numbers(measured.samples_ns);
    line["relative_l2"] = number(measured.relative_l2);
    line["worst_factor"] = number(measured.worst_factor);
    line["reference_before_ns"] = number(health.reference_before_ns);
    line["reference_after_ns"] = number(health.reference_after_ns);
    line["temperature_celsius"] = number(health.temperature_celsius);
    line["frequency_mhz"] = number(health.frequency_mhz);
    line["final"] = record->final;
    line["repetition"] = record->repetition;
    line["trial"] = record->trial;
    line["feature_version"] = record->feature_version;
    line["features"] = numbers(record->features);
    line["job"] = record->job;
    line["tuner"] = record->tuner;
    line["unix_ms"] = record->unix_ms;
    out << line.dump(-1, ' ', false, Json::error_handler_t::replace) << '\n';
  }
}

}  // namespace hone
