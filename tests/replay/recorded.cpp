#include "tests/replay/recorded.h"

#include <algorithm>
#include <set>

#include "codegen/base/digest.h"
#include "codegen/formulation/formulation.h"
#include "codegen/loop/loop.h"
#include "cost_model/features/features.h"
#include "tuner/search/lowered_record.h"

namespace hone::replay {
namespace {

/// What a task's records share.
struct Context {
  Task task;
  Target target;
  Ports ports;
};

Result<Context> context_of(const Record& record) {
  Context context;
  HONE_TRY(context.task, parse_task(record.candidate.task));
  HONE_TRY(context.target, parse_target(record.candidate.target));
  HONE_TRY(context.ports, parse_ports(record.candidate.ports));
  return context;
}

/// Spaces made of the choices met, one a formulation; the one of the first record leads.
std::vector<PointSpace> spaces_of(const std::vector<RecordedPoint>& points) {
  std::vector<PointSpace> spaces;
  std::map<std::string, std::map<std::string, std::set<int64_t>>> choices;
  for (const RecordedPoint& recorded : points) {
    const Point& point = recorded.point;
    if (!choices.contains(point.formulation)) spaces.push_back({point.formulation, {}, point.parameters});
    auto& of_point = choices[point.formulation];
    for (const auto& [name, value] : point.parameters) of_point[name].insert(value);
  }
  for (PointSpace& space : spaces)
    for (const auto& [name, values] : choices[space.formulation])
      space.space.push_back({name, {values.begin(), values.end()}});
  return spaces;
}

}  // namespace

Result<std::vector<RecordedTask>> read_recorded(const std::vector<std::filesystem::path>& logs) {
  std::vector<RecordedTask> tasks;
  std::vector<Context> contexts;
  const Bodies bodies;
  RecordLowering lowering(bodies);
  std::map<std::string, size_t> place;
  std::set<std::string> programs;
  std::map<std::string, std::pair<size_t, size_t>> points;  ///< task and point
  std::map<std::pair<size_t, size_t>, std::vector<double>> times;
  for (const auto& path : logs) {
    HONE_TRY(const LogDatabase log, LogDatabase::open(path));
    for (const Record& record : log.records()) {
      const Measurement& measured = record.measurement;
      const bool has_time =
          measured.status == MeasureStatus::ok || measured.status == MeasureStatus::raced_out;
      if (!has_time || record.from.final || measured.median_ns <= 0) continue;
      const std::string group = record.task_key.hex() + "\n" + record.candidate.ports + "\n" +
                                record.board.id + "\n" + std::string(to_text(measured.mode)) +
                                std::to_string(measured.threads);
      const auto [entry, is_new] = place.emplace(group, tasks.size());
      if (is_new) {
        HONE_TRY(Context context, context_of(record));
        RecordedTask task;
        task.task = context.task;
        task.target = context.target;
        task.ports = context.ports;
        contexts.push_back(std::move(context));
        task.name = record.task_summary;
        task.shape = task.name.substr(0, task.name.find(" +"));
        task.key = record.task_key;
        tasks.push_back(std::move(task));
      }
      RecordedTask& task = tasks[entry->second];
      const std::string name =
          group + "\n" + record.candidate.formulation + " " + record.candidate.parameters;
      if (const auto known = points.find(name); known != points.end()) {
        if (record.from.repetition > 0) times[known->second].push_back(measured.median_ns);
        continue;
      }
      Context& context = contexts[entry->second];
      const Result<loop::Program> program =
          lowering.lower({record.candidate.task, record.candidate.target, record.candidate.formulation, 0,
                          record.candidate.ports, record.candidate.parameters, record.candidate.schedule});
      const Result<Parameters> parameters = parse_parameters(record.candidate.parameters);
      if (!program || !parameters) continue;
      RecordedPoint point;
      point.point = {record.candidate.formulation, *parameters};
      point.features = features_of(*program, context.target);
      point.first_ns = measured.median_ns;
      point.cost = static_cost(*program, context.target);
      point.program = digest_of(loop::to_text(*program));
      if (!programs.insert(group + point.program.hex()).second) continue;
      task.whole = record.from.job == "exhaustive";
      const std::pair place_of_point(entry->second, task.points.size());
      points.emplace(name, place_of_point);
      times[place_of_point].push_back(measured.median_ns);
      task.points.push_back(std::move(point));
    }
  }
  for (auto& [at, of_point] : times) {
    RecordedTask& task = tasks[at.first];
    std::ranges::sort(of_point);
    const double ns = (of_point[(of_point.size() - 1) / 2] + of_point[of_point.size() / 2]) / 2;
    task.points[at.second].ns = ns;
    task.points[at.second].times = static_cast<int>(of_point.size());
    task.best_ns = at.second == 0 ? ns : std::min(task.best_ns, ns);
  }
  for (RecordedTask& task : tasks) task.spaces = spaces_of(task.points);
  return tasks;
}

}  // namespace hone::replay
