// What a running scheduler is asked: its jobs, its boards, itself. Each function is one question.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "tuner/session/lab.h"

namespace hone::session {

/// All jobs, without their tasks. Errors here and below: those of ask().
Result<std::vector<wire::JobSummary>> jobs(const LabAddress& lab);
/// One job with its tasks. Error too: there is none of this number.
Result<wire::JobSummary> job(const LabAddress& lab, uint64_t id);
/// How it is at present; nothing if the scheduler has no event of it.
Result<std::optional<wire::JobEvent>> job_event(const LabAddress& lab, uint64_t id);
/// A stopped or failed job goes on, with what it has measured.
Status resume_job(const LabAddress& lab, uint64_t id);
// follow_in_lab follows and stops a job, submit_to_lab submits one.

Result<std::vector<wire::BoardSummary>> boards(const LabAddress& lab);
/// Shows, drains, resumes, releases or retires a board; gives it as it is then.
Result<std::vector<wire::BoardSummary>> change_board(const LabAddress& lab, const std::string& name,
                                                     wire::BoardAction action, const std::string& reason);

/// Its log, who is connected, whom it turned away. A scheduler of protocol 1 does not know this question.
Result<wire::SchedulerStatus> scheduler_status(const LabAddress& lab);

}  // namespace hone::session
