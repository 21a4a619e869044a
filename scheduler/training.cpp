// Groups are numbered as they come; rows of another length than the newest one's are left out.
#include "scheduler/training.h"

#include <map>

#include "scheduler/transfer.h"

namespace hone::scheduler {

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
      const bool has_time =
          measured.status == MeasureStatus::ok || measured.status == MeasureStatus::raced_out;
      if (record.feature_version != version || record.features.empty() || record.final ||
          (!has_time && !is_candidates_fault(measured.status)) || (has_time && measured.median_ns <= 0) ||
          !is_near(record.target))
        continue;
      if (!request.rows.add(record.features)) continue;
      const std::string group = record.task_key + "\n" + record.target + "\n" + record.ports + "\n" +
                                record.board_id + "\n" + std::to_string(measured.threads) +
                                std::string(to_text(measured.mode));
      request.groups.push_back(groups.try_emplace(group, static_cast<int>(groups.size())).first->second);
      request.scores.push_back(has_time ? 1e6 / measured.median_ns : 0);
      times += has_time ? 1 : 0;
    }
  if (times < 2) return std::nullopt;
  return request;
}

}  // namespace hone::scheduler
