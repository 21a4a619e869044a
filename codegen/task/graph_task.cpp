#include "codegen/task/graph_task.h"

#include <algorithm>
#include <map>

namespace hone {
namespace {

bool same_layouts(const Ports& a, const Ports& b) {
  return a.output.layout == b.output.layout &&
         std::ranges::equal(a.inputs, b.inputs, {}, &Port::layout, &Port::layout);
}

class GraphLowering final : public TaskLowering {
 public:
  GraphLowering(Task task, Target target, Ports ports)
      : task_(std::move(task)), target_(std::move(target)), ports_(std::move(ports)) {}

  Result<std::vector<PointSpace>> spaces(Fit fit) override {
    std::vector<PointSpace> spaces;
    std::string reason = "no formulation covers it";
    for (const Formulation* one : formulations_for(task_, target_)) {
      // Transforms and elementwise chains adapt: they take whatever layouts their neighbours have.
      if (same_layouts(one->layouts(task_, target_), ports_) != (fit == Fit::own)) continue;
      if (const auto formulated = of(*one); !formulated) {
        reason = formulated.error().text();
        continue;
      }
      spaces.push_back({std::string(one->name), one->space(task_, target_, ports_),
                        one->default_parameters(task_, target_, ports_), one->space_version});
    }
    if (spaces.empty()) return fail(reason);
    return spaces;
  }

  Result<loop::Program> lower(const Point& point) override {
    HONE_TRY(const Formulation* formulation, named(point.formulation));
    HONE_TRY(const Formulated* formulated, of(*formulation));
    HONE_TRY(const Schedule schedule, formulation->schedule(task_, target_, ports_, point.parameters));
    return loop::lower(formulated->run, schedule);
  }

  Result<loop::Program> replay(const std::string& name, std::string_view text) override {
    HONE_TRY(const Formulation* formulation, named(name));
    HONE_TRY(const Formulated* formulated, of(*formulation));
    HONE_TRY(const Schedule schedule, parse_schedule(text));
    return loop::lower(formulated->run, schedule);
  }

  Result<Lowered> kernel(const Point& point) override {
    HONE_TRY(const Formulation* formulation, named(point.formulation));
    HONE_TRY(const Candidate candidate,
             make_candidate(task_, target_, *formulation, ports_, point.parameters));
    HONE_TRY(Kernel kernel, lower_candidate(candidate));
    return Lowered{std::move(kernel), to_text(candidate.schedule)};
  }

 private:
  static Result<const Formulation*> named(const std::string& name) {
    const Formulation* formulation = find_formulation(name);
    if (formulation == nullptr) return fail("there is no formulation of this name", name);
    return formulation;
  }

  Result<const Formulated*> of(const Formulation& formulation) {
    const auto known = formed_.find(formulation.name);
    if (known != formed_.end()) return &known->second;
    HONE_TRY(Formulated formulated, formulation.formulate(task_, target_, ports_));
    return &formed_.emplace(formulation.name, std::move(formulated)).first->second;
  }

  Task task_;
  Target target_;
  Ports ports_;
  std::map<std::string_view, Formulated> formed_;
};

class GraphTask final : public AnyTask {
 public:
  explicit GraphTask(Task task) : AnyTask(task.text), task_(std::move(task)) {}

  std::string summary() const override { return hone::summary(task_); }
  double flops() const override { return task_.flops(); }

  Result<Ports> default_ports(const Target& target) const override {
    HONE_TRY(const Formulation* formulation, default_formulation(task_, target));
    return hone::default_ports(*formulation, task_, target);
  }

  Result<std::unique_ptr<TaskLowering>> on(const Target& target, const Ports& ports) const override {
    if (ports.inputs.size() != task_.graph.inputs.size())
      return fail("ports for " + std::to_string(ports.inputs.size()) + " inputs, but the task has " +
                      std::to_string(task_.graph.inputs.size()),
                  summary());
    return std::make_unique<GraphLowering>(task_, target, ports);
  }

  Result<Kernel> reference(const Target& target) const override { return lower_reference(task_, target); }

 private:
  Task task_;
};

}  // namespace

TaskPtr any_task(Task task) { return std::make_shared<const GraphTask>(std::move(task)); }

Result<TaskPtr> parse_graph_task(std::string_view text, const Bodies&) {
  HONE_TRY(Task task, parse_task(text));
  return any_task(std::move(task));
}

}  // namespace hone
