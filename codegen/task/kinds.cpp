// The table of kinds, alone in its file: a program that has its own does not link this one.
#include "codegen/task/graph_task.h"
#include "codegen/task/kind.h"

namespace hone {

std::span<const TaskKind> task_kinds() {
  static constexpr TaskKind kinds[] = {graph_kind};
  return kinds;
}

}  // namespace hone
