// Records of a log as the planner's choices, and the small parsers of `hone build`.
#include <charconv>
#include <map>
#include <memory>

#include "logs/database.h"
#include "tuner/cli/build.h"

namespace hone::cli {

Result<std::vector<float>> parse_floats(std::string_view text) {
  std::vector<float> values;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    float value = 0;
    const auto [end, problem] = std::from_chars(text.data() + at, text.data() + comma, value);
    if (problem != std::errc() || end != text.data() + comma)
      return fail("'" + std::string(text) + "' is no list of numbers such as 0.485,0.456,0.406");
    values.push_back(value);
    at = comma + 1;
  }
  return values;
}

Result<float> parse_scale(std::string_view text) {
  const size_t slash = text.find('/');
  const auto one = parse_floats(text.substr(0, slash));
  const auto other =
      slash == std::string_view::npos ? parse_floats("1") : parse_floats(text.substr(slash + 1));
  if (!one || !other || one->size() != 1 || other->size() != 1 || (*other)[0] == 0)
    return fail("'" + std::string(text) + "' is no number such as 0.5 or 1/255");
  return (*one)[0] / (*other)[0];
}

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

}  // namespace hone::cli
