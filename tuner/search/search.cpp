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
      members_.push_back({{point, std::move(described->features), 0}, input_.seen.contains(text), false, 0});
    }
    if (!predict_ || rows.empty()) return;
    const Scores scores = predict_(rows);
    HONE_CHECK(scores.mean.size() == rows.size() &&
               (scores.spread.empty() || scores.spread.size() == rows.size()));
    for (size_t i = 0; i < rows.size(); ++i) {
      Member& member = members_[begin + i];
      member.entry.predicted = std::isfinite(scores.mean[i]) ? scores.mean[i] : -1e30f;
      member.spread = scores.spread.empty() || !std::isfinite(scores.spread[i]) ? 0 : scores.spread[i];
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

  /// Members that may be proposed, best score + optimism x spread first (ties and no model: as found).
  std::vector<int> ranked(float optimism = 0) const {
    std::vector<int> order = all_ranked(optimism);
    std::erase_if(order, [&](int i) { return members_[i].seen || members_[i].taken; });
    return order;
  }
  /// Those of `points` that may be proposed, best score first.
  std::vector<int> ranked(const std::vector<Point>& points) {
    add(points);
    std::set<int> wanted;
    for (const Point& point : points) wanted.insert(known_.at(to_text(point)));
    std::vector<int> order = ranked();
    std::erase_if(order, [&](int i) { return !wanted.contains(i); });
    return order;
  }
  /// All members, best score first: parents of the next generation.
  std::vector<int> all_ranked(float optimism = 0) const {
    std::vector<int> order(members_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::stable_sort(order, std::greater<>(), [&](int i) {
      return members_[i].entry.predicted + optimism * members_[i].spread;
    });
    return order;
  }
  const Point& point(int i) const { return members_[i].entry.point; }
  size_t size() const { return members_.size(); }

 private:
  struct Member {
    Proposal::Entry entry;
    bool seen, taken;
    float spread;
  };
  const SearchInput& input_;
  const Describe& describe_;
  const Predict& predict_;
  std::vector<Member> members_;
  std::map<std::string, int> known_;  ///< text to member, -1: refused
  std::set<Digest> programs_;         ///< of members
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

/// Hints as points of the spaces, nearest first.
std::vector<Point> fitted_hints(const SearchInput& input) {
  std::vector<Point> points;
  for (const Point& hint : input.hints) {
    const PointSpace* space = search::find_space(input.spaces, hint.formulation);
    if (space) points.push_back(search::fitted(*space, hint));
  }
  return points;
}

void evolve(const SearchInput& input, bool has_model, Pool& pool, Random& random) {
  const SearchSettings& settings = input.settings;
  std::vector<Point> measured;
  for (const Point& point : input.top) {
    const PointSpace* space = search::find_space(input.spaces, point.formulation);
    if (space && search::contains(*space, point)) measured.push_back(point);
  }
  for (const PointSpace& space : input.spaces) measured.push_back({space.formulation, space.first});
  for (Point& hint : fitted_hints(input)) measured.push_back(std::move(hint));
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

/// Unseen points one step away from the best measured, best score first: where a model that has seen little
/// is worth most, and where it cannot lead astray.
std::vector<int> near_best(const SearchInput& input, Pool& pool) {
  std::vector<Point> points;
  const size_t parents = std::min(input.top.size(), static_cast<size_t>(input.settings.local_parents));
  for (size_t i = 0; i < parents; ++i) {
    const PointSpace* space = search::find_space(input.spaces, input.top[i].formulation);
    if (space == nullptr || !search::contains(*space, input.top[i])) continue;
    for (Point& point : search::neighbours(*space, input.top[i])) points.push_back(std::move(point));
  }
  return pool.ranked(points);
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
  const size_t most_hints =
      proposal.entries.size() +
      static_cast<size_t>(std::ceil(static_cast<double>(wanted) * input.settings.hint_share));
  for (const Point& hint : fitted_hints(usable)) {
    if (proposal.entries.size() >= std::min(wanted, most_hints)) break;
    pool.take(hint, proposal);
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
  std::vector<int> order;
  const size_t open = wanted - proposal.entries.size();
  // A share of a small round is a part of a point: now and then a whole one. Without a model the pool is in
  // random order already.
  const auto share_of = [&](double share) {
    return predict ? static_cast<size_t>(static_cast<double>(open) * share + random.unit()) : 0;
  };
  const size_t at_random = std::min(open, share_of(usable.settings.random_share));
  const size_t optimists = std::min(open - at_random, share_of(usable.settings.optimist_share));
  const size_t local = std::min(open - at_random - optimists, share_of(usable.settings.local_share));
  const auto take_first = [&](const std::vector<int>& of, size_t leave) {
    for (size_t i = 0; i < of.size() && proposal.entries.size() + leave < wanted; ++i)
      pool.take(of[i], proposal);
  };
  take_first(pool.ranked(), at_random + optimists + local);
  if (local > 0) take_first(near_best(usable, pool), at_random + optimists);
  take_first(pool.ranked(usable.settings.optimism), at_random);
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
