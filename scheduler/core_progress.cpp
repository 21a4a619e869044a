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
  if (job.targets.empty() || job.lanes.empty()) set_up_lanes(job);
  if (!job.followers.empty()) job.followed = now_.steady;
  if (settings_.abandon > Time(0) && job.state != JobState::stopping &&
      now_.steady - job.followed >= settings_.abandon)
    stop_job(job, "no client followed it for " + std::to_string(settings_.abandon.count() / 1000) + " s");
  if (job.state != JobState::stopping && job.request.limit_seconds > 0 &&
      seconds(now_.steady - job.started) >= job.request.limit_seconds) {
    size_t timed = 0, all = job.lanes.empty() ? job.request.parts.front().tasks.size() : 0;
    for (const Lane& lane : job.lanes) {
      all += lane.tasks.size();
      timed += static_cast<size_t>(
          std::ranges::count_if(lane.tasks, [](const TaskState& task) { return task.has_time(); }));
    }
    set_state(job, JobState::failed,
              "its time limit of " + seconds_text(job.request.limit_seconds) + " s passed: " +
                  std::to_string(timed) + " of " + std::to_string(all) + " tasks have a time");
    return;
  }
  if (job.state == JobState::stopping) {
    if (results_.is_durable(job.stopped_after)) set_state(job, JobState::stopped, job.reason);
    return;
  }
  for (Lane& lane : job.lanes) {
    if (lane.loaded) continue;
    load(job, lane);
    journal(state_entry(job.id, saved(job)));
  }
  if (!job.lanes.empty()) {
    if (advance_lanes(job)) return;
    if (job.state == JobState::starting && job.boards > 0 && job.tuners > 0)
      set_state(job, JobState::in_progress, "");
  }
  workers_missing(job);
  if (now_.steady - job.last_snapshot >= settings_.snapshot && !is_terminal(job.state)) {
    job.last_snapshot = now_.steady;
    out_.jobs.push_back(state_entry(job.id, saved(job)));
  }
}

bool Core::advance_lanes(Job& job) {
  bool is_done = true, any = false;
  for (size_t index = 0; index < job.lanes.size(); ++index) {
    search_limits(job, index);
    for (size_t i = 0; i < job.lanes[index].tasks.size(); ++i) advance_task(job, index, i);
    Lane& lane = job.lanes[index];
    is_done = is_done && lane.all_done() && !reopen(job, lane);
    any = any || std::ranges::any_of(lane.tasks, [](const TaskState& task) { return task.has_time(); });
  }
  // A target that no board had yet is waited for as long as a job waits for its first board.
  std::string missing;
  for (size_t part = 0; part < job.request.parts.size(); ++part)
    if (std::ranges::none_of(job.lanes, [&](const Lane& lane) { return lane.part == part; }))
      missing += "; no board for " + job.request.parts[part].target + " was Good within " +
                 std::to_string(settings_.worker_wait.count() / 1000) + " s";
  if (!missing.empty() && now_.steady - job.started < settings_.worker_wait) return false;
  if (!is_done) return false;
  if (any) {
    std::string why;  // each reason once, with its board where there are several
    std::set<std::string> reasons;
    for (const Lane& lane : job.lanes) {
      const std::string reason = lane.search_over ? lane.search_reason : "every task is finished";
      const std::string said = job.lanes.size() == 1 ? reason : lane.board_model + ": " + reason;
      if (reasons.insert(said).second) why += (why.empty() ? "" : "; ") + said;
    }
    set_state(job, JobState::completed, why + missing);
    return true;
  }
  std::string why = "no candidate of any task could be measured";
  const auto most = std::max_element(job.failed.begin(), job.failed.end(), [](const auto& x, const auto& y) {
    return x.second.first < y.second.first;
  });
  if (most != job.failed.end()) why += ": " + std::string(to_text(most->first)) + ": " + most->second.second;
  set_state(job, JobState::failed, why);
  return true;
}

/// "; b1 is Bad: ..." for the boards that the job could have had.
std::string Core::unusable_boards(const Job& job) {
  std::string out;
  for (const auto& [name, board] : boards_.all()) {
    const bool has_a_target = std::ranges::any_of(
        job.targets, [&](const Target& target) { return runs_on(board.board.target, target); });
    if ((!job.request.board_model.empty() && job.request.board_model != board.board.model) || !has_a_target)
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
    for (size_t i = 0; i < job.lanes.size(); ++i) {
      Lane& lane = job.lanes[i];
      if (lane.boards > 0 || lane.all_done())
        lane.waiting_since = now_.steady;
      else if (now_.steady - lane.waiting_since >= settings_.worker_wait)
        close_lane(
            job, i,
            "none of its boards was Good for " + std::to_string(settings_.worker_wait.count() / 1000) + " s");
    }
    return;
  }
  for (Lane& lane : job.lanes) lane.waiting_since = now_.steady;
  if (now_.steady - job.waiting_since < settings_.worker_wait) return;
  const std::string waited = " within " + std::to_string(settings_.worker_wait.count() / 1000) + " s";
  if (job.boards == 0)
    set_state(job, JobState::failed,
              "no board that fits the target" +
                  (job.board_models().empty() ? "" : " and is a " + job.board_models()) + " was Good" +
                  waited + unusable_boards(job));
  else
    set_state(job, JobState::failed, "no tuner came" + waited);
}

