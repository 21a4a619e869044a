// How a job goes on: its states, its limits, its tasks, and what it waits for.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "scheduler/budget.h"
#include "scheduler/core.h"

namespace hone::scheduler {
namespace {

std::string milliseconds(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g ms", ms);
  return text;
}

/// "30", "0.2"
std::string seconds_text(double value) {
  std::string text = std::to_string(std::round(value * 10) / 10);
  text.resize(text.find('.') + 2);
  return text.ends_with(".0") ? text.substr(0, text.size() - 2) : text;
}

double seconds(Time time) { return static_cast<double>(time.count()) / 1000; }

}  // namespace

void Core::advance(Job& job) {
  if (is_terminal(job.state)) return;
  if (job.tasks.empty()) set_up_tasks(job);
  if (!job.followers.empty()) job.followed = now_.steady;
  if (settings_.abandon > Time(0) && job.state != JobState::stopping &&
      now_.steady - job.followed >= settings_.abandon)
    stop_job(job, "no client followed it for " + std::to_string(settings_.abandon.count() / 1000) + " s");
  if (job.state != JobState::stopping && job.request.limit_seconds > 0 &&
      seconds(now_.steady - job.started) >= job.request.limit_seconds) {
    const auto timed =
        std::ranges::count_if(job.tasks, [](const TaskState& task) { return task.has_time(); });
    set_state(job, JobState::failed,
              "its time limit of " + seconds_text(job.request.limit_seconds) +
                  " s passed: " + std::to_string(timed) + " of " + std::to_string(job.request.tasks.size()) +
                  " tasks have a time");
    return;
  }
  if (job.state == JobState::stopping) {
    if (durable_ >= job.stopped_after) set_state(job, JobState::stopped, job.reason);
    return;
  }
  if (!job.loaded && !job.board_model.empty()) {
    load(job);
    journal(state_entry(job.id, saved(job)));
  }
  if (job.loaded) {
    search_limits(job);
    for (size_t i = 0; i < job.tasks.size(); ++i) advance_task(job, i);
    if (job.all_done() && !reopen(job)) {
      const bool any = std::any_of(job.tasks.begin(), job.tasks.end(),
                                   [](const TaskState& task) { return task.has_time(); });
      if (any) {
        set_state(job, JobState::completed, job.search_over ? job.search_reason : "every task is finished");
      } else {
        std::string why = "no candidate of any task could be measured";
        const auto most =
            std::max_element(job.failed.begin(), job.failed.end(),
                             [](const auto& x, const auto& y) { return x.second.first < y.second.first; });
        if (most != job.failed.end())
          why += ": " + std::string(to_text(most->first)) + ": " + most->second.second;
        set_state(job, JobState::failed, why);
      }
      return;
    }
    if (job.state == JobState::starting && job.boards > 0 && job.tuners > 0)
      set_state(job, JobState::in_progress, "");
  }
  workers_missing(job);
  if (now_.steady - job.last_snapshot >= settings_.snapshot && !is_terminal(job.state)) {
    job.last_snapshot = now_.steady;
    out_.jobs.push_back(state_entry(job.id, saved(job)));
  }
}

/// "; b1 is Bad: ..." for the boards that the job could have had.
std::string Core::unusable_boards(const Job& job) {
  std::string out;
  for (const auto& [name, board] : boards_.all()) {
    if ((!job.board_model.empty() && job.board_model != board.board.model) ||
        !has_all_of(board.board.target, job.target))
      continue;
    if (!board.has(job.request.require))
      out += "; " + name + " lacks the labels";
    else
      out += "; " + name + " is " + std::string(to_text(board.state)) + ": " + board.reason;
    if (out.size() > 500) return out + "; and others";
  }
  return out;
}

void Core::workers_missing(Job& job) {
  if (job.boards > 0 && job.tuners > 0) {
    job.waiting_since = now_.steady;
    return;
  }
  if (now_.steady - job.waiting_since < settings_.worker_wait) return;
  const std::string waited = " within " + std::to_string(settings_.worker_wait.count() / 1000) + " s";
  if (job.boards == 0)
    set_state(job, JobState::failed,
              "no board that fits the target" +
                  (job.board_model.empty() ? "" : " and is a " + job.board_model) + " was Good" + waited +
                  unusable_boards(job));
  else
    set_state(job, JobState::failed, "no tuner came" + waited);
}

void Core::search_limits(Job& job) {
  const wire::JobRequest& request = job.request;
  auto end = [&](const std::string& why) {
    if (job.search_over) return;
    job.search_over = true;
    job.search_reason = why;
  };
  if (request.max_trials > 0 && job.trials() >= request.max_trials)
    end("the log holds " + std::to_string(job.trials()) + " trials");
  if (request.max_trials > 0 && job.candidates >= 2 * request.max_trials)
    end(std::to_string(job.candidates) + " candidates were tried");
  // What the finals then say counts: if that is over the target, the search goes on (see reopen).
  const double estimate = request.target_ms > 0 ? job.model_ms(true) : 0;
  if (estimate > 0 && estimate * job.target_trust <= request.target_ms && !job.search_over) {
    job.for_target = true;
    end("the model's tasks add up to " + milliseconds(estimate) + ", under the target of " +
        milliseconds(request.target_ms));
  }
  if (request.max_seconds <= 0) return;
  const double elapsed = seconds(now_.steady - job.started);
  const double finals =
      static_cast<double>(job.finals_ahead(settings_)) * job.measure_ms / 1000 / std::max(1u, job.boards);
  if (elapsed >= request.max_seconds - std::min(finals, 0.4 * request.max_seconds)) end("the time is up");
  if (elapsed < request.max_seconds) return;
  const bool overdue = elapsed > request.max_seconds * 1.1 + 2;
  for (size_t i = 0; i < job.tasks.size(); ++i) {
    if (job.tasks[i].phase == TaskPhase::done) continue;
    job.tasks[i].finals_made = true;
    cancel(job, i, overdue);
  }
}

bool Core::reopen(Job& job) {
  if (!job.for_target) return false;
  job.for_target = false;
  const double estimate = job.model_ms(true), confirmed = job.model_ms();
  if (confirmed <= job.request.target_ms) {
    job.search_reason = "the model's tasks add up to " + milliseconds(confirmed) + ", under the target of " +
                        milliseconds(job.request.target_ms);
    return false;
  }
  bool any = false;
  for (TaskState& task : job.tasks) {
    if (task.settled || task.exhausted) continue;
    task.phase = TaskPhase::search;
    task.finals_made = false;
    any = true;
  }
  job.search_reason = "the finals add up to " + milliseconds(confirmed) + ", over the target of " +
                      milliseconds(job.request.target_ms) + ", and every task is finished";
  if (!any) return false;
  job.target_trust = std::max(job.target_trust, confirmed / estimate);
  job.search_over = false;
  job.changed = true;
  return true;
}

void Core::advance_task(Job& job, size_t index) {
  TaskState& task = job.tasks[index];
  if (task.phase == TaskPhase::search) {
    const bool may_settle = !job.request.more || task.new_trials > settings_.settle_trials;
    // Below a quarter of the window no share settles a task, and the share costs a look at all of them.
    const bool may_be = !task.has_time() || task.trials() > settings_.settle_trials / 4;
    task.settled =
        task.settled || (may_settle && may_be && is_settled(task, settings_, share_of_model(job, index)));
    if (job.search_over || task.settled)
      cancel(job, index, false);
    else if (!task.exhausted || task.rounds > 0)
      return;
    if (task.measuring > 0) return;
    task.phase = TaskPhase::finals;
    job.changed = true;
  }
  if (task.phase == TaskPhase::finals) {
    if (!task.finals_made) make_finals(job, index);
    if (task.measuring == 0) task.phase = TaskPhase::done;
  }
}

}  // namespace hone::scheduler
