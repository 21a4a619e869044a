// How well the cost model orders candidates of shapes it never saw. Trains on some shapes of recorded logs,
// judges on the others, so that every shape is judged once; prints pairs ordered right and recall@30 a task.
// Usage: cost_model_evaluation [--folds N] [--dump CSV] LOG.h5... Deterministic, needs no board.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>

#include "codegen/base/generator.h"
#include "cost_model/features/features.h"
#include "cost_model/ranking/ranking.h"
#include "tests/replay/recorded.h"
#include "tuner/search/prior.h"

namespace hone {
namespace {

using replay::RecordedPoint;
using replay::RecordedTask;

struct Options {
  std::vector<std::filesystem::path> logs, lessons;
  int folds = 4;
  RankingParameters ranking;
  size_t every = 1;
  size_t least = 250;
  std::string dump;
  bool nested = false;
};

/// What `--nested` chooses among, smallest first.
std::vector<RankingParameters> choices() {
  RankingParameters small, narrow, chosen;
  small.members = 4, small.trees = 60, small.depth = 6, small.learning_rate = 0.2;
  small.bins = 32, small.least_rows = 8, small.column_share = 0.25;
  narrow.column_share = 0.35;
  return {small, narrow, chosen};
}

/// The part of the pairs whose times are more than `apart` apart that the scores order right.
double pair_accuracy(const RecordedTask& task, const std::vector<float>& scores, double apart) {
  double right = 0, all = 0;
  for (size_t i = 0; i < scores.size(); ++i)
    for (size_t j = 0; j < scores.size(); ++j) {
      if (task.points[i].ns * (1 + apart) >= task.points[j].ns) continue;
      all += 1;
      right += scores[i] > scores[j] ? 1 : scores[i] == scores[j] ? 0.5 : 0;
    }
  return all > 0 ? right / all : 1;
}

/// The part of the truly fastest `k` among the `k` that the scores put first.
double recall(const RecordedTask& task, const std::vector<float>& scores, size_t k) {
  std::vector<size_t> by_time(scores.size()), by_score(scores.size());
  std::iota(by_time.begin(), by_time.end(), 0);
  by_score = by_time;
  std::ranges::stable_sort(by_time, {}, [&](size_t i) { return task.points[i].ns; });
  std::ranges::stable_sort(by_score, std::greater<>(), [&](size_t i) { return scores[i]; });
  by_time.resize(k), by_score.resize(k);
  double found = 0;
  for (const size_t i : by_score) found += std::ranges::count(by_time, i) > 0 ? 1 : 0;
  return found / static_cast<double>(k);
}

/// How far the best of the first `k` by score is from the best of all.
double best_of_first(const RecordedTask& task, const std::vector<float>& scores, size_t k) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) { return scores[i]; });
  double best = task.points[order[0]].ns;
  for (size_t i = 0; i < k; ++i) best = std::min(best, task.points[order[i]].ns);
  return task.best_ns / best;
}

FeatureMatrix matrix_of(const RecordedTask& task) {
  FeatureMatrix matrix;
  for (const RecordedPoint& point : task.points) HONE_CHECK(matrix.add(point.features));
  return matrix;
}

Result<RankingModel> train(const std::vector<const RecordedTask*>& tasks, const Options& options,
                           const RankingParameters& parameters) {
  FeatureMatrix rows;
  std::vector<int> groups;
  std::vector<double> scores;
  for (size_t t = 0; t < tasks.size(); ++t)
    for (size_t i = 0; i < tasks[t]->points.size(); i += options.every) {
      const RecordedPoint& point = tasks[t]->points[i];
      HONE_RETURN_IF_ERROR(rows.add(point.features));
      groups.push_back(static_cast<int>(t));
      scores.push_back(1e6 / point.ns);
    }
  using Clock = std::chrono::steady_clock;
  const auto ms_since = [](Clock::time_point start) {
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  };
  auto start = Clock::now();
  HONE_TRY(const std::string bytes, train_ranking(rows, groups, scores, parameters));
  const double training = ms_since(start);
  HONE_TRY(RankingModel model, RankingModel::load(bytes));
  const auto cells = static_cast<std::ptrdiff_t>(std::min<int64_t>(2000, rows.rows()) * rows.columns);
  const FeatureMatrix some{{rows.values.begin(), rows.values.begin() + cells}, rows.columns};
  start = Clock::now();
  HONE_TRY(const std::vector<float> predicted, model.predict(some));
  fmt::print(stderr, "trained on {} rows of {} tasks in {:.0f} ms, predicted {} in {:.1f} ms\n",
             scores.size(), tasks.size(), training, predicted.size(), ms_since(start));
  return model;
}