/// What its boards have not finished is left; the other lanes go on.
void Core::close_lane(Job& job, size_t index, const std::string& why) {
  Lane& lane = job.lanes[index];
  cancel(job, index, std::nullopt, true);
  lane.search_over = true;
  lane.for_target = false;
  lane.search_reason = why;
  for (TaskState& task : lane.tasks) {
    task.finals_made = true;
    task.phase = TaskPhase::done;
  }
  job.changed = true;
  out_.notes.push_back("job " + std::to_string(job.id) + " goes on without " + lane.board_model + ": " + why);
}

void Core::search_limits(Job& job, size_t index) {
  Lane& lane = job.lanes[index];
  const wire::JobRequest& request = job.request;
  auto end = [&](const std::string& why) {
    if (lane.search_over) return;
    lane.search_over = true;
    lane.search_reason = why;
  };
  if (request.max_trials > 0 && lane.trials() >= request.max_trials)
    end("the log holds " + std::to_string(lane.trials()) + " trials");
  if (request.max_trials > 0 && lane.candidates >= 2 * request.max_trials)
    end(std::to_string(lane.candidates) + " candidates were tried");
  // What the finals then say counts: if that is over the target, the search goes on (see reopen).
  const double estimate = request.target_ms > 0 ? lane.model_ms(true) : 0;
  if (estimate > 0 && estimate * lane.target_trust <= request.target_ms && !lane.search_over) {
    lane.for_target = true;
    end("the model's tasks add up to " + milliseconds(estimate) + ", under the target of " +
        milliseconds(request.target_ms));
  }
  if (request.max_seconds <= 0) return;
  const double elapsed = seconds(now_.steady - job.started);
  const double finals =
      static_cast<double>(lane.finals_ahead(settings_)) * lane.measure_ms / 1000 / std::max(1u, lane.boards);
  if (elapsed >= request.max_seconds - std::min(finals, 0.4 * request.max_seconds)) end("the time is up");
  if (elapsed < request.max_seconds) return;
  const bool overdue = elapsed > request.max_seconds * 1.1 + 2;
  for (size_t i = 0; i < lane.tasks.size(); ++i) {
    if (lane.tasks[i].phase == TaskPhase::done) continue;
    lane.tasks[i].finals_made = true;
    cancel(job, index, i, overdue);
  }
}

bool Core::reopen(Job& job, Lane& lane) {
  if (!lane.for_target) return false;
  lane.for_target = false;
  const double estimate = lane.model_ms(true), confirmed = lane.model_ms();
  if (confirmed <= job.request.target_ms) {
    lane.search_reason = "the model's tasks add up to " + milliseconds(confirmed) + ", under the target of " +
                         milliseconds(job.request.target_ms);
    return false;
  }
  bool any = false;
  for (TaskState& task : lane.tasks) {
    if (task.settled || task.exhausted) continue;
    task.phase = TaskPhase::search;
    task.finals_made = false;
    task.finalists.clear();
    task.final_round = 0;
    task.final_winner.clear();
    any = true;
  }
  lane.search_reason = "the finals add up to " + milliseconds(confirmed) + ", over the target of " +
                       milliseconds(job.request.target_ms) + ", and every task is finished";
  if (!any) return false;
  lane.target_trust = std::max(lane.target_trust, confirmed / estimate);
  lane.search_over = false;
  job.changed = true;
  return true;
}

void Core::advance_task(Job& job, size_t lane_index, size_t index) {
  Lane& lane = job.lanes[lane_index];
  TaskState& task = lane.tasks[index];
  if (task.phase == TaskPhase::search) {
    const bool may_settle = !job.request.more || task.new_trials > settings_.settle_trials;
    // Below a quarter of the window no share settles a task, and the share costs a look at all of them.
    const bool may_be = !task.has_time() || task.trials() > settings_.settle_trials / 4;
    task.settled =
        task.settled || (may_settle && may_be && is_settled(task, settings_, share_of_model(lane, index)));
    if (lane.search_over || task.settled)
      cancel(job, lane_index, index, false);
    else if (!task.exhausted || task.rounds > 0)
      return;
    if (task.measuring > 0) return;
    task.phase = TaskPhase::finals;
    job.changed = true;
  }
  if (task.phase == TaskPhase::finals) {
    if (!task.finals_made && task.measuring == 0) make_finals(job, lane_index, index);
    if (task.finals_made && task.measuring == 0) task.phase = TaskPhase::done;
  }
}

}  // namespace hone::scheduler
