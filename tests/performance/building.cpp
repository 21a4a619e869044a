// How long a candidate takes to build, by stage, for the candidates that a search really asked for: those of
// a log. Usage: building LOG.h5 [EVERY [TIME_PASSES]]. Every EVERY-th record is built again, in one thread.
// With a third argument LLVM's own report of its passes follows. Prints; asserts nothing.
#include <fmt/format.h>
#include <llvm/IR/PassTimingInfo.h>
#include <llvm/Pass.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <vector>

#include "codegen/artifact/artifact.h"
#include "codegen/task/graph_task.h"
#include "cost_model/features/features.h"
#include "logs/database.h"
#include "tests/performance/timing.h"
#include "tuner/search/points.h"
#include "tuner/search/task_space.h"

namespace hone {
namespace {

using hone::benchmark::median;

struct Stages {
  std::vector<double> lower, features, emit, link, all;
};

double ms_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

Status build(const Record& record, Stages& stages) {
  HONE_TRY(const Task task, parse_task(record.candidate.task));
  HONE_TRY(const Target target, parse_target(record.candidate.target));
  HONE_TRY(const Ports ports, parse_ports(record.candidate.ports));
  HONE_TRY(const Parameters parameters, parse_parameters(record.candidate.parameters));
  const Formulation* formulation = find_formulation(record.candidate.formulation);
  if (formulation == nullptr)
    return fail("there is no formulation of this name", record.candidate.formulation);
  auto start = std::chrono::steady_clock::now();
  HONE_TRY(const Candidate candidate, make_candidate(task, target, *formulation, ports, parameters));
  HONE_TRY(const Kernel lowered, lower_candidate(candidate));
  stages.lower.push_back(ms_since(start));
  start = std::chrono::steady_clock::now();
  (void)features_of(lowered.run, target);
  stages.features.push_back(ms_since(start));
  start = std::chrono::steady_clock::now();
  HONE_TRY(ObjectCode code, emit({{"hone_run", &lowered.run}}, target, {}));
  stages.emit.push_back(ms_since(start));
  start = std::chrono::steady_clock::now();
  HONE_RETURN_IF_ERROR(link_shared({std::move(code.elf)}, target, {"hone_run"}));
  stages.link.push_back(ms_since(start));
  start = std::chrono::steady_clock::now();
  HONE_RETURN_IF_ERROR(compile(candidate));
  stages.all.push_back(ms_since(start));
  return {};
}

/// What a point costs that is looked at and not built: all points of the record's spaces, at most 1,024, in
/// ms each.
Result<double> describe_all(const Record& record) {
  HONE_TRY(Task task, parse_task(record.candidate.task));
  HONE_TRY(Target target, parse_target(record.candidate.target));
  HONE_TRY(Ports ports, parse_ports(record.candidate.ports));
  HONE_TRY(TaskSpace space, TaskSpace::make(*any_task(task), std::move(target), ports));
  int64_t points = 0;
  const auto start = std::chrono::steady_clock::now();
  for (const PointSpace& one : space.spaces())
    for (int64_t i = 0, n = search::point_count(one); i < n && points < 1024; ++i, ++points)
      (void)space.describe(search::point_at(one, i));
  return ms_since(start) / static_cast<double>(std::max<int64_t>(1, points));
}

double mean(const std::vector<double>& ms) {
  double sum = 0;
  for (double one : ms) sum += one;
  return ms.empty() ? 0 : sum / static_cast<double>(ms.size());
}

int run(const char* log, size_t every, bool passes) {
  auto database = LogDatabase::open(log);
  if (!database) {
    std::fprintf(stderr, "%s\n", database.error().text().c_str());
    return 1;
  }
  llvm::TimePassesIsEnabled = passes;
  std::map<std::string, Stages> by_formulation;
  for (size_t i = 0; i < database->records().size(); i += every) {
    const Record& record = database->records()[i];
    if (record.from.final) continue;
    if (auto built = build(record, by_formulation[record.candidate.formulation]); !built)
      fmt::print("{}\n", built.error().text());
  }
  fmt::print("{:14} {:>5} {:>9} {:>9} {:>9} {:>9} {:>12}   ms, means; all of compile also as its median\n",
             "formulation", "n", "lower", "features", "emit run", "link", "all");
  Stages all;
  auto print = [](const std::string& name, const Stages& s) {
    fmt::print("{:14} {:5} {:9.2f} {:9.2f} {:9.2f} {:9.2f} {:6.2f} {:5.2f}\n", name, s.all.size(),
               mean(s.lower), mean(s.features), mean(s.emit), mean(s.link), mean(s.all), median(s.all));
  };
  for (const auto& [name, s] : by_formulation) {
    if (s.all.empty()) continue;
    print(name, s);
    for (auto part : {&Stages::lower, &Stages::features, &Stages::emit, &Stages::link, &Stages::all})
      (all.*part).insert((all.*part).end(), (s.*part).begin(), (s.*part).end());
  }
  if (!all.all.empty()) print("together", all);
  std::map<Digest, double> described;
  for (const Record& record : database->records()) {
    if (described.contains(record.task_key)) continue;
    const auto ms = describe_all(record);
    if (ms) described[record.task_key] = *ms;
  }
  std::vector<double> each;
  for (const auto& [key, ms] : described) each.push_back(ms);
  if (!each.empty())
    fmt::print("looking at a point: {:.3f} ms in the mean of {} tasks, median {:.3f}\n", mean(each),
               each.size(), median(each));
  if (passes) llvm::reportAndResetTimings(&llvm::outs());
  return 0;
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: building LOG.h5 [EVERY [TIME_PASSES]]\n");
    return 2;
  }
  return hone::run(argv[1], argc > 2 ? static_cast<size_t>(std::max(1, std::atoi(argv[2]))) : 1, argc > 3);
}
