#include "tuner/session/logs.h"

#include <sstream>

#include "logs/export.h"
#include "logs/record_log.h"

namespace hone::session {

Result<Pulled> pull(const PullRequest& request) {
  HONE_TRY(const LogDatabase pulled, pull_log(request.lab, request.job, request.target));
  HONE_TRY(RecordLog log, RecordLog::open(request.output));
  Pulled result;
  result.records = pulled.records().size();
  for (const Record& record : pulled.records()) {
    HONE_TRY(const bool is_new, log.append(record));
    result.fresh += is_new ? 1 : 0;
  }
  HONE_RETURN_IF_ERROR(log.sync());
  HONE_RETURN_IF_ERROR(log.close());
  return result;
}

Result<Exported> export_log(const ExportRequest& request) {
  HONE_TRY(const LogDatabase log, LogDatabase::open(request.log));
  LogQuery query;
  query.target = request.target;
  query.ok_only = request.ok_only;
  if (!request.task.empty()) {
    auto key = parse_digest(request.task);
    if (!key) return fail(key.error().what, "--task", key.error().hint);
    query.task_keys = {*key};
  }
  const std::vector<const Record*> records = log.query(query);
  std::ostringstream text;
  (request.json ? export_json_lines : export_csv)(records, text);
  return Exported{text.str(), records.size(), log.records().size(), log.warnings()};
}

}  // namespace hone::session
