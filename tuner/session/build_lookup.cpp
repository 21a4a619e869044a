// Records of a log as the planner's choices.
#include <map>
#include <memory>

#include "tuner/session/build.h"

namespace hone::session {

Result<Lookup> lookup_in_log(const std::string& log, const Target& target, int threads,
                             const std::string& board_model, LookupCounts& counts,
                             const PlanOptions& options) {
  HONE_TRY(LogDatabase opened, LogDatabase::open(log));
  return lookup_in(std::move(opened), target, threads, board_model, counts, options);
}

Lookup lookup_in(LogDatabase opened, const Target& target, int threads, const std::string& board_model,
                 LookupCounts& counts, const PlanOptions& options) {
  auto database = std::make_shared<const LogDatabase>(std::move(opened));
  auto known = std::make_shared<std::map<Digest, std::optional<Choice>>>();
  return Lookup([=, text = to_text(target), &counts](const Task& task) -> std::optional<Choice> {
    if (const auto found = known->find(task.key); found != known->end()) return found->second;
    BestQuery query;
    query.task_key = task.key;
    query.target = text;
    query.threads = threads;
    query.board_model = board_model;
    if (options.strict || options.max_weight_growth > 0) {
      query.formulations.emplace();
      for (const Formulation& one : formulations())
        if (may_use(one, task, target, options)) query.formulations->emplace_back(one.name);
    }
    const Record* record = database->best(query);
    if (record == nullptr && threads != 1) {
      query.threads = 1;
      record = database->best(query);
      if (record != nullptr) ++counts.near;
    }
    std::optional<Choice> choice;
    if (record != nullptr) {
      auto parameters = parse_parameters(record->candidate.parameters);
      if (parameters)
        choice = Choice{record->candidate.formulation, std::move(*parameters),
                        record->measurement.median_ns * 1e-9};
    }
    return (*known)[task.key] = choice;
  });
}

}  // namespace hone::session
