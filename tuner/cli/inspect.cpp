// Inspection of models: tables for people, one JSON object for scripts.
#include "tuner/cli/inspect.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "codegen/graph/task.h"
#include "tuner/cli/commands.h"

namespace hone::cli {
namespace {

using Json = nlohmann::ordered_json;

/// A distinct task and how often it occurs.
struct Counted {
  Task task;
  int count = 0;
};

std::vector<Counted> distinct_tasks(const std::vector<FusedOp>& ops) {
  std::vector<Counted> tasks;
  for (const FusedOp& op : ops) {
    if (op.task.anchor().op == Op::reshape) continue;  // renames, computes nothing
    auto found = tasks.begin();
    while (found != tasks.end() && found->task.key != op.task.key) ++found;
    if (found == tasks.end()) found = tasks.insert(found, {op.task, 0});
    ++found->count;
  }
  return tasks;
}

int64_t parameters_of(const Graph& graph, const Node& node) {
  int64_t count = 0;
  for (const ValueId id : node.inputs)
    if (graph.value(id).is_constant) count += element_count(graph.value(id).type.shape);
  return count;
}

struct Totals {
  int64_t parameters = 0;
  double flops = 0;
};

Totals totals_of(const Graph& graph) {
  Totals totals;
  for (const Value& value : graph.values)
    if (value.is_constant) totals.parameters += element_count(value.type.shape);
  for (const Node& node : graph.nodes) totals.flops += flops(graph, node);
  return totals;
}

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

Json to_json(const Graph& graph) {
  const auto values = [&](const std::vector<ValueId>& ids) {
    Json list = Json::array();
    for (const ValueId id : ids)
      list.push_back({{"name", graph.value(id).name}, {"type", to_text(graph.value(id).type)}});
    return list;
  };
  const Totals totals = totals_of(graph);
  Json json{{"inputs", values(graph.inputs)},
            {"outputs", values(graph.outputs)},
            {"parameters", totals.parameters},
            {"flops", totals.flops}};
  json["operators"] = Json::array();
  for (const Node& node : graph.nodes)
    json["operators"].push_back({{"name", node.name},
                                 {"operator", to_text(node.op)},
                                 {"output", to_text(graph.value(node.output).type)},
                                 {"parameters", parameters_of(graph, node)},
                                 {"flops", flops(graph, node)}});
  json["tasks"] = Json::array();
  for (const Counted& one : distinct_tasks(partition(graph)))
    json["tasks"].push_back({{"summary", summary(one.task)},
                             {"count", one.count},
                             {"flops", one.task.flops()},
                             {"key", one.task.key.hex()}});
  return json;
}

void print(const Table& table, const Output& output) {
  for (const std::string& line : table.lines()) output.data(line);
}

void print(const Graph& graph, const std::string& format, const std::string& model, const Output& output) {
  const auto tasks = distinct_tasks(partition(graph));
  const Totals totals = totals_of(graph);
  output.data(fmt::format("model   {}: {} operators, {} tasks, {}, {} parameters", model, graph.nodes.size(),
                          tasks.size(), format_amount(totals.flops, "FLOP"),
                          format_amount(static_cast<double>(totals.parameters), "")));
  output.data("format  " + format);
  for (const ValueId id : graph.inputs)
    output.data("input   " + graph.value(id).name + " " + to_text(graph.value(id).type));
  for (const ValueId id : graph.outputs)
    output.data("output  " + graph.value(id).name + " " + to_text(graph.value(id).type));
  output.data("");
  Table operators({"operator", "name", "output", "parameters", "MFLOP"});
  for (const Node& node : graph.nodes)
    operators.add({std::string(to_text(node.op)), node.name, to_text(graph.value(node.output).type),
                   format_count(static_cast<double>(parameters_of(graph, node))),
                   fmt::format("{:.2f}", flops(graph, node) / 1e6)});
  print(operators, output);
  output.data("");
  Table table({"task", "x", "MFLOP"});
  for (const Counted& one : tasks)
    table.add({summary(one.task), std::to_string(one.count), fmt::format("{:.2f}", one.task.flops() / 1e6)});
  print(table, output);
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
  const auto result = import_model(options.model, options.import);
  if (!result) {
    output.error(result.error());
    return kFailure;
  }
  const bool covered = result->unsupported.empty();
  if (options.json) {
    Json json{{"model", options.model.stem().string()},
              {"format", result->format},
              {"unsupported", to_json(result->unsupported)}};
    if (covered) json.update(to_json(result->graph));
    output.data(json_line(json));
  } else if (covered) {
    print(result->graph, result->format, options.model.stem().string(), output);
  } else {
    print(result->unsupported, output);
  }
  if (covered) return kSuccess;
  output.error(
      {fmt::format("{} of its nodes are not covered", result->unsupported.size()), options.model.string()});
  return kUnsupported;
}

}  // namespace hone::cli
