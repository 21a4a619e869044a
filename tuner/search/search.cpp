// The search itself: firsts, then a pool of unseen points, then the best of the pool with a random share.
#include "tuner/search/search.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "tuner/search/points.h"

namespace hone {
namespace {

using search::Random;

/// Unseen, described points in the order they were found: what a proposal is drawn from.
class Pool {
 public:
  Pool(const SearchInput& input, const Describe& describe, const Predict& predict)
      : input_(input), describe_(describe), predict_(predict) {}

  /// Scores points that are new to the pool; those seen before this round are scored too, as parents, but
  /// never proposed.
  void add(const std::vector<Point>& points) {
    std::vector<std::vector<float>> rows;
    const size_t begin = members_.size();
    for (const Point& point : points) {
      std::string text = to_text(point);
      if (known_.contains(text)) continue;
      std::optional<Described> described = describe_(point);
      const bool again =
          described && !described->program.empty() && !programs_.insert(described->program).second;
      known_.emplace(text, described && !again ? static_cast<int>(members_.size()) : -1);
      if (!described || again) continue;
      rows.push_back(described->features);
      members_.push_back({{point, std::move(described->features), 0}, input_.seen.contains(text), false});
    }
    if (!predict_ || rows.empty()) return;
    const std::vector<float> scores = predict_(rows);
    HONE_CHECK(scores.size() == rows.size());
    for (size_t i = 0; i < scores.size(); ++i) {
      members_[begin + i].entry.predicted = std::isfinite(scores[i]) ? scores[i] : -1e30f;
    }
  }

  /// Takes a point into the proposal unless it is seen, taken or refused.
  bool take(const Point& point, Proposal& proposal) {
    add({point});
    const int i = known_.at(to_text(point));
    return i >= 0 && take(i, proposal);
  }
  bool take(int i, Proposal& proposal) {
    Member& member = members_[i];
    if (member.seen || member.taken) return false;
    member.taken = true;
    proposal.entries.push_back(member.entry);
    return true;
  }

  /// Members that may be proposed, best score first (ties and no model: as found).
  std::vector<int> ranked() const {
    std::vector<int> order = all_ranked();
    std::erase_if(order, [&](int i) { return members_[i].seen || members_[i].taken; });
    return order;
  }
  /// All members, best score first: parents of the next generation.
  std::vector<int> all_ranked() const {
    std::vector<int> order(members_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater<>(), [&](int i) { return members_[i].entry.predicted; });
    return order;
  }
  const Point& point(int i) const { return members_[i].entry.point; }
  size_t size() const { return members_.size(); }

