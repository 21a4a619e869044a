// Searches run against a recorded task instead of a board: the table gives each point's time, so that
// strategies are compared without hardware and deterministically.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cost_model/ranking/ranking.h"
#include "tests/replay/recorded.h"

namespace hone::replay {

enum class Strategy {
  exhaustive,  ///< every point in the order of the space; the seed does not matter
  random,      ///< every point in random order
  blind,       ///< evolution from the best measured so far, without any model
  estimate,    ///< as `guided`, but begun with the plain estimate; its model starts from the fitted one too
  guided,      ///< as a tuner does with an empty log: the fitted estimate, then a model of the task's records
  transfer,    ///< as a tuner does with records of other tasks: their model leads from the first trial on
  board,       ///< the same with records of another board, the task's own among them
};
const char* to_text(Strategy strategy);
inline constexpr Strategy strategies[] = {Strategy::exhaustive, Strategy::random, Strategy::blind,
                                          Strategy::estimate,   Strategy::guided, Strategy::transfer,
                                          Strategy::board};

/// Records of other tasks, or of another board, that a model may learn from.
struct Lessons {
  FeatureMatrix rows;
  std::vector<int> groups;
  std::vector<double> scores;
  std::vector<Point> hints = {};  ///< best points of like tasks, as a round carries them
  /// About `most` rows of another board's tasks, evenly; of the one with `key` the two best points are hints.
  static Lessons of_board(const std::vector<RecordedTask>& tasks, const Digest& key, size_t most);
  /// About `most` rows of all tasks but those of `shape`, evenly.
  static Lessons of_others(const std::vector<RecordedTask>& tasks, const std::string& shape, size_t most);
};

struct ReplaySettings {
  int round_size = 8;
  size_t least_to_train = 16;  ///< records of the task before its own model is trained
  double part_of_best = 0.95;  ///< the goal
  RankingParameters ranking = {};
  SearchSettings search = {};
};

/// Trials until one is at least as fast as `part_of_best` of the table's best. The search begins at the
/// slowest point: a formulation's own first is often at the goal already, and would hide what the search
/// does.
int trials_to_goal(const RecordedTask& task, Strategy strategy, uint64_t seed, const Lessons& lessons,
                   const ReplaySettings& settings = {});

}  // namespace hone::replay
