// Compares searches on spaces that were measured whole, without a board: trials until a time within 5 % of
// the best is met. Usage: search_comparison [--seeds N] WHOLE.h5 [OTHERS.h5...]. Deterministic.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/replay/replay.h"

namespace hone {
namespace {

using namespace replay;

struct Options {
  std::vector<std::filesystem::path> logs;
  int seeds = 5;
  std::vector<std::filesystem::path> board;
  bool pools = false;
  size_t lessons = 4000;
  std::vector<std::string> searches;
  size_t skip = 0;
  replay::ReplaySettings settings;
};

Status compare_searches(const Options& options) {
  HONE_TRY(const std::vector<RecordedTask> tasks, read_recorded(options.logs));
  HONE_TRY(const std::vector<RecordedTask> other_board, read_recorded(options.board));
  std::vector<Strategy> wanted;
  for (const Strategy strategy : strategies)
    if ((strategy != Strategy::board || !other_board.empty()) &&
        (options.searches.empty() || std::ranges::count(options.searches, to_text(strategy)) > 0))
      wanted.push_back(strategy);
  fmt::print("{:40} {:>7} {:>6} {:>7} |", "task", "points", "good", "chance");
  for (const Strategy strategy : wanted) fmt::print(" {:>16}", to_text(strategy));
  fmt::print("\n");
  std::map<Strategy, double> sum;
  ReplaySettings settings = options.settings;
  // Of a large space only some points have times: all of those are looked at.
  if (options.pools) settings.search.enumerate_up_to = int64_t{1} << 20;
  double judged = 0, chances = 0;
  size_t left_out = 0;
  for (const RecordedTask& task : tasks) {
    if (!task.whole && (!options.pools || task.points.size() < 250)) continue;
    if (left_out++ < options.skip) continue;
    const Lessons of_others = Lessons::of_others(tasks, task.shape, options.lessons);
    const Lessons of_board = Lessons::of_board(other_board, task.key, options.lessons);
    size_t good = 0;
    for (const RecordedPoint& point : task.points) good += point.ns <= task.best_ns / 0.95 ? 1 : 0;
    // What random order needs in the mean over all orders.
    const double chance = static_cast<double>(task.points.size() + 1) / static_cast<double>(good + 1);
    chances += chance;
    fmt::print("{:40} {:7} {:6} {:7.1f} |", task.name, task.points.size(), good, chance);
    for (const Strategy strategy : wanted) {
      double mean = 0;
      int least = 1 << 30, most = 0;
      for (int seed = 1; seed <= options.seeds; ++seed) {
        const int trials = trials_to_goal(task, strategy, static_cast<uint64_t>(seed),
                                          strategy == Strategy::board ? of_board : of_others, settings);
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
  fmt::print("{:40} {:7} {:6} {:7.1f} |", "mean", "", "", chances / judged);
  for (const Strategy strategy : wanted) fmt::print(" {:>16.1f}", sum[strategy] / judged);
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
  app.add_option("--board", options.board, "logs of another board that the search `board` learns from");
  app.add_flag("--pools", options.pools,
               "search tasks too of which only some 250 points or more were measured");
  app.add_option("--search", options.searches, "only these: names as in the table's head");
  hone::SearchSettings& search = options.settings.search;
  app.add_option("--skip", options.skip, "so many of the tasks, which an earlier run did");
  app.add_option("--random-share", search.random_share, "of what is proposed with a model")
      ->capture_default_str();
  app.add_option("--prior-random-share", search.prior_random_share, "of what is proposed without one")
      ->capture_default_str();
  app.add_option("--local-share", search.local_share, "of what is proposed with a model")
      ->capture_default_str();
  app.add_option("--optimist-share", search.optimist_share, "of what is proposed with a model")
      ->capture_default_str();
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
