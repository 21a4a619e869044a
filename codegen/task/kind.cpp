#include "codegen/task/kind.h"

#include "codegen/base/printable.h"

namespace hone {

Result<TaskPtr> parse_any_task(std::string_view text, const Bodies& bodies) {
  const std::string_view header = text.substr(0, text.find('\n'));
  std::string known;
  for (const TaskKind& kind : task_kinds()) {
    if (kind.header == header) return kind.parse(text, bodies);
    known += (known.empty() ? "'" : ", '") + std::string(kind.header) + "'";
  }
  constexpr size_t some = 40;
  return fail("a task begins with " + known + ", not with '" + printable(header.substr(0, some)) + "'",
              "line 1");
}

}  // namespace hone