 private:
  struct Member {
    Proposal::Entry entry;
    bool seen, taken;
  };
  const SearchInput& input_;
  const Describe& describe_;
  const Predict& predict_;
  std::vector<Member> members_;
  std::map<std::string, int> known_;  ///< text to member, -1: refused
  std::set<std::string> programs_;    ///< of members
};

void enumerate(const SearchInput& input, Pool& pool, Random& random) {
  std::vector<Point> points;
  for (const PointSpace& space : input.spaces) {
    for (int64_t i = 0; i < search::point_count(space); ++i) points.push_back(search::point_at(space, i));
  }
  for (size_t i = points.size(); i > 1; --i)
    std::swap(points[i - 1], points[random.below(static_cast<int64_t>(i))]);
  pool.add(points);
}

/// A child of good parents: the better half of the pool's points is drawn most.
Point child_of(const SearchInput& input, const std::vector<Point>& parents, Random& random) {
  const auto draw = [&]() -> const Point& {
    const double u = random.unit();
    return parents[static_cast<size_t>(u * u * static_cast<double>(parents.size()))];
  };
  const Point& a = draw();
  const Point& b = draw();
  const PointSpace& space = *search::find_space(input.spaces, a.formulation);
  if (a.formulation == b.formulation && random.unit() < 0.4) {
    const Point child = search::cross(a, b, random);
    return random.unit() < 0.5 ? search::mutate(space, child, random) : child;
  }
  return search::mutate(space, a, random);
}

void evolve(const SearchInput& input, bool has_model, Pool& pool, Random& random) {
  const SearchSettings& settings = input.settings;
  std::vector<Point> measured;
  for (const Point& point : input.top) {
    const PointSpace* space = search::find_space(input.spaces, point.formulation);
    if (space && search::contains(*space, point)) measured.push_back(point);
  }
  for (const PointSpace& space : input.spaces) measured.push_back({space.formulation, space.first});
  std::vector<Point> parents = measured;
  for (int generation = 0; generation < settings.generations; ++generation) {
    std::vector<Point> points;
    for (int i = 0; i < settings.population; ++i) {
      // Half of the first generation, a share of the others, and half of all while there is no model to
      // select by.
      const double random_share = generation == 0 || !has_model ? 0.5 : settings.immigrant_share;
      points.push_back(random.unit() < random_share ? search::random_point(input.spaces, random)
                                                    : child_of(input, parents, random));
    }
    pool.add(points);
    if (!has_model) continue;
    parents.clear();
    for (const int i : pool.all_ranked()) {
      if (parents.size() >= static_cast<size_t>(settings.population) / 4) break;
      parents.push_back(pool.point(i));
    }
    parents.insert(parents.end(), measured.begin(), measured.end());
  }
}

}  // namespace

Proposal propose(const SearchInput& input, const Describe& describe, const Predict& predict) {
  Proposal proposal;
  SearchInput usable = input;
  std::erase_if(usable.spaces, [](const PointSpace& space) { return search::point_count(space) == 0; });
  if (usable.spaces.empty() || input.count <= 0) {
    proposal.exhausted = usable.spaces.empty();
    return proposal;
  }
  Random random(input.seed);
  Pool pool(usable, describe, predict);
  const auto wanted = static_cast<size_t>(input.count);
  // First what was seen: another point with the same program is nothing new.
  std::vector<Point> seen;
  for (const std::string& text : input.seen) {
    const Result<Point> point = parse_point(text);
    const PointSpace* space = point ? search::find_space(usable.spaces, point->formulation) : nullptr;
    if (space && search::contains(*space, *point)) seen.push_back(*point);
  }
  pool.add(seen);
  for (const PointSpace& space : usable.spaces) {
    const Point first{space.formulation, space.first};
    const bool trial_zero = input.first_trial == 0 && &space == &usable.spaces.front();
    if (proposal.entries.size() >= wanted) break;
    // Trial 0 is measured whatever the static rules say: it is the fallback of every build.
    if (!pool.take(first, proposal) && trial_zero && !input.seen.contains(to_text(first))) {
      proposal.entries.push_back({first, {}, 0});
    }
  }
  // A round of trial 0 alone needs no look at the space; a tiny space is looked at, to say when it is
  // exhausted.
  if (proposal.entries.size() >= wanted && point_count(usable.spaces) > 64) return proposal;
  const bool whole = point_count(usable.spaces) <= input.settings.enumerate_up_to;
  if (whole) {
    enumerate(usable, pool, random);
  } else {
    evolve(usable, static_cast<bool>(predict), pool, random);
  }
  std::vector<int> order = pool.ranked();
  const size_t open = wanted - proposal.entries.size();
  // Without a model the pool is in random order already.
  size_t at_random =
      predict ? static_cast<size_t>(std::llround(static_cast<double>(open) * input.settings.random_share))
              : 0;
  for (size_t i = 0; i < order.size() && proposal.entries.size() + at_random < wanted; ++i)
    pool.take(order[i], proposal);
  order = pool.ranked();
  while (proposal.entries.size() < wanted && !order.empty()) {
    const auto i = random.below(static_cast<int64_t>(order.size()));
    pool.take(order[i], proposal);
    order.erase(order.begin() + i);
  }
  proposal.exhausted = whole ? order.empty() : proposal.entries.empty();
  return proposal;
}

}  // namespace hone
