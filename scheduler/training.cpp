// Groups are numbered as they come; rows of another length than the newest one's are left out.
#include "scheduler/training.h"

#include <map>

#include "scheduler/transfer.h"

namespace hone::scheduler {
namespace {

bool has_time(const Measurement& measured) {
  return measured.status == MeasureStatus::ok || measured.status == MeasureStatus::raced_out;
}

/// Whether a model may learn from this record, whatever the version of its features.
bool is_lesson(const Record& record, NearTargets& is_near) {
  const Measurement& measured = record.measurement;
  return !record.features.empty() && !record.from.final &&
         (has_time(measured) ? measured.median_ns > 0 : is_candidates_fault(measured.status)) &&
         is_near(record.candidate.target);
}

}  // namespace

std::optional<TrainRequest> training_rows(const std::vector<const std::vector<Record>*>& logs,
                                          const std::string& target, int version, const Settings& settings) {
  TrainRequest request;
  NearTargets is_near(target);
  std::map<std::string, int> groups;
  size_t times = 0;
  for (const std::vector<Record>* records : logs)
    for (size_t i = records->size(); i-- > 0 && request.scores.size() < settings.train_rows;) {
      const Record& record = (*records)[i];
      const Measurement& measured = record.measurement;
      if (record.feature_version != version || !is_lesson(record, is_near)) continue;
      if (!request.rows.add(record.features)) continue;
      const std::string group = record.task_key.hex() + "\n" + record.candidate.target + "\n" +
                                record.candidate.ports + "\n" + record.board.id + "\n" +
                                std::to_string(measured.threads) + std::string(to_text(measured.mode));
      request.groups.push_back(groups.try_emplace(group, static_cast<int>(groups.size())).first->second);
      request.scores.push_back(has_time(measured) ? 1e6 / measured.median_ns : 0);
      times += has_time(measured) ? 1 : 0;
    }
  if (times < 2) return std::nullopt;
  return request;
}

std::deque<FeatureRow> stale_rows(const std::vector<const std::vector<Record>*>& logs,
                                  const std::string& target, int version, const Settings& settings) {
  std::deque<FeatureRow> stale;
  NearTargets is_near(target);
  size_t rows = 0;
  for (size_t log = 0; log < logs.size(); ++log)
    for (size_t i = logs[log]->size(); i-- > 0 && rows < settings.train_rows;) {
      const Record& record = (*logs[log])[i];
      if (record.feature_version > version || record.candidate.schedule.empty() ||
          !is_lesson(record, is_near))
        continue;
      ++rows;
      if (record.feature_version < version) stale.push_back({log > 0, i});
    }
  return stale;
}

}  // namespace hone::scheduler
