#include "tests/numeric/checking.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "codegen/oracle/oracle.h"

namespace hone::testing {

Task task_of(const std::string& graph_text) {
  auto graph = parse_graph(graph_text);
  if (graph) {
    if (auto status = verify(*graph); !status) graph = pass(status.error());
  }
  if (!graph) {
    std::fprintf(stderr, "%s\nin\n%s\n", graph.error().text().c_str(), graph_text.c_str());
    std::abort();
  }
  return make_task(std::move(*graph));
}

std::vector<Target> runnable_targets() {
  std::vector<Target> targets{probe_board().target};
  for (const char* name : {"x86-64-v4", "x86-64-v3", "x86-64-v2"}) {
    auto target = resolve_target(name);
    if (!target || target->triple != targets[0].triple || target->vector_bits >= targets.back().vector_bits)
      continue;
    targets.push_back(*target);
  }
  return targets;
}

Result<ReferenceOutput> reference_output(const Task& task, const Target& target, const std::string& seed) {
  HONE_TRY(const Artifact artifact, compile_reference(task, target));
  HONE_TRY(const LoadedArtifact loaded, LoadedArtifact::load(artifact.shared_object));
  return run_reference(loaded, seed);
}

std::string oracle_disagreement(const Task& task, const ReferenceOutput& reference, const std::string& seed,
                                std::mt19937& random, int count) {
  const auto oracle = Oracle::create(task.text);
  if (!oracle) return oracle.error().text();
  if (oracle->elements() != static_cast<int64_t>(reference.value.size())) return "another number of elements";
  const auto source = test_data(*oracle, seed);
  for (int i = 0; i < count; ++i) {
    const int64_t index =
        i == 0 ? oracle->elements() - 1 : static_cast<int64_t>(random() % reference.value.size());
    const auto element = oracle->element(index, source);
    if (!element) return element.error().text();
    const double value = reference.value[static_cast<size_t>(index)];
    const double magnitude = reference.magnitude[static_cast<size_t>(index)];
    const double allowed = 1e-12 * std::abs(magnitude) + 1e-300;
    const auto agree = [&](double a, double b) {
      return (std::isnan(a) && std::isnan(b)) || std::abs(a - b) <= allowed;
    };
    if (agree(element->value, value) && agree(element->magnitude, magnitude)) continue;
    std::ostringstream text;
    text.precision(17);
    text << "element " << index << " is " << element->value << " (magnitude " << element->magnitude
         << ") by the oracle and " << value << " (" << magnitude << ") by the reference";
    return text.str();
  }
  return {};
}

CheckReport checked_against(const Candidate& candidate, const ReferenceOutput& reference,
                            const std::string& seed) {
  const auto run = [&]() -> Result<CheckReport> {
    HONE_TRY(const Artifact artifact, compile(candidate));
    HONE_TRY(const LoadedArtifact loaded, LoadedArtifact::load(artifact.shared_object));
    HONE_TRY(const ArtifactBuffers buffers, make_buffers(loaded, seed));
    loaded.run(buffers.pointers.data());
    return check(loaded.signature(), buffers, reference);
  };
  auto report = run();
  if (report) return *report;
  CheckReport failed;
  failed.reason = report.error().text();
  return failed;
}

CheckReport checked(const Candidate& candidate, const std::string& seed) {
  auto reference = reference_output(candidate.task, candidate.target, seed);
  if (reference) return checked_against(candidate, *reference, seed);
  CheckReport failed;
  failed.reason = "reference: " + reference.error().text();
  return failed;
}

Ports random_placements(const Task& task, const Ports& ports, std::mt19937& random) {
  const auto moved = [&](Port port, const Shape& shape) {
    if (shape.size() != 4) return port;
    port.placement.halo_before.resize(4, 0);
    port.placement.halo_after.resize(4, 0);
    if (random() % 2)
      for (size_t d = 2; d < 4; ++d) {
        port.placement.halo_before[d] += pick<int64_t>(random, {0, 1, 2});
        port.placement.halo_after[d] += pick<int64_t>(random, {0, 1, 3});
      }
    int64_t block = 1;
    for (const auto& b : port.layout.blocks) block *= b.size;
    if (random() % 2 && shape[1] % block == 0) {
      port.placement.channel_offset = block * pick<int64_t>(random, {0, 1, 3});
      port.placement.buffer_channels =
          port.placement.channel_offset + shape[1] + block * pick<int64_t>(random, {0, 2});
    }
    return port;
  };
  Ports result;
  for (size_t i = 0; i < ports.inputs.size(); ++i)
    result.inputs.push_back(moved(ports.inputs[i], task.graph.value(task.graph.inputs[i]).type.shape));
  result.output = moved(ports.output, task.graph.value(task.graph.outputs[0]).type.shape);
  return result;
}

Candidate random_candidate(const Task& task, const Target& target, const Formulation& formulation,
                           const Ports& ports, std::mt19937& random) {
  const SearchSpace space = formulation.space(task, target, ports);
  for (int tries = 0; tries < 50; ++tries) {
    Parameters parameters;
    for (const ParameterRange& range : space) parameters[range.name] = pick(random, range.choices);
    if (auto candidate = make_candidate(task, target, formulation, ports, parameters)) return *candidate;
  }
  auto candidate =
      make_candidate(task, target, formulation, ports, formulation.default_parameters(task, target, ports));
  if (!candidate) std::fprintf(stderr, "%s\n", candidate.error().text().c_str());
  HONE_CHECK(candidate.has_value());
  return *candidate;
}

Sweep sweep(std::string_view formulation_name, int count, uint32_t seed,
            const std::function<std::string(std::mt19937&)>& make, bool placements) {
  Sweep result;
  std::mt19937 random(seed), elements(seed);
  const auto targets = runnable_targets();
  const Formulation* formulation = find_formulation(formulation_name);
  HONE_CHECK(formulation != nullptr);
  for (int i = 0; i < count; ++i) {
    const Task task = task_of(make(random));
    const Target& target = targets[static_cast<size_t>(i) % targets.size()];
    const std::string data = "numeric" + std::to_string(seed) + "." + std::to_string(i);
    const auto fail_with = [&](const std::string& reason, const std::string& schedule) {
      std::ostringstream text;
      text << reason << "\n  task " << i << ": " << task.text << "  " << target.vector_bits << " bits\n  "
           << schedule;
      result.failures.push_back(text.str());
    };
    if (!formulation->applies(task, target)) {
      fail_with("does not apply", "");
      continue;
    }
    auto reference = reference_output(task, target, data);
    if (!reference) {
      fail_with("reference: " + reference.error().text(), "");
      continue;
    }
    if (const std::string differs = oracle_disagreement(task, *reference, data, elements); !differs.empty())
      fail_with(differs, "");
    Ports ports = default_ports(*formulation, task, target);
    if (placements) ports = random_placements(task, ports, random);
    auto first = make_candidate(task, target, *formulation, ports,
                                formulation->default_parameters(task, target, ports));
    if (!first) {
      fail_with(first.error().text(), "");
      continue;
    }
    for (const Candidate& candidate : {*first, random_candidate(task, target, *formulation, ports, random)}) {
      const CheckReport report = checked_against(candidate, *reference, data);
      ++result.checked;
      if (!report.ok) fail_with(report.reason, to_text(candidate.ports) + "\n" + to_text(candidate.schedule));
      result.worst_factor = std::max(result.worst_factor, report.worst_factor);
      result.worst_l2 = std::max(result.worst_l2, report.relative_l2);
    }
  }
  return result;
}

}  // namespace hone::testing
