// What clients may look at: jobs, records, the log in chunks, the scheduler itself.
#include <algorithm>

#include "scheduler/core.h"

namespace hone::scheduler {

void Core::list_jobs(const PeerId& peer, uint64_t id) {
  wire::Jobs answer;
  for (const auto& [number, job] : jobs_) {
    if (id != 0 && number != id) continue;
    wire::JobSummary summary;
    summary.job = number;
    summary.name = job.request.name;
    summary.board_model = job.board_models();
    if (id != 0)
      summary.parts = job.request.parts;
    else
      summary.parts.front().target = job.request.parts.front().target;
    summary.max_trials = job.request.max_trials;
    summary.max_seconds = job.request.max_seconds;
    summary.state = to_text(job.state);
    summary.reason = job.reason;
    summary.trials = job.trials();
    const Time spent = (is_terminal(job.state) ? job.ended : now_.steady) - job.started;
    summary.seconds = static_cast<double>(spent.count()) / 1000;
    summary.boards = job.boards;
    summary.tuners = job.tuners;
    summary.user = job.request.user;
    summary.priority = job.request.priority;
    summary.require = job.request.require;
    summary.limit_seconds = job.request.limit_seconds;
    summary.created_unix_ms = job.created_unix_ms;
    summary.board_ms = job.board_ms;
    answer.jobs.push_back(std::move(summary));
  }
  // The newest are asked for; the oldest do not fit.
  if (answer.jobs.size() > wire::Limits::tasks)
    answer.jobs.erase(answer.jobs.begin(), answer.jobs.end() - wire::Limits::tasks);
  if (id != 0 && answer.jobs.empty())
    send(peer, wire::NotUnderstood{"there is no job " + std::to_string(id)});
  else
    send(peer, std::move(answer));
}

void Core::query(const PeerId& peer, const wire::Query& query) {
  wire::Records answer;
  if (query.best_only) {
    std::set<Digest> keys(query.task_keys.begin(), query.task_keys.end());
    if (keys.empty())
      for (const Record& record : log_.records())
        if (record.candidate.target == query.target) keys.insert(record.task_key);
    BestQuery best;
    best.target = query.target;
    for (const Record* record : log_.best_of({keys.begin(), keys.end()}, best))
      if (record != nullptr) answer.records.push_back(*record);
  } else {
    LogQuery wanted;
    wanted.task_keys = query.task_keys;
    wanted.target = query.target;
    for (const Record* record : log_.query(wanted)) answer.records.push_back(*record);
  }
  if (answer.records.size() > wire::Limits::records) {
    send(peer, wire::NotUnderstood{std::to_string(answer.records.size()) +
                                   " records are too many for one answer: name tasks"});
    return;
  }
  send(peer, std::move(answer));
}

void Core::pull_log(const PeerId& peer, const wire::PullLog& wanted) {
  constexpr size_t most_records = 500, most_looked_at = 20000, most_bytes = size_t{8} << 20;
  Job* job = nullptr;
  if (wanted.job != 0) {
    const auto place = jobs_.find(wanted.job);
    if (place == jobs_.end()) {
      send(peer, wire::NotUnderstood{"there is no job " + std::to_string(wanted.job)});
      return;
    }
    job = &place->second;
    if (job->lanes.empty()) set_up_lanes(*job);
  }
  const auto& records = log_.records();
  wire::LogChunk chunk;
  chunk.total = records.size() - results_.waiting();  // what is not durable yet is at the end
  size_t bytes = 0;
  for (chunk.next = std::min(wanted.after, chunk.total); chunk.next < chunk.total; ++chunk.next) {
    const Record& record = records[chunk.next];
    if (chunk.records.size() == most_records || bytes > most_bytes ||
        chunk.next - wanted.after == most_looked_at)
      break;
    const auto is_of = [&](const Lane& lane) { return lane.task_of(record).has_value(); };
    if ((job != nullptr && std::ranges::none_of(job->lanes, is_of)) ||
        (!wanted.target.empty() && record.candidate.target != wanted.target))
      continue;
    bytes += 512 + record.candidate.task.size() + record.candidate.schedule.size() +
             record.candidate.ports.size() + record.features.size() * sizeof(float) +
             record.measurement.samples_ns.size() * sizeof(double) + record.measurement.message.size() +
             record.candidate.target.size();
    chunk.records.push_back(record);
  }
  send(peer, std::move(chunk));
}

void Core::status(const PeerId& peer) {
  wire::SchedulerStatus answer;
  answer.build = build_name;
  answer.records = log_.records().size();
  answer.durable = answer.records - results_.waiting();
  answer.trouble = trouble_;
  answer.conflicts = references_.summary();
  answer.up_ms = (now_.steady - born_).count();
  for (const auto& [id, other] : peers_)
    ++(other.role == wire::Role::runner  ? answer.boards
       : other.role == wire::Role::tuner ? answer.tuners
                                         : answer.clients);
  answer.malformed = counters_.malformed;
  answer.lost_workers = counters_.lost_workers;
  send(peer, std::move(answer));
}

}  // namespace hone::scheduler
