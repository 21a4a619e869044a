// Proposals: which points of a task's search spaces to measure next. A pure function of its input: the same
// round gives the same points on any machine, whoever asks.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "codegen/base/digest.h"
#include "codegen/base/result.h"
#include "codegen/task/point.h"

namespace hone {

/// Points in all spaces together; stops counting at 2^40.
int64_t point_count(const std::vector<PointSpace>& spaces);

struct SearchSettings {
  int64_t enumerate_up_to = 2048;  ///< spaces of at most so many points are looked at whole
  int population = 96;             ///< points a generation
  int generations = 4;
  double random_share = 0.05;     ///< of the points proposed: drawn at random, whatever the model says
  double optimist_share = 0.125;  ///< of the points proposed: best by score + optimism x spread
  float optimism = 1;
  double local_share = 0.125;  ///< of the points proposed: one step of one parameter from the best measured
  int local_parents = 3;       ///< how many of those best count
  double hint_share = 0.5;     ///< of the points proposed, at most: best ones of like tasks
  double prior_random_share =
      0.4;  ///< the same while there is no model: a model must see more than what the prior likes
  double immigrant_share = 0.1;  ///< of each generation: drawn at random
};

struct SearchInput {
  std::vector<PointSpace> spaces;  ///< the preferred formulation first: its `first` is trial 0
  std::vector<Point> top;          ///< best measured so far, best first
  std::set<std::string> seen;      ///< texts of points measured or in flight: never proposed again
  int count = 0;
  uint64_t seed = 0;
  uint64_t first_trial = 0;  ///< number of the first point; 0: trial 0 leads
  SearchSettings settings;
  std::vector<Point> hints = {};  ///< best of like tasks, nearest first: proposed early, fitted to the space
};

/// What a point lowers to.
struct Described {
  std::vector<float> features;
  Digest program =
      {};  ///< equal for points that lower to the same program, of which one is enough; empty: unknown
};
/// Nothing if the point is illegal, or bad for reasons that need no measurement.
using Describe = std::function<std::optional<Described>(const Point&)>;
/// What a model says of some rows: one entry each.
struct Scores {
  Scores(std::vector<float> m, std::vector<float> s = {}) : mean(std::move(m)), spread(std::move(s)) {}
  std::vector<float> mean;    ///< higher is faster
  std::vector<float> spread;  ///< how unsure that is, in the same unit; empty: the model does not say
};
/// An empty function: there is no model yet.
using Predict = std::function<Scores(std::span<const std::vector<float>>)>;

struct Proposal {
  struct Entry {
    Point point;
    std::vector<float> features;  ///< empty only for a trial 0 that could not be described
    float predicted = 0;          ///< the model's score; 0 without a model
  };
  std::vector<Entry> entries;  ///< at most SearchInput::count
  bool exhausted = false;      ///< after these the spaces hold nothing new
};
/// Trial 0 first, then each formulation's own first point, then the points the model ranks best among those
/// that an evolutionary search (or the whole space, if it is small) comes by, with a share of random ones.
Proposal propose(const SearchInput& input, const Describe& describe, const Predict& predict);

}  // namespace hone
