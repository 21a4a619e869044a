// Which of a model's tasks a call is about, by the numbers and names that people see.
#pragma once

#include <string>
#include <vector>

#include "codegen/base/result.h"
#include "codegen/model/model.h"

namespace hone::session {

/// The tasks that `wanted` names (all if empty), in order of the plan. Each entry is a list with commas:
/// positions in the plan from 0 and ranges of them ("0,3-5"), or texts that a task's name holds ("conv3x3").
/// Error: a number beyond the last task, a range that ends before it begins, or a text in no task's name.
Result<std::vector<PlannedTask>> select_tasks(std::vector<PlannedTask> tasks,
                                              const std::vector<std::string>& wanted);

}  // namespace hone::session
