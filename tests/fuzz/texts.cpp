// Any text as a task, a schedule, a target, a board, a signature or a simulation script: an Error, or
// something whose own text gives it back.
#include <cstdlib>
#include <string_view>

#include "codegen/base/signature.h"
#include "codegen/base/target.h"
#include "codegen/graph/task.h"
#include "codegen/schedule/schedule.h"
#include "devices/simulated_device.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hone;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto task = parse_task(text); task && !parse_task(task->text)) std::abort();
  if (const auto schedule = parse_schedule(text); schedule && !parse_schedule(to_text(*schedule)))
    std::abort();
  if (const auto target = parse_target(text); target && !parse_target(to_text(*target))) std::abort();
  if (const auto board = parse_board(text); board && !parse_board(to_text(*board))) std::abort();
  (void)parse_signature(text);
  (void)parse_simulation_script(text);
  return 0;
}