struct Figures {
  double pairs = 0, recall = 0, best1 = 0, best10 = 0;
};

/// What a single measurement of each point finds of the 30 whose medians of all measurements are best: no
/// model can be expected to do better. "-" where the log holds one measurement a point.
std::string ceiling(const RecordedTask& task, std::vector<double>& all) {
  std::vector<float> scores;
  int most = 1;
  for (const RecordedPoint& point : task.points) {
    scores.push_back(static_cast<float>(-point.first_ns));
    most = std::max(most, point.times);
  }
  if (most < 2) return "-";
  all.push_back(recall(task, scores, 30));
  return fmt::format("{:.3f}", all.back());
}

Figures figures_of(const RecordedTask& task, const std::vector<float>& scores) {
  return {pair_accuracy(task, scores, 0.05), recall(task, scores, 30), best_of_first(task, scores, 1),
          best_of_first(task, scores, 10)};
}

/// Of `choices`, the one with the best mean recall over the shapes of `tasks` alone, each judged by a model
/// of the other inner folds.
Result<RankingParameters> choose(const std::vector<const RecordedTask*>& tasks,
                                 const std::function<int(const RecordedTask&)>& fold_of,
                                 const Options& options) {
  RankingParameters best;
  double most = -1;
  for (const RankingParameters& parameters : choices()) {
    double sum = 0, judged = 0;
    for (int fold = 0; fold < options.folds; ++fold) {
      std::vector<const RecordedTask*> known, unseen;
      for (const RecordedTask* task : tasks) (fold_of(*task) == fold ? unseen : known).push_back(task);
      std::erase_if(unseen, [&](const RecordedTask* task) { return task->points.size() < options.least; });
      if (unseen.empty()) continue;
      HONE_TRY(const RankingModel model, train(known, options, parameters));
      for (const RecordedTask* task : unseen) {
        HONE_TRY(const std::vector<float> scores, model.predict(matrix_of(*task)));
        sum += recall(*task, scores, 30), judged += 1;
      }
    }
    fmt::print(
        "  {} trees of depth {}, {:.0f} % of columns: recall {:.3f} over {:.0f} tasks of the other folds\n",
        parameters.trees, parameters.depth, 100 * parameters.column_share, sum / judged, judged);
    if (sum / judged > most) best = parameters, most = sum / judged;
  }
  return best;
}

void dump(const std::vector<RecordedTask>& tasks, const std::string& file) {
  std::ofstream out(file);
  out << "task,shape,ns,formulation";
  for (const auto& feature : feature_descriptions()) out << "," << feature.name;
  out << "\n";
  for (const RecordedTask& task : tasks)
    for (const RecordedPoint& point : task.points) {
      out << task.name << "," << task.shape << "," << point.ns << "," << to_text(point.point);
      for (const float value : point.features) out << "," << value;
      out << "\n";
    }
}

