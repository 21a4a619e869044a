// Schedules as text: the grammar in schedule.h, printed with steps of one kind on one line, and parsed back.
#include <fmt/format.h>

#include <array>
#include <utility>

#include "codegen/base/text.h"
#include "codegen/schedule/schedule.h"

namespace hone {
namespace {

constexpr std::array<std::pair<Tail, std::string_view>, 4> kTails = {
    {{Tail::exact, "exact"}, {Tail::peel, "peel"}, {Tail::shift_in, "shift_in"}, {Tail::guard, "guard"}}};
constexpr std::array<std::pair<StepKind, std::string_view>, 8> kKinds = {
    {{StepKind::split, "split"},
     {StepKind::fuse, "fuse"},
     {StepKind::reorder, "reorder"},
     {StepKind::unroll, "unroll"},
     {StepKind::register_tile, "register_tile"},
     {StepKind::vectorize, "vectorize"},
     {StepKind::parallel, "parallel"},
     {StepKind::compute_at, "compute_at"}}};

template <class Table>
auto name_in(const Table& table, decltype(table[0].first) value) {
  for (const auto& [key, name] : table)
    if (key == value) return name;
  return std::string_view("?");
}

using Words = std::vector<std::string>;

Words words_of(std::string_view text) {
  Words words;
  for (std::string_view word : split_text(text, ' '))
    if (!trim(word).empty()) words.emplace_back(trim(word));
  return words;
}

/// One step's words, with what is needed to say where it stands.
struct Parser {
  Words words;
  std::string where;
  size_t next = 1;  // words[0] is the kind

  bool done() const { return next >= words.size(); }
  Result<std::string> name(std::string_view what) {
    if (done()) return fail(fmt::format("expected {}", what), where);
    std::string word = words[next++];
    for (char c : word)
      if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_'))
        return fail(fmt::format("'{}' is no {}", word, what), where, "letters, digits, '.' and '_'");
    return word;
  }
  Result<int64_t> factor() {
    if (done()) return fail("expected a factor", where);
    Result<int64_t> value = parse_integer(words[next]);
    if (!value || *value < 1)
      return fail(fmt::format("'{}' is no factor", words[next]), where, "a positive integer");
    ++next;
    return value;
  }
  Status arrow() {
    if (done() || words[next] != "->") return fail("expected '->' and the new axes", where);
    ++next;
    return {};
  }
  Status end() {
    if (!done()) return fail(fmt::format("unexpected '{}'", words[next]), where);
    return {};
  }
};

Status parse_axes(Parser& p, Step& step, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    HONE_TRY(std::string axis, p.name("axis"));
    step.axes.push_back(axis);
  }
  return {};
}

Status parse_split(Parser& p, Step& step) {
  HONE_RETURN_IF_ERROR(parse_axes(p, step, 1));
  HONE_TRY(step.factor, p.factor());
  if (!p.done() && p.words[p.next] != "->") {
    bool known = false;
    for (const auto& [tail, name] : kTails)
      if (name == p.words[p.next]) step.tail = tail, known = true;
    if (!known)
      return fail(fmt::format("'{}' is no tail", p.words[p.next]), p.where, "exact, peel, shift_in or guard");
    ++p.next;
  }
  HONE_RETURN_IF_ERROR(p.arrow());
  return parse_axes(p, step, 2);
}

Result<Step> parse_step(Parser p) {
  Step step{};
  bool known = false;
  for (const auto& [kind, name] : kKinds)
    if (name == p.words[0]) step.kind = kind, known = true;
  if (!known) {
    std::string names;
    for (const auto& [kind, name] : kKinds) names += (names.empty() ? "" : ", ") + std::string(name);
    return fail(fmt::format("'{}' is no step", p.words[0]), p.where, names);
  }
  switch (step.kind) {
    case StepKind::split:
      HONE_RETURN_IF_ERROR(parse_split(p, step));
      break;
    case StepKind::fuse:
      HONE_RETURN_IF_ERROR(parse_axes(p, step, 2));
      HONE_RETURN_IF_ERROR(p.arrow());
      HONE_RETURN_IF_ERROR(parse_axes(p, step, 1));
      break;
    case StepKind::unroll: {
      HONE_RETURN_IF_ERROR(parse_axes(p, step, 1));
      HONE_TRY(step.factor, p.factor());
      break;
    }
    case StepKind::vectorize:
      HONE_RETURN_IF_ERROR(parse_axes(p, step, 1));
      break;
    case StepKind::compute_at: {
      HONE_TRY(step.target, p.name("stage"));
      HONE_RETURN_IF_ERROR(parse_axes(p, step, 1));
      break;
    }
    default:
      HONE_RETURN_IF_ERROR(parse_axes(p, step, 1));
      while (!p.done()) HONE_RETURN_IF_ERROR(parse_axes(p, step, 1));
  }
  HONE_RETURN_IF_ERROR(p.end());
  return step;
}

}  // namespace

std::string_view to_text(Tail tail) { return name_in(kTails, tail); }
std::string_view to_text(StepKind kind) { return name_in(kKinds, kind); }

std::string to_text(const Step& step) {
  std::string text(to_text(step.kind));
  if (step.kind == StepKind::compute_at) text += " " + step.target;
  size_t before_arrow = step.kind == StepKind::split ? 1 : step.kind == StepKind::fuse ? 2 : step.axes.size();
  for (size_t i = 0; i < step.axes.size(); ++i) {
    if (i == before_arrow) text += " ->";
    text += " " + step.axes[i];
    if (i == 0 && (step.kind == StepKind::split || step.kind == StepKind::unroll)) {
      text += " " + std::to_string(step.factor);
      if (step.tail != Tail::exact) text += " " + std::string(to_text(step.tail));
    }
  }
  return text;
}

std::string to_text(const Schedule& schedule) {
  std::string text;
  for (const StageSchedule& stage : schedule.stages) {
    if (!stage.stage.empty()) text += "stage " + stage.stage + "\n";
    for (size_t i = 0; i < stage.steps.size(); ++i) {
      bool same_line = i > 0 && stage.steps[i].kind == stage.steps[i - 1].kind;
      if (i > 0) text += same_line ? "; " : "\n";
      text += to_text(stage.steps[i]);
    }
    if (!stage.steps.empty()) text += "\n";
  }
  return text;
}

Result<Schedule> parse_schedule(std::string_view text) {
  Schedule schedule;
  int line_number = 0;
  for (std::string_view line : split_text(text, '\n')) {
    ++line_number;
    line = line.substr(0, line.find('#'));
    for (std::string_view piece : split_text(line, ';')) {
      Parser parser{words_of(piece), fmt::format("schedule line {}: {}", line_number, trim(piece))};
      if (parser.words.empty()) continue;
      if (parser.words[0] == "stage") {
        HONE_TRY(std::string name, parser.name("stage"));
        HONE_RETURN_IF_ERROR(parser.end());
        schedule.stages.push_back({name, {}});
        continue;
      }
      HONE_TRY(Step step, parse_step(parser));
      if (schedule.stages.empty()) schedule.stages.push_back({});
      schedule.stages.back().steps.push_back(std::move(step));
    }
  }
  return schedule;
}

}  // namespace hone
