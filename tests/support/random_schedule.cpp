// Proposes steps at random and keeps those that are legal: the rules stay in one place, in `apply`.
#include "tests/support/random_schedule.h"

#include <algorithm>

namespace hone::test {
namespace {

struct Proposer {
  const Computation& computation;
  int stage;
  const Choose& choose;
  std::vector<Step> steps = {};

  /// The loops after the steps so far; `accept` keeps these legal.
  Result<ScheduledStage> applied(const std::vector<Step>& all) const {
    return apply_steps(computation, stage, computation.stages[stage].axes, all);
  }
  std::vector<ScheduledLoop> loops() const { return applied(steps)->loops; }

  bool accept(const std::vector<Step>& more) {
    std::vector<Step> all = steps;
    all.insert(all.end(), more.begin(), more.end());
    if (!applied(all)) return false;
    steps = std::move(all);
    return true;
  }

  Step step(StepKind kind, std::vector<std::string> axes, int64_t factor = 0, Tail tail = Tail::exact) const {
    Step s{};
    s.kind = kind, s.axes = std::move(axes), s.factor = factor, s.tail = tail;
    return s;
  }

  template <class T>
  const T& pick(const std::vector<T>& from) const {
    return from[choose(static_cast<int64_t>(from.size()))];
  }

  void split_and_fuse() {
    for (int64_t i = choose(6); i > 0; --i) {
      std::vector<ScheduledLoop> now = loops();
      const ScheduledLoop& loop = pick(now);
      std::string suffix = std::to_string(steps.size());
      if (choose(5) == 0) {
        size_t at = choose(static_cast<int64_t>(now.size()));
        if (at + 1 < now.size())
          accept({step(StepKind::fuse, {now[at].axis, now[at + 1].axis, "f" + suffix})});
        continue;
      }
      Tail tail = pick<Tail>({Tail::exact, Tail::peel, Tail::peel, Tail::shift_in});
      if (loop.reduce) tail = Tail::exact;
      accept({step(StepKind::split, {loop.axis, loop.axis + ".o" + suffix, loop.axis + ".i" + suffix},
                   1 + choose(loop.extent), tail)});
    }
  }

  /// Chooses which loops are the tile and the vector, then an order in which they are innermost.
  void order_and_mark(int64_t max_lanes) {
    std::vector<std::string> spatial, reduce;
    std::string guarded;
    for (const ScheduledLoop& loop : loops()) (loop.reduce ? reduce : spatial).push_back(loop.axis);
    for (int attempt = 0; attempt < 8; ++attempt) {
      shuffle(spatial);
      shuffle(reduce);
      size_t tile = choose(static_cast<int64_t>(spatial.size()) + 1),
             vector = choose(3) > 0 && tile < spatial.size() ? 1 : 0;
      size_t outer = spatial.size() - std::min(spatial.size(), tile / 2 + vector);
      std::vector<std::string> order(spatial.begin(), spatial.begin() + outer);
      order.insert(order.end(), reduce.begin(), reduce.end());
      order.insert(order.end(), spatial.begin() + outer, spatial.end());
      std::vector<Step> more = {step(StepKind::reorder, order)};
      std::vector<std::string> inner(spatial.begin() + outer, spatial.end());
      if (vector == 1 && extent_of(inner.back()) <= max_lanes) {
        more.push_back(step(StepKind::vectorize, {inner.back()}));
        inner.pop_back();
      }
      if (!inner.empty()) more.push_back(step(StepKind::register_tile, inner));
      if (int64_t parallel = choose(static_cast<int64_t>(outer) + 1); parallel > 0)
        more.push_back(step(StepKind::parallel, {order.begin(), order.begin() + parallel}));
      if (accept(more)) return;
    }
  }

  /// The vector axis split off last, with a guarded tail.
  void guard(int64_t max_lanes) {
    std::vector<ScheduledLoop> now = loops();
    const ScheduledLoop& last = now.back();
    if (last.reduce || last.mark != ScheduledLoop::Mark::serial || choose(2) == 0) return;
    accept({step(StepKind::split, {last.axis, last.axis + ".go", last.axis + ".gi"}, 1 + choose(max_lanes),
                 Tail::guard),
            step(StepKind::vectorize, {last.axis + ".gi"})});
  }

  void unroll() {
    for (int64_t i = choose(3); i > 0; --i)
      accept({step(StepKind::unroll, {pick(loops()).axis}, 2 + choose(4))});
  }

  int64_t extent_of(const std::string& axis) const {
    for (const ScheduledLoop& loop : loops())
      if (loop.axis == axis) return loop.extent;
    return 0;
  }

  void shuffle(std::vector<std::string>& names) const {
    for (size_t i = names.size(); i > 1; --i) std::swap(names[i - 1], names[choose(static_cast<int64_t>(i))]);
  }
};

}  // namespace

StageSchedule random_steps(const Computation& computation, int stage, int64_t max_lanes,
                           const Choose& choose) {
  Proposer proposer{computation, stage, choose};
  proposer.split_and_fuse();
  if (choose(4) == 0) {
    proposer.guard(max_lanes);
  } else {
    proposer.order_and_mark(max_lanes);
    proposer.guard(max_lanes);
  }
  proposer.unroll();
  return {computation.stages[stage].name, proposer.steps};
}

Schedule random_schedule(const Computation& computation, int64_t max_lanes, const Choose& choose) {
  Schedule schedule;
  for (size_t i = 0; i < computation.stages.size(); ++i)
    schedule.stages.push_back(random_steps(computation, static_cast<int>(i), max_lanes, choose));
  return schedule;
}

/// A random schedule of the last stage, and the stages before it computed in one of its loops (if it has
/// any).
Schedule random_inside(const Computation& computation, int64_t max_lanes, const Choose& choose) {
  int last = static_cast<int>(computation.stages.size()) - 1;
  StageSchedule consumer = random_steps(computation, last, max_lanes, choose);
  ScheduledStage applied = *apply_steps(computation, last, computation.stages[last].axes, consumer.steps);
  std::vector<std::string> outer;
  for (const ScheduledLoop& loop : applied.loops)
    if (!loop.reduce && loop.mark == ScheduledLoop::Mark::serial) outer.push_back(loop.axis);
  Schedule schedule;
  if (!outer.empty()) {
    Step at{};
    at.kind = StepKind::compute_at;
    at.axes = {outer[choose(static_cast<int64_t>(outer.size()))]};
    at.target = computation.stages[last].name;
    for (int i = 0; i < last; ++i) schedule.stages.push_back({computation.stages[i].name, {at}});
  }
  schedule.stages.push_back(consumer);
  return schedule;
}

bool computes_twice(const Schedule& schedule) {
  for (const StageSchedule& stage : schedule.stages)
    for (const Step& step : stage.steps)
      if (step.tail == Tail::shift_in) return true;
  return false;
}

}  // namespace hone::test
