// Small graphs from text with generated constants, built, run and compared with the reference.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <cmath>
#include <cstring>

#include "codegen/base/generator.h"
#include "codegen/model/model.h"
#include "codegen/runtime/host/host.h"

namespace hone::testing_models {

/// Parses the graph and fills every constant from the generator, scaled so that activations stay near one.
inline Graph graph_of(const std::string& text) {
  auto graph = parse_graph(text);
  EXPECT_TRUE(graph) << graph.error().text();
  for (Value& value : graph->values) {
    if (!value.is_constant) continue;
    const int64_t elements = element_count(value.type.shape);
    const auto fan = static_cast<float>(value.type.shape.size() < 2 ? 4 : elements / value.type.shape[0]);
    std::vector<float> data(static_cast<size_t>(elements));
    generate("data/" + value.name, -std::sqrt(3 / fan), std::sqrt(3 / fan), data);
    auto constant = std::make_shared<Constant>();
    constant->bytes.resize(data.size() * 4);
    std::memcpy(constant->bytes.data(), data.data(), constant->bytes.size());
    value.constant = constant;
  }
  return std::move(*graph);
}

inline std::vector<std::vector<float>> inputs_of(const Graph& graph) {
  std::vector<std::vector<float>> inputs;
  for (const ValueId id : graph.inputs) {
    inputs.emplace_back(static_cast<size_t>(element_count(graph.value(id).type.shape)));
    generate("input/" + graph.value(id).name, -1, 1, inputs.back());
  }
  return inputs;
}

inline std::string scratch_file(const std::string& name) {
  return testing::TempDir() + "hone_" + std::to_string(getpid()) + "_" + name;
}

inline Target host() { return resolve_target("host").value(); }

/// Outputs of a built model, run `runs` times on `threads` threads; every run must give the same bits.
inline std::vector<std::vector<float>> run_model(const std::string& file, const Graph& graph, int threads,
                                                 int runs = 2) {
  auto model = LoadedModel::load(file, threads);
  EXPECT_TRUE(model) << model.error().text();
  const auto inputs = inputs_of(graph);
  std::vector<std::vector<float>> first;
  for (int r = 0; r < runs; ++r) {
    std::vector<const void*> in;
    for (const auto& input : inputs) in.push_back(input.data());
    std::vector<std::vector<float>> outputs;
    std::vector<void*> out;
    for (const ValueId id : graph.outputs)
      outputs.emplace_back(static_cast<size_t>(element_count(graph.value(id).type.shape)), std::nanf(""));
    for (auto& output : outputs) out.push_back(output.data());
    EXPECT_TRUE(model->run(in, out));
    if (r == 0) first = outputs;
    for (size_t i = 0; i < outputs.size(); ++i)
      EXPECT_EQ(std::memcmp(outputs[i].data(), first[i].data(), outputs[i].size() * 4), 0) << "run " << r;
  }
  return first;
}

/// Builds and checks a graph; gives the plan for further claims.
inline Plan built_and_right(const std::string& text, const Lookup& lookup = {}) {
  const Graph graph = graph_of(text);
  auto plan = hone::plan(graph, host(), lookup);
  EXPECT_TRUE(plan) << plan.error().text();
  if (!plan) return {};
  const std::string file = scratch_file("small.so");
  const auto report = build(*plan, file, {});
  EXPECT_TRUE(report) << report.error().text();
  if (!report) return {};
  EXPECT_TRUE(report->checked && report->correct) << report->max_rel_error;
  EXPECT_LT(report->max_rel_error, 1e-5);
  const auto one = run_model(file, graph, 1), two = run_model(file, graph, 2),
             three = run_model(file, graph, 3);
  EXPECT_EQ(one, two);
  EXPECT_EQ(one, three);
  const auto reference = evaluate_reference(graph, inputs_of(graph));
  EXPECT_TRUE(reference);
  for (size_t i = 0; i < one.size(); ++i) {
    double error = 0, norm = 0;
    for (size_t k = 0; k < one[i].size(); ++k) {
      error += std::pow(one[i][k] - (*reference)[i][k], 2);
      norm += std::pow((*reference)[i][k], 2);
    }
    EXPECT_LT(std::sqrt(error / norm), 1e-5) << "output " << i;
  }
  unlink(file.c_str());
  return std::move(*plan);
}

inline int count_formulation(const Plan& plan, const std::string& name) {
  int count = 0;
  for (const PlannedOp& op : plan.ops) count += op.candidate.formulation == name;
  return count;
}

}  // namespace hone::testing_models
