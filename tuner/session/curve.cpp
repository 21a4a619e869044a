// One line an event, and only where it says something new.
#include "tuner/session/curve.h"

#include <fmt/format.h>

#include <algorithm>

namespace hone::session {

Result<CurveFile> CurveFile::create(const std::string& path) {
  HONE_TRY(OutputFile file, OutputFile::create(path));
  HONE_RETURN_IF_ERROR(file.write("seconds,trials,model_ms,finals\n"));
  HONE_RETURN_IF_ERROR(file.commit());
  return CurveFile(std::move(file));
}

std::string curve_row(const std::vector<TunedTask>& tasks, const wire::JobEvent& event) {
  const ModelTime time = model_time(tasks, event);
  const bool finals = !event.tasks.empty() && std::ranges::all_of(event.tasks, &wire::TaskProgress::finished);
  return fmt::format("{},{},{}", event.trials, time.complete ? fmt::format("{:.5f}", time.best_ms) : "",
                     finals ? 1 : 0);
}

void CurveFile::add(double seconds, const std::vector<TunedTask>& tasks, const wire::JobEvent& event) {
  std::string row = curve_row(tasks, event);
  if (row == last_) return;
  if (written_) written_ = file_.write(fmt::format("{:.3f},{}\n", seconds, row));
  last_ = std::move(row);
}

}  // namespace hone::session
