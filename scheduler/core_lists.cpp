// What clients may look at: the jobs as they are now.
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
    summary.target = job.request.target;
    summary.board_model = job.board_model;
    if (id != 0) summary.tasks = job.request.tasks;
    summary.max_trials = job.request.max_trials;
    summary.max_seconds = job.request.max_seconds;
    summary.state = to_text(job.state);
    summary.reason = job.reason;
    summary.trials = job.trials();
    const Time spent = (is_terminal(job.state) ? job.ended : now_.steady) - job.started;
    summary.seconds = static_cast<double>(spent.count()) / 1000;
    summary.boards = job.boards;
    summary.tuners = job.tuners;
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

}  // namespace hone::scheduler
