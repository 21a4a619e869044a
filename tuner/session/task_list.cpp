// A part of digits, or digits-digits, is a number or a range; all else is text.
#include "tuner/session/task_list.h"

#include <fmt/format.h>

#include <charconv>
#include <optional>

namespace hone::session {
namespace {

struct Range {
  size_t first = 0, last = 0;
};

std::optional<size_t> number(std::string_view text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<Range> range(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last) return std::nullopt;
  return Range{*first, *last};
}

std::vector<std::string> split_at_commas(const std::vector<std::string>& lists) {
  std::vector<std::string> parts;
  for (std::string_view list : lists)
    for (size_t from = 0; from <= list.size();) {
      const size_t comma = std::min(list.find(',', from), list.size());
      if (comma > from) parts.emplace_back(list.substr(from, comma - from));
      from = comma + 1;
    }
  return parts;
}

}  // namespace

Result<std::vector<PlannedTask>> select_tasks(std::vector<PlannedTask> tasks,
                                              const std::vector<std::string>& wanted) {
  const char* hint = "--tasks list shows the model's tasks and their numbers";
  if (wanted.empty()) return tasks;
  std::vector<bool> keep(tasks.size(), false);
  bool any = false;
  for (const std::string& part : split_at_commas(wanted)) {
    if (const auto numbers = range(part)) {
      if (numbers->last >= tasks.size() || numbers->last < numbers->first) {
        return fail(numbers->last < numbers->first
                        ? "the range " + part + " ends before it begins"
                        : fmt::format("there is no task {}: the model has {}, the first is 0", numbers->last,
                                      tasks.size()),
                    "--tasks", hint);
      }
      std::fill(keep.begin() + static_cast<ptrdiff_t>(numbers->first),
                keep.begin() + static_cast<ptrdiff_t>(numbers->last) + 1, true);
      any = true;
      continue;
    }
    bool used = false;
    for (size_t i = 0; i < tasks.size(); ++i) {
      if (summary(tasks[i].candidate.task).find(part) == std::string::npos) continue;
      keep[i] = used = any = true;
    }
    if (!used) return fail("no task of the model is called like '" + part + "'", "--tasks", hint);
  }
  if (!any) return fail("names no task", "--tasks", hint);
  std::vector<PlannedTask> kept;
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (keep[i]) kept.push_back(std::move(tasks[i]));
  }
  return kept;
}

}  // namespace hone::session
