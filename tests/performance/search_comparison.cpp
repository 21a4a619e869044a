// Compares searches on spaces that were measured whole, without a board: trials until a time within 5 % of
// the best is met. Usage: search_comparison [--seeds N] WHOLE.h5 [OTHERS.h5...]. Deterministic.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "tests/replay/replay.h"

namespace hone {
namespace {

using namespace replay;

struct Options {
  std::vector<std::filesystem::path> logs;
  int seeds = 5;
  size_t lessons = 4000;
};

Status compare_searches(const Options& options) {
  HONE_TRY(const std::vector<RecordedTask> tasks, read_recorded(options.logs));
  fmt::print("{:40} {:>7} {:>6} |", "task", "points", "good");
  for (const Strategy strategy : strategies) fmt::print(" {:>16}", to_text(strategy));
  fmt::print("\n");
  std::map<Strategy, double> sum;
  double judged = 0;
  for (const RecordedTask& task : tasks) {
    if (!task.whole) continue;
    const Lessons lessons = Lessons::of_others(tasks, task.shape, options.lessons);
    size_t good = 0;
    for (const RecordedPoint& point : task.points) good += point.ns <= task.best_ns / 0.95 ? 1 : 0;
    fmt::print("{:40} {:7} {:6} |", task.name, task.points.size(), good);
    for (const Strategy strategy : strategies) {
      double mean = 0;
      int least = 1 << 30, most = 0;
      for (int seed = 1; seed <= options.seeds; ++seed) {
        const int trials = trials_to_goal(task, strategy, static_cast<uint64_t>(seed), lessons);
        least = std::min(least, trials), most = std::max(most, trials);
        mean += trials / static_cast<double>(options.seeds);
      }
      sum[strategy] += mean;
      fmt::print(" {:>16}", fmt::format("{:.1f} ({}-{})", mean, least, most));
      std::fflush(stdout);
    }
    fmt::print("\n");
    judged += 1;
  }
  fmt::print("{:40} {:7} {:6} |", "mean", "", "");
  for (const Strategy strategy : strategies) fmt::print(" {:>16.1f}", sum[strategy] / judged);
  fmt::print("\n");
  return {};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  hone::Options options;
  CLI::App app("Compares searches on recorded spaces: mean (least-most) trials to within 5 % of the best");
  app.add_option("logs", options.logs,
                 "recorded logs; tasks measured whole are searched, all are learnt from")
      ->required();
  app.add_option("--seeds", options.seeds, "of each search")->capture_default_str();
  app.add_option("--lessons", options.lessons, "records of other shapes that transfer learns from")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (auto status = hone::compare_searches(options); !status) {
    std::fprintf(stderr, "search_comparison: %s\n", status.error().text().c_str());
    return 1;
  }
  return 0;
}
