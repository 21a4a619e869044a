// Inspection of models: tables for people, one JSON object for scripts.
#include "tuner/cli/inspect.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "tuner/cli/commands.h"
#include "tuner/session/inspect.h"

namespace hone::cli {
namespace {

using Json = nlohmann::ordered_json;
using session::ModelFacts;

Json to_json(const std::vector<Unsupported>& unsupported) {
  Json list = Json::array();
  for (const Unsupported& one : unsupported)
    list.push_back({{"node", one.node},
                    {"operator", one.op},
                    {"attribute", one.attribute},
                    {"opset", one.opset},
                    {"reason", one.reason}});
  return list;
}

Json to_json(const ModelFacts& facts) {
  const auto borders = [&](const std::vector<ModelFacts::Border>& list) {
    Json json = Json::array();
    for (const ModelFacts::Border& one : list) json.push_back({{"name", one.name}, {"type", one.type}});
    return json;
  };
  Json json{{"inputs", borders(facts.inputs)},
            {"outputs", borders(facts.outputs)},
            {"parameters", facts.parameters},
            {"flops", facts.flops}};
  json["operators"] = Json::array();
  for (const ModelFacts::Operator& one : facts.operators)
    json["operators"].push_back({{"name", one.name},
                                 {"operator", one.op},
                                 {"output", one.output},
                                 {"parameters", one.parameters},
                                 {"flops", one.flops}});
  json["tasks"] = Json::array();
  for (const ModelFacts::TaskCount& one : facts.tasks)
    json["tasks"].push_back(
        {{"summary", one.summary}, {"count", one.count}, {"flops", one.flops}, {"key", one.key.hex()}});
  return json;
}

void print(const Table& table, const Output& output) {
  for (const std::string& line : table.lines()) output.data(line);
}

void print(const ModelFacts& facts, const std::string& model, const Output& output) {
  output.data(fmt::format("model   {}: {} operators, {} tasks, {}, {} parameters", model,
                          facts.operators.size(), facts.tasks.size(), format_amount(facts.flops, "FLOP"),
                          format_amount(static_cast<double>(facts.parameters), "")));
  output.data("format  " + facts.format);
  for (const ModelFacts::Border& input : facts.inputs)
    output.data("input   " + input.name + " " + input.type);
  for (const ModelFacts::Border& one : facts.outputs) output.data("output  " + one.name + " " + one.type);
  output.data("");
  Table operators({"operator", "name", "output", "parameters", "MFLOP"});
  for (const ModelFacts::Operator& one : facts.operators)
    operators.add({one.op, one.name, one.output, format_count(static_cast<double>(one.parameters)),
                   fmt::format("{:.2f}", one.flops / 1e6)});
  print(operators, output);
  output.data("");
  Table tasks({"task", "x", "MFLOP"});
  for (const ModelFacts::TaskCount& one : facts.tasks)
    tasks.add({one.summary, std::to_string(one.count), fmt::format("{:.2f}", one.flops / 1e6)});
  print(tasks, output);
}

void print(const std::vector<Unsupported>& unsupported, const Output& output) {
  Table table({"node", "operator", "attribute", "opset", "reason"});
  for (const Unsupported& one : unsupported)
    table.add({one.node, one.op, one.attribute.empty() ? "-" : one.attribute, std::to_string(one.opset),
               one.reason});
  print(table, output);
}

}  // namespace

int inspect(const InspectOptions& options, const Output& output) {
  const auto facts = session::inspect_model(options.model, options.import);
  if (!facts) {
    output.error(facts.error());
    return kFailure;
  }
  const bool covered = facts->unsupported.empty();
  const std::string model = options.model.stem().string();
  if (options.json) {
    Json json{{"model", model}, {"format", facts->format}, {"unsupported", to_json(facts->unsupported)}};
    if (covered) json.update(to_json(*facts));
    output.data(json_line(json));
  } else if (covered) {
    print(*facts, model, output);
  } else {
    print(facts->unsupported, output);
  }
  if (covered) return kSuccess;
  output.error(
      {fmt::format("{} of its nodes are not covered", facts->unsupported.size()), options.model.string()});
  return kUnsupported;
}

}  // namespace hone::cli
