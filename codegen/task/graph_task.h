// The kind of a network's operators: a fused part of a graph (codegen/graph/task.h), by the formulations.
#pragma once

#include "codegen/graph/task.h"
#include "codegen/task/kind.h"

namespace hone {

TaskPtr any_task(Task task);
Result<TaskPtr> parse_graph_task(std::string_view text, const Bodies& bodies);

inline constexpr TaskKind graph_kind{"task v1", parse_graph_task};

}  // namespace hone