Status judge_all(const Options& options) {
  HONE_TRY(std::vector<RecordedTask> tasks, replay::read_recorded(options.logs));
  HONE_TRY(std::vector<RecordedTask> lessons, replay::read_recorded(options.lessons));
  for (auto* some : {&tasks, &lessons})
    std::erase_if(*some, [](const RecordedTask& task) { return task.points.size() < 16; });
  const size_t judged_up_to = tasks.size();
  std::ranges::move(lessons, std::back_inserter(tasks));
  const auto is_judged = [&](const RecordedTask& task) {
    return static_cast<size_t>(&task - tasks.data()) < judged_up_to && task.points.size() >= options.least;
  };
  if (!options.dump.empty()) dump(tasks, options.dump);
  std::vector<std::string> shapes;
  for (const RecordedTask& task : tasks)
    if (std::ranges::count(shapes, task.shape) == 0) shapes.push_back(task.shape);
  std::ranges::sort(shapes, {}, [](const std::string& shape) { return fnv1a64("fold/" + shape); });
  const auto fold_of = [&](const RecordedTask& task) {
    return static_cast<int>(std::ranges::find(shapes, task.shape) - shapes.begin()) % options.folds;
  };
  const Predict prior = prior_predictor();
  fmt::print("{:40} {:>4} {:>6} | {:>6} {:>6} {:>6} {:>6} | {:>6} {:>6} | {:>6}\n", "task", "fold", "points",
             "pairs", "top30", "best1", "best10", "prior", "top30", "single");
  Figures sum, prior_sum;
  double judged = 0;
  std::vector<double> ceilings;
  for (int fold = 0; fold < options.folds; ++fold) {
    std::vector<const RecordedTask*> known;
    for (const RecordedTask& task : tasks)
      if (fold_of(task) != fold) known.push_back(&task);
    RankingParameters parameters = options.ranking;
    if (options.nested) {
      HONE_TRY(parameters, choose(known, fold_of, options));
    }
    HONE_TRY(const RankingModel model, train(known, options, parameters));
    for (const RecordedTask& task : tasks) {
      if (fold_of(task) != fold || !is_judged(task)) continue;
      HONE_TRY(const std::vector<float> scores, model.predict(matrix_of(task)));
      std::vector<std::vector<float>> rows;
      for (const RecordedPoint& point : task.points) rows.push_back(point.features);
      const Figures mine = figures_of(task, scores), of_prior = figures_of(task, prior(rows).mean);
      fmt::print("{:40} {:4} {:6} | {:6.3f} {:6.3f} {:6.3f} {:6.3f} | {:6.3f} {:6.3f} | {:>6}\n", task.name,
                 fold, task.points.size(), mine.pairs, mine.recall, mine.best1, mine.best10, of_prior.pairs,
                 of_prior.recall, ceiling(task, ceilings));
      sum.pairs += mine.pairs, sum.recall += mine.recall, sum.best1 += mine.best1, sum.best10 += mine.best10;
      prior_sum.pairs += of_prior.pairs, prior_sum.recall += of_prior.recall;
      judged += 1;
    }
  }
  fmt::print("{:40} {:4} {:6} | {:6.3f} {:6.3f} {:6.3f} {:6.3f} | {:6.3f} {:6.3f} | {:>6}\n", "mean", "", "",
             sum.pairs / judged, sum.recall / judged, sum.best1 / judged, sum.best10 / judged,
             prior_sum.pairs / judged, prior_sum.recall / judged,
             ceilings.empty() ? "-"
                              : fmt::format("{:.3f}", std::reduce(ceilings.begin(), ceilings.end()) /
                                                          static_cast<double>(ceilings.size())));
  return {};
}

}  // namespace
}  // namespace hone

int main(int argc, char** argv) {
  hone::Options options;
  CLI::App app("Judges the cost model on recorded shapes that it was not trained on");
  app.add_option("logs", options.logs, "recorded logs")->required();
  app.add_option("--lessons", options.lessons, "further logs: learned from, other shapes only, never judged");
  app.add_flag("--nested", options.nested,
               "choose the model's size anew for each fold, by the shapes of the other folds alone");
  app.add_option("--folds", options.folds, "parts that the shapes are split into")->capture_default_str();
  app.add_option("--trees", options.ranking.trees, "of each member")->capture_default_str();
  app.add_option("--depth", options.ranking.depth, "of the trees")->capture_default_str();
  app.add_option("--rate", options.ranking.learning_rate, "learning rate")->capture_default_str();
  app.add_option("--members", options.ranking.members, "of the model")->capture_default_str();
  app.add_option("--bins", options.ranking.bins, "of each column")->capture_default_str();
  app.add_option("--columns", options.ranking.column_share, "share that each tree looks at")
      ->capture_default_str();
  app.add_option("--leaf", options.ranking.least_rows, "rows in a leaf at least")->capture_default_str();
  app.add_option("--every", options.every, "train on every so many-th record only")->capture_default_str();
  app.add_option("--least", options.least, "tasks with fewer points are trained on, not judged")
      ->capture_default_str();
  app.add_option("--dump", options.dump, "write all rows with their features to this file");
  CLI11_PARSE(app, argc, argv);
  if (auto status = hone::judge_all(options); !status) {
    std::fprintf(stderr, "cost_model_evaluation: %s\n", status.error().text().c_str());
    return 1;
  }
  return 0;
}
