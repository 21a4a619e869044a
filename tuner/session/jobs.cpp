#include "tuner/session/jobs.h"

namespace hone::session {

Result<std::vector<wire::JobSummary>> jobs(const LabAddress& lab) {
  HONE_TRY(wire::Jobs answer, answer_of<wire::Jobs>(lab, wire::ListJobs{0}));
  return std::move(answer.jobs);
}

Result<wire::JobSummary> job(const LabAddress& lab, uint64_t id) {
  HONE_TRY(wire::Jobs answer, answer_of<wire::Jobs>(lab, wire::ListJobs{id}));
  if (answer.jobs.empty()) return fail("there is no job " + std::to_string(id), lab.scheduler);
  return std::move(answer.jobs.front());
}

Result<std::optional<wire::JobEvent>> job_event(const LabAddress& lab, uint64_t id) {
  HONE_TRY(wire::Message answer, ask(lab, wire::Follow{id}));
  if (auto* event = std::get_if<wire::JobEvent>(&answer)) return std::move(*event);
  return std::nullopt;
}

Status resume_job(const LabAddress& lab, uint64_t id) {
  HONE_TRY([[maybe_unused]] const wire::Accepted accepted, answer_of<wire::Accepted>(lab, wire::Resume{id}));
  return {};
}

Result<std::vector<wire::BoardSummary>> boards(const LabAddress& lab) {
  HONE_TRY(wire::Boards answer, answer_of<wire::Boards>(lab, wire::ListBoards{}));
  return std::move(answer.boards);
}

Result<std::vector<wire::BoardSummary>> change_board(const LabAddress& lab, const std::string& name,
                                                     wire::BoardAction action, const std::string& reason) {
  HONE_TRY(wire::Boards answer, answer_of<wire::Boards>(lab, wire::BoardRequest{name, action, reason}));
  return std::move(answer.boards);
}

Result<wire::SchedulerStatus> scheduler_status(const LabAddress& lab) {
  return answer_of<wire::SchedulerStatus>(lab, wire::AskStatus{});
}

}  // namespace hone::session
