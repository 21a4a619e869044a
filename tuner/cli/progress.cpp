// Tables and totals from job events.
#include "tuner/cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "codegen/base/printable.h"

namespace hone::cli {

using session::lane_views;
using session::LaneView;
using session::model_time;
using session::ModelTime;
using session::new_trials;
using session::progress_of;

namespace {

std::string time_text(double ns) { return ns > 0 ? format_seconds(ns * 1e-9) : "-"; }

std::string gflops_text(const TunedTask& task, double ns) {
  return ns > 0 && task.flops > 0 ? fmt::format("{:.1f}", task.flops / ns) : "-";
}

nlohmann::ordered_json best_json(const std::vector<TunedTask>& tasks, const wire::JobEvent& event) {
  auto best = nlohmann::ordered_json::array();
  for (size_t i = 0; i < tasks.size(); ++i) {
    const wire::TaskProgress progress = progress_of(event, i);
    best.push_back({{"task", tasks[i].summary},
                    {"key", tasks[i].key.hex()},
                    {"count", tasks[i].count},
                    {"trials", progress.trials},
                    {"new_trials", progress.new_trials},
                    {"first_ms", progress.first_ns * 1e-6},
                    {"best_ms", progress.best_ns * 1e-6},
                    {"gflops", progress.best_ns > 0 ? tasks[i].flops / progress.best_ns : 0},
                    {"finished", progress.finished}});
  }
  return best;
}

/// "board  MODEL, 2 now: the log holds 40 trials"; empty if there is only one lane.
std::string heading_of(const LaneView& view) {
  if (view.board_model.empty()) return "";
  return fmt::format("board  {}, {} now{}", view.board_model, view.event.boards,
                     view.reason.empty() ? "" : ": " + view.reason);
}

uint64_t failures(const wire::JobEvent& event) {
  uint64_t sum = 0;
  for (const wire::Failure& failure : event.failed) sum += failure.count;
  return sum;
}

}  // namespace

std::vector<std::string> lane_lines(const TunedParts& parts, const wire::JobEvent& event) {
  std::vector<std::string> lines;
  for (const LaneView& view : lane_views(parts, event)) {
    if (const std::string heading = heading_of(view); !heading.empty()) lines.push_back(heading);
    for (std::string& line : task_table(*view.tasks, view.event, view.tasks->size()))
      lines.push_back(std::move(line));
    lines.push_back(total_line(*view.tasks, view.event));
  }
  return lines;
}

std::vector<std::string> task_table(const std::vector<TunedTask>& tasks, const wire::JobEvent& event,
                                    size_t rows) {
  std::vector<size_t> order(tasks.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const auto total = [&](size_t i) {
    const wire::TaskProgress progress = progress_of(event, i);
    return std::pair(progress.best_ns * tasks[i].count, tasks[i].flops * tasks[i].count);
  };
  std::ranges::stable_sort(order, std::greater<>(), total);
  Table table({"task", "x", "trials", "first", "best", "gain", "GFLOP/s", ""});
  const size_t shown = std::min(rows, order.size());
  for (size_t row = 0; row < shown; ++row) {
    const TunedTask& task = tasks[order[row]];
    const wire::TaskProgress progress = progress_of(event, order[row]);
    const bool both = progress.first_ns > 0 && progress.best_ns > 0;
    table.add({task.summary, std::to_string(task.count), format_count(progress.trials),
               time_text(progress.first_ns), time_text(progress.best_ns),
               both ? fmt::format("{:.2f}x", progress.first_ns / progress.best_ns) : "-",
               gflops_text(task, progress.best_ns), progress.finished && progress.best_ns > 0 ? "done" : ""});
  }
  std::vector<std::string> lines = table.lines();
  if (shown < tasks.size()) lines.push_back(fmt::format("... and {} more tasks", tasks.size() - shown));
  return lines;
}

std::string total_line(const std::vector<TunedTask>& tasks, const wire::JobEvent& event) {
  const uint64_t fresh = new_trials(event);
  std::string line = fmt::format("total {} trials", format_count(static_cast<double>(event.trials)));
  if (event.seconds > 0 && fresh > 0)
    line += fmt::format(" ({:.1f}/s)", static_cast<double>(fresh) / event.seconds);
  if (event.measured_before > 0) {
    line +=
        fmt::format(", {} of them measured before", format_count(static_cast<double>(event.measured_before)));
  }
  if (const uint64_t failed = failures(event); failed > 0) {
    line += fmt::format(", {} failed (", failed);
    for (size_t i = 0; i < event.failed.size(); ++i) {
      line += fmt::format("{}{} {}", i ? ", " : "", event.failed[i].count, to_text(event.failed[i].status));
    }
    line += ")";
  }
  if (const ModelTime time = model_time(tasks, event); time.best_ms > 0) {
    line += fmt::format("   {} -> {}{}", format_seconds(time.first_ms * 1e-3),
                        format_seconds(time.best_ms * 1e-3), time.complete ? "" : " (so far)");
  }
  if (event.eta_seconds > 0) {
    line += fmt::format("   {} left", event.eta_seconds < 60
                                          ? fmt::format("{:.0f} s", std::ceil(event.eta_seconds))
                                          : format_seconds(event.eta_seconds));
  }
  return line;
}

std::vector<std::string> failure_lines(const wire::JobEvent& event) {
  std::vector<std::string> lines;
  for (const wire::Failure& failure : event.failed) {
    if (failure.count == 0) continue;
    lines.push_back(fmt::format("{} {}, e.g. {}", failure.count, to_text(failure.status), failure.example));
  }
  return lines;
}

std::vector<std::string> stage_lines(const wire::JobEvent& event) {
  const wire::Stages& stages = event.stages;
  const double board = stages.upload_ms + stages.check_ms + stages.run_ms + stages.idle_ms;
  const double building = stages.propose_ms + stages.build_ms;
  const auto part = [](const char* name, double ms, double whole) {
    return fmt::format("{} {:.1f} s ({:.0f} %)", name, ms / 1e3, whole > 0 ? 100 * ms / whole : 0);
  };
  std::vector<std::string> lines;
  lines.push_back(fmt::format("builders  {}, {}", part("propose", stages.propose_ms, building),
                              part("build", stages.build_ms, building)));
  lines.push_back(fmt::format("boards    {}, {}, {}, {}", part("upload", stages.upload_ms, board),
                              part("check", stages.check_ms, board), part("run", stages.run_ms, board),
                              part("idle", stages.idle_ms, board)));
  const double trials = static_cast<double>(new_trials(event));
  if (trials > 0 && event.seconds > 0) {
    const auto rate = [&](const char* name, double ms) {
      return ms > 0 ? fmt::format("{} {}, ", name, format_count(std::round(trials / ms * 1e3))) : "";
    };
    lines.push_back(fmt::format("trials/s  {}{}{}{}{:.1f} together", rate("propose", stages.propose_ms),
                                rate("build", stages.build_ms),
                                rate("check", stages.upload_ms + stages.check_ms), rate("run", stages.run_ms),
                                trials / event.seconds));
  }
  return lines;
}

std::string tune_json(const std::string& model, const TunedParts& parts, const wire::JobEvent& event) {
  const std::vector<TunedTask>& tasks = parts.front();
  const ModelTime time = model_time(tasks, event);
  nlohmann::ordered_json json;
  json["model"] = model;
  json["state"] = event.state;
  json["reason"] = event.reason;
  json["trials"] = event.trials;
  json["new_trials"] = new_trials(event);
  json["candidates"] = event.candidates;
  json["failed"] = nlohmann::ordered_json::object();
  for (const wire::Failure& failure : event.failed)
    json["failed"][std::string(to_text(failure.status))] = failure.count;
  json["measured_before"] = event.measured_before;
  json["seconds"] = event.seconds;
  json["first_ms"] = time.first_ms;
  json["best_ms"] = time.best_ms;
  json["complete"] = time.complete;
  json["best"] = best_json(tasks, event);
  if (event.lanes.size() > 1) {
    json["lanes"] = nlohmann::ordered_json::array();
    for (const LaneView& view : lane_views(parts, event)) {
      const ModelTime own = model_time(*view.tasks, view.event);
      json["lanes"].push_back({{"target", view.part},
                               {"board_model", view.board_model},
                               {"trials", view.event.trials},
                               {"first_ms", own.first_ms},
                               {"best_ms", own.best_ms},
                               {"complete", own.complete},
                               {"best", best_json(*view.tasks, view.event)}});
    }
  }
  const wire::Stages& stages = event.stages;
  json["stages_ms"] = {{"propose", stages.propose_ms}, {"build", stages.build_ms},
                       {"upload", stages.upload_ms},   {"check", stages.check_ms},
                       {"run", stages.run_ms},         {"idle", stages.idle_ms}};
  return json_line(json);
}

std::vector<std::string> task_list(const std::vector<PlannedTask>& tasks) {
  Table table({"#", "x", "task", "operations"});
  for (size_t i = 0; i < tasks.size(); ++i) {
    const Task& task = tasks[i].candidate.task;
    table.add({std::to_string(i), std::to_string(tasks[i].count), summary(task),
               format_amount(task.flops(), "FLOP")});
  }
  return table.lines();
}

std::string news_line(const session::TuneNews& news, const std::string& scheduler) {
  struct Words {
    const std::string& scheduler;
    std::string operator()(const wire::JobEvent&) const { return ""; }
    std::string operator()(const session::ProgramDied& died) const {
      return fmt::format("{} died ({}): started again", died.program, died.how);
    }
    std::string operator()(const session::Stopping&) const {
      return "stopping; what was measured is in the log";
    }
    std::string operator()(const session::JobAccepted& accepted) const {
      return fmt::format("job {} was accepted", accepted.job);
    }
    std::string operator()(const session::JobGoesOn& left) const {
      return fmt::format(
          "job {0} goes on; 'hone jobs follow {0} --scheduler {1}' shows it again, "
          "'hone jobs stop {0} --scheduler {1}' ends it",
          left.job, scheduler);
    }
    std::string operator()(const session::SchedulerTrouble& trouble) const {
      return "the scheduler: " + trouble.what;
    }
  };
  return std::visit(Words{scheduler}, news);
}

void ProgressDisplay::show(const wire::JobEvent& event) {
  if (!output_.messages_are_terminal()) return;
  winsize size = {};
  const bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 8 && size.ws_col > 20;
  const std::vector<LaneView> views = lane_views(parts_, event);
  // A line that wraps would put the next redraw in the wrong place.
  const size_t most = known ? size.ws_col - 1u : std::string::npos;
  std::vector<std::string> lines;
  const auto add = [&](const std::string& line, Colour colour = Colour::none) {
    lines.push_back(output_.for_messages(colour, printable(line, most)));
  };
  for (const LaneView& view : views) {
    const size_t rows = (known ? size.ws_row - 2u : 22u) / views.size();
    const std::vector<std::string> table = task_table(*view.tasks, view.event, rows > 5 ? rows - 4 : 1);
    const std::string heading = heading_of(view);
    if (!heading.empty()) add(heading);
    add(table.front(), Colour::bold);
    for (size_t i = 1; i < table.size(); ++i) add(table[i]);
    if (heading.empty()) add("");
    add(total_line(*view.tasks, view.event));
  }
  std::string text = drawn_ > 0 ? fmt::format("\033[{}A", drawn_) : "";
  for (const std::string& line : lines) text += line + "\033[K\n";
  drawn_ = lines.size();
  output_.draw(text + "\033[J");
}

void ProgressDisplay::clear() {
  if (drawn_ > 0) output_.draw(fmt::format("\033[{}A\033[J", drawn_));
  drawn_ = 0;
}

}  // namespace hone::cli
