// What clients may look at: the jobs and the boards, as they are now.
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

void Core::list_boards(const PeerId& peer) {
  wire::Boards answer;
  for (const auto& [id, board] : peers_) {
    if (board.role != wire::Role::runner || answer.boards.size() == wire::Limits::tasks) continue;
    wire::BoardSummary summary;
    summary.name = board.name;
    summary.board = to_text(board.board);
    summary.labels = board.labels;
    std::set<uint64_t> jobs;
    for (const uint64_t work : board.leases) jobs.insert(works_.at(work).job);
    summary.jobs.assign(jobs.begin(), jobs.end());
    summary.leases = static_cast<uint32_t>(board.leases.size());
    summary.measured = board.measured;
    summary.failed = board.failed;
    if (board.leases.empty()) summary.idle_ms = (now_.steady - board.idle_since).count();
    summary.silent_ms = (now_.steady - board.heard).count();
    summary.temperature_celsius = board.temperature_celsius;
    summary.frequency_mhz = board.frequency_mhz;
    answer.boards.push_back(std::move(summary));
  }
  std::ranges::stable_sort(answer.boards, {}, &wire::BoardSummary::name);
  send(peer, std::move(answer));
}

}  // namespace hone::scheduler
