#include "scheduler/door.h"

namespace hone::scheduler {
namespace {

using wire::Limits;

/// Remembers the first text that is too long.
class Lengths {
 public:
  Lengths& name(const char* what, const std::string& text) { return check(what, text, Limits::name_bytes); }
  Lengths& names(const char* what, const std::vector<std::string>& texts) {
    for (const std::string& text : texts) name(what, text);
    return *this;
  }
  Lengths& facts(const char* what, const std::string& text) { return check(what, text, Limits::facts_bytes); }
  std::optional<std::string> result() const { return why_; }

 private:
  Lengths& check(const char* what, const std::string& text, size_t most) {
    if (!why_ && text.size() > most)
      why_ = std::string(what) + " has " + std::to_string(text.size()) + " bytes, at most " +
             std::to_string(most) + " are taken";
    return *this;
  }
  std::optional<std::string> why_;
};

void cut_off(std::string& text) {
  constexpr std::string_view end = " ...";
  text.resize(Limits::said_bytes - end.size());
  text += end;
}

template <class T>
std::optional<wire::Message> clip(const wire::Message& message, std::string T::* text) {
  const auto* said = std::get_if<T>(&message);
  if (said == nullptr || (said->*text).size() <= Limits::said_bytes) return std::nullopt;
  T copy = *said;
  cut_off(copy.*text);
  return copy;
}

}  // namespace

std::optional<std::string> too_long(const wire::Message& message) {
  Lengths lengths;
  if (const auto* hello = std::get_if<wire::Hello>(&message)) {
    lengths.name("the peer's name", hello->name)
        .name("its build", hello->build)
        .name("its system", hello->os);
    lengths.names("a label", hello->labels)
        .facts("its board", hello->board)
        .facts("its sandbox", hello->sandbox);
  } else if (const auto* job = std::get_if<wire::JobRequest>(&message)) {
    lengths.name("the name of the job", job->name).name("its board model", job->board_model);
    lengths.name("its user", job->user).name("its token", job->token).names("a label", job->require);
    for (const wire::JobPart& part : job->parts) lengths.facts("a target", part.target);
  } else if (const auto* board = std::get_if<wire::BoardRequest>(&message)) {
    lengths.name("the board's name", board->name);
  }
  return lengths.result();
}

std::optional<wire::Message> clipped(const wire::Message& message) {
  if (const auto* measured = std::get_if<wire::Measured>(&message)) {
    if (measured->measurement.message.size() <= Limits::said_bytes) return std::nullopt;
    wire::Measured copy = *measured;
    cut_off(copy.measurement.message);
    return copy;
  }
  if (auto out = clip<wire::Built>(message, &wire::Built::message)) return out;
  if (auto out = clip<wire::HealthReport>(message, &wire::HealthReport::message)) return out;
  return clip<wire::BoardRequest>(message, &wire::BoardRequest::reason);
}

size_t bytes_of(const wire::JobRequest& request) {
  const auto of_tasks = [](const std::vector<wire::JobTask>& tasks) {
    size_t bytes = 0;
    for (const wire::JobTask& task : tasks)
      bytes += sizeof task + task.task.size() + task.summary.size() + task.ports.size();
    return bytes;
  };
  size_t bytes = sizeof request + request.name.size();
  for (const wire::JobPart& part : request.parts) bytes += part.target.size() + of_tasks(part.tasks);
  for (const std::string& label : request.require) bytes += sizeof label + label.size();
  return bytes;
}

}  // namespace hone::scheduler
