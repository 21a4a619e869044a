// Applies schedule steps to the loops of a stage, one small checked rewrite at a time, and checks at the end
// that what came out is loops around a register tile.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "codegen/schedule/schedule.h"

namespace hone {
namespace {

using Mark = ScheduledLoop::Mark;
constexpr int64_t kMaxTileCopies = 1024;  // as loop::verify
constexpr int64_t kMaxLanes = 256;

std::string names(const std::vector<ScheduledLoop>& loops) {
  std::string text;
  for (const ScheduledLoop& loop : loops) text += (text.empty() ? "" : " ") + loop.axis;
  return text;
}

/// The rewrites; each returns the reason why it is illegal, as an Error without a place.
struct Rewriter {
  ScheduledStage& scheduled;
  std::set<std::string> used;                             ///< every axis name there ever was
  std::set<std::string> partial;                          ///< axes that come out of a split with a tail
  std::map<std::string, std::set<int64_t>> extents = {};  ///< of each axis: one in every copy that tails make
  std::set<std::string> parallel = {};

  std::vector<ScheduledLoop>& loops() { return scheduled.loops; }

  Result<size_t> find(const std::string& axis) {
    for (size_t i = 0; i < loops().size(); ++i)
      if (loops()[i].axis == axis) return i;
    return fail(fmt::format("there is no loop '{}'", axis), "", "the loops are " + names(loops()));
  }

  Status add_name(const std::string& axis) {
    if (!used.insert(axis).second) return fail(fmt::format("the name '{}' is taken", axis));
    return {};
  }

  Status split(const Step& step) {
    HONE_TRY(size_t at, find(step.axes[0]));
    ScheduledLoop from = loops()[at];
    if (from.mark != Mark::serial || from.unroll != 1 || parallel.count(from.axis))
      return fail(fmt::format("'{}' is marked already", from.axis), "", "split first, mark then");
    if (step.factor < 1) return fail("the factor is not positive");
    int64_t rest = from.extent % step.factor;
    if (rest != 0 && step.tail == Tail::exact)
      return fail(
          fmt::format("{} does not divide the extent {} of '{}'", step.factor, from.extent, from.axis), "",
          "name a tail: peel, shift_in or guard");
    if (rest != 0 && from.reduce)
      return fail(
          fmt::format("'{}' is a reduce axis, and its extent {} leaves a rest", from.axis, from.extent), "",
          "split reduce axes exactly; unroll handles a rest");
    if (step.factor > from.extent && step.tail != Tail::guard)
      return fail(
          fmt::format("the factor {} is above the extent {} of '{}'", step.factor, from.extent, from.axis));
    HONE_RETURN_IF_ERROR(add_name(step.axes[1]));
    HONE_RETURN_IF_ERROR(add_name(step.axes[2]));
    if (divide_extents(step) || partial.count(from.axis)) partial.insert({step.axes[1], step.axes[2]});
    scheduled.splits.push_back({from.axis, step.axes[1], step.axes[2], from.extent, step.factor, step.tail});
    ScheduledLoop outer = from, inner = from;
    outer.axis = step.axes[1], outer.extent = from.extent / step.factor;
    inner.axis = step.axes[2], inner.extent = step.factor;
    loops()[at] = inner;
    loops().insert(loops().begin() + static_cast<std::ptrdiff_t>(at), outer);
    return {};
  }

  /// The extents of a split's axes in all copies; whether any copy has a tail.
  bool divide_extents(const Step& step) {
    bool tail = false;
    for (int64_t extent : extents[step.axes[0]]) {
      int64_t full = extent / step.factor, rest = extent % step.factor;
      tail |= rest != 0;
      if (full > 0) extents[step.axes[1]].insert(full), extents[step.axes[2]].insert(step.factor);
      if (rest != 0 && !(full > 0 && step.tail == Tail::shift_in)) extents[step.axes[2]].insert(rest);
    }
    return tail;
  }

  Status fuse(const Step& step) {
    HONE_TRY(size_t a, find(step.axes[0]));
    HONE_TRY(size_t b, find(step.axes[1]));
    if (b != a + 1) return fail(fmt::format("'{}' is not directly inside '{}'", step.axes[1], step.axes[0]));
    if (loops()[a].reduce != loops()[b].reduce)
      return fail("one axis is spatial and the other a reduce axis");
    for (size_t i : {a, b}) {
      if (partial.count(loops()[i].axis))
        return fail(fmt::format("'{}' comes from a split with a tail", loops()[i].axis));
      if (loops()[i].mark != Mark::serial || loops()[i].unroll != 1 || parallel.count(loops()[i].axis))
        return fail(fmt::format("'{}' is marked already", loops()[i].axis), "", "fuse first, mark then");
    }
    HONE_RETURN_IF_ERROR(add_name(step.axes[2]));
    scheduled.fuses.push_back({step.axes[2], step.axes[0], step.axes[1], loops()[b].extent});
    loops()[a].axis = step.axes[2];
    loops()[a].extent *= loops()[b].extent;
    extents[step.axes[2]] = {loops()[a].extent};
    loops().erase(loops().begin() + static_cast<std::ptrdiff_t>(b));
    return {};
  }

  Status reorder(const Step& step) {
    std::vector<ScheduledLoop> ordered;
    std::set<std::string> seen;
    for (const std::string& axis : step.axes) {
      HONE_TRY(size_t at, find(axis));
      if (!seen.insert(axis).second) return fail(fmt::format("'{}' is named twice", axis));
      ordered.push_back(loops()[at]);
    }
    for (const ScheduledLoop& loop : loops())
      if (!seen.count(loop.axis))
        return fail(fmt::format("'{}' is missing", loop.axis), "", "name every loop");
    loops() = std::move(ordered);
    return {};
  }

  Status unroll(const Step& step) {
    HONE_TRY(size_t at, find(step.axes[0]));
    if (step.factor < 1) return fail("the factor is not positive");
    if (loops()[at].mark != Mark::serial)
      return fail(fmt::format("'{}' is unrolled fully as it is", step.axes[0]));
    if (parallel.count(step.axes[0])) return fail(fmt::format("'{}' is parallel", step.axes[0]));
    loops()[at].unroll = std::min(step.factor, loops()[at].extent);
    return {};
  }

  Status mark(const Step& step, Mark mark) {
    for (const std::string& axis : step.axes) {
      HONE_TRY(size_t at, find(axis));
      if (loops()[at].reduce) return fail(fmt::format("'{}' is a reduce axis", axis));
      if (loops()[at].mark != Mark::serial || loops()[at].unroll != 1 || parallel.count(axis))
        return fail(fmt::format("'{}' is marked already", axis));
      loops()[at].mark = mark;
    }
    return {};
  }

  Status make_parallel(const Step& step) {
    for (const std::string& axis : step.axes) {
      HONE_TRY(size_t at, find(axis));
      if (loops()[at].reduce)
        return fail(fmt::format("'{}' is a reduce axis", axis), "", "threads never divide a reduction");
      if (loops()[at].mark != Mark::serial || loops()[at].unroll != 1)
        return fail(fmt::format("'{}' is marked already", axis));
      if (!parallel.insert(axis).second) return fail(fmt::format("'{}' is parallel already", axis));
    }
    return {};
  }

  Status run(const Step& step) {
    switch (step.kind) {
      case StepKind::split:
        return split(step);
      case StepKind::fuse:
        return fuse(step);
      case StepKind::reorder:
        return reorder(step);
      case StepKind::unroll:
        return unroll(step);
      case StepKind::register_tile:
        return mark(step, Mark::tile);
      case StepKind::vectorize:
        return mark(step, Mark::vector);
      case StepKind::parallel:
        return make_parallel(step);
      case StepKind::compute_at:
        break;
    }
    return fail("compute_at must be the first step of its stage");
  }

  // --- what must hold once all steps are applied ---

  Status check_order() {
    // Ranks of loops from outside to inside; a loop may not lie inside one of a higher rank.
    enum { kParallel, kOuter, kReduce, kTile, kVector };
    static constexpr const char* kRankName[] = {"parallel", "outer", "reduce", "register-tiled", "vector"};
    auto rank = [&](const ScheduledLoop& loop) {
      if (loop.mark == Mark::vector) return kVector;
      if (loop.mark == Mark::tile) return kTile;
      if (loop.reduce) return kReduce;
      return parallel.count(loop.axis) ? kParallel : kOuter;
    };
    int64_t copies = 1;
    for (size_t i = 0; i < loops().size(); ++i) {
      const ScheduledLoop& loop = loops()[i];
      if (loop.mark == Mark::vector && loop.extent > kMaxLanes)
        return fail(
            fmt::format("vector axis '{}' has {} lanes; at most {}", loop.axis, loop.extent, kMaxLanes));
      if (loop.mark == Mark::tile) copies *= loop.extent;
      if (i == 0) continue;
      const ScheduledLoop& outer = loops()[i - 1];
      if (rank(outer) > rank(loop) || (rank(loop) == kVector && rank(outer) == kVector))
        return fail(
            fmt::format("{} axis '{}' lies inside {} axis '{}'", kRankName[rank(loop)], loop.axis,
                        kRankName[rank(outer)], outer.axis),
            "", "from outside to inside: parallel, other spatial, reduce, register_tile, one vector axis");
    }
    if (copies > kMaxTileCopies)
      return fail(fmt::format("the register tile has {} copies; at most {}", copies, kMaxTileCopies));
    return {};
  }

  Status check_tails() {
    for (const SplitRelation& split : scheduled.splits) {
      bool tail = false;
      for (int64_t extent : extents[split.axis]) tail |= extent % split.factor != 0;
      if (!tail) continue;
      std::vector<std::string> outer = loops_of(scheduled, split.outer),
                               inner = loops_of(scheduled, split.inner);
      for (const std::string& o : outer)
        for (const std::string& i : inner)
          if (*find(o) > *find(i))
            return fail(fmt::format("'{}' has a tail inside '{}', but loop '{}' lies outside '{}'",
                                    split.inner, split.outer, i, o),
                        "", "put the inner axis inside, or split exactly");
      if (split.tail != Tail::guard) continue;
      if (inner.size() != 1 || loops()[*find(inner[0])].mark != Mark::vector)
        return fail(fmt::format("the tail of '{}' is guarded, but '{}' is not the vector axis", split.axis,
                                split.inner));
    }
    return {};
  }
};

std::string step_place(const Computation& computation, int stage, const Step& step) {
  return "stage " + computation.stages[stage].name + ", " + to_text(step);
}

/// The tensor of a stage that shall be computed inside another is scratch memory, written by it alone, at
/// plain axes.
Status check_local(const Computation& computation, int stage) {
  const Stage& producer = computation.stages[stage];
  const Tensor& tensor = computation.tensors[producer.output];
  if (tensor.role != Role::scratch)
    return fail(fmt::format("'{}' is an {}", tensor.name, to_text(tensor.role)), "",
                "only scratch tensors can be local");
  for (const Stage& other : computation.stages)
    if (&other != &producer && other.output == producer.output)
      return fail(fmt::format("stage '{}' writes '{}' too", other.name, tensor.name));
  std::set<std::string> seen;
  for (const Index& index : producer.store_index) {
    bool axis = index.constant == 0 && index.terms.size() == 1 && index.terms[0].coefficient == 1 &&
                index.terms[0].atom.kind == Atom::Kind::axis && seen.insert(index.terms[0].atom.axis).second;
    if (!axis && index != Index(0))
      return fail(fmt::format("it stores at {}, which is no plain axis", to_text(index)));
  }
  if (seen.size() != producer.axes.size()) return fail("it has an axis that it does not store at");
  return {};
}

/// Whatever reads the tensor is the consumer, or computed in the same place.
Status check_readers(const Computation& computation, const std::vector<ScheduledStage>& stages,
                     const ScheduledStage& producer) {
  const Stage& own = computation.stages[producer.stage];
  int readers = 0;
  for (const ScheduledStage& reader : stages) {
    const Stage& stage = computation.stages[reader.stage];
    bool reads = false;
    auto visit = [&](const Scalar& s) { reads |= s.op == ScalarOp::read && s.tensor == own.output; };
    for_each_node(stage.value, visit);
    if (stage.reduction) for_each_node(stage.reduction->update, visit);
    if (!reads) continue;
    ++readers;
    bool same_place = reader.compute_at_stage == producer.compute_at_stage &&
                      reader.compute_at_axis == producer.compute_at_axis;
    if (stage.name != producer.compute_at_stage && !same_place)
      return fail(fmt::format("stage '{}' reads '{}', and is not computed there", stage.name,
                              computation.tensors[own.output].name));
  }
  if (readers == 0) return fail(fmt::format("no stage reads '{}'", computation.tensors[own.output].name));
  return {};
}

/// The consumer's loop exists, and is one that holds statements.
Status check_attachment(const std::vector<ScheduledStage>& stages, const Computation& computation,
                        const ScheduledStage& producer) {
  for (const ScheduledStage& consumer : stages) {
    if (computation.stages[consumer.stage].name != producer.compute_at_stage) continue;
    if (!consumer.compute_at_stage.empty())
      return fail(fmt::format("'{}' is computed inside another stage itself", producer.compute_at_stage), "",
                  fmt::format("compute it at {} {}", consumer.compute_at_stage, consumer.compute_at_axis));
    if (consumer.stage <= producer.stage)
      return fail(fmt::format("stage '{}' comes earlier", producer.compute_at_stage));
    for (const ScheduledLoop& loop : consumer.loops) {
      if (loop.axis != producer.compute_at_axis) continue;
      if (loop.reduce || loop.mark != Mark::serial)
        return fail(
            fmt::format("'{}' of stage '{}' is no outer spatial loop", loop.axis, producer.compute_at_stage));
      return {};
    }
    return fail(
        fmt::format("stage '{}' has no loop '{}'", producer.compute_at_stage, producer.compute_at_axis), "",
        "its loops are " + names(consumer.loops));
  }
  return fail(fmt::format("there is no stage '{}'", producer.compute_at_stage));
}

}  // namespace

std::vector<std::string> loops_of(const ScheduledStage& stage, const std::string& axis) {
  std::vector<std::string> loops;
  for (const SplitRelation& split : stage.splits) {
    if (split.axis != axis) continue;
    loops = loops_of(stage, split.outer);
    for (std::string& inner : loops_of(stage, split.inner)) loops.push_back(std::move(inner));
    return loops;
  }
  for (const FuseRelation& fuse : stage.fuses)
    if (fuse.outer == axis || fuse.inner == axis) return loops_of(stage, fuse.fused);
  return {axis};
}

Result<ScheduledStage> apply_steps(const Computation& computation, int stage,
                                   const std::vector<Axis>& spatial_axes, const std::vector<Step>& steps) {
  const Stage& source = computation.stages[stage];
  ScheduledStage scheduled;
  scheduled.stage = stage;
  Rewriter rewriter{scheduled, {}, {}};
  for (const Axis& axis : spatial_axes) scheduled.loops.push_back({axis.name, axis.extent});
  if (source.reduction)
    for (const Axis& axis : source.reduction->axes) scheduled.loops.push_back({axis.name, axis.extent, true});
  for (const ScheduledLoop& loop : scheduled.loops) {
    rewriter.used.insert(loop.axis);
    rewriter.extents[loop.axis] = {loop.extent};
  }

  auto at = [](Error error, const std::string& where) {
    error.where = where;
    return pass(std::move(error));
  };
  for (const Step& step : steps)
    if (Status status = rewriter.run(step); !status)
      return at(status.error(), step_place(computation, stage, step));
  std::string where = "stage " + source.name;
  if (Status status = rewriter.check_order(); !status) return at(status.error(), where);
  if (Status status = rewriter.check_tails(); !status) return at(status.error(), where);
  scheduled.parallel_loops = static_cast<int>(rewriter.parallel.size());
  return scheduled;
}

Result<std::vector<ScheduledStage>> apply(const Computation& computation, const Schedule& schedule) {
  std::vector<const StageSchedule*> steps(computation.stages.size());
  for (const StageSchedule& one : schedule.stages) {
    size_t index = 0;
    while (index < computation.stages.size() && computation.stages[index].name != one.stage) ++index;
    if (one.stage.empty() && computation.stages.size() == 1) index = 0;
    if (index == computation.stages.size())
      return fail(fmt::format("the computation has no stage '{}'", one.stage), "schedule");
    if (steps[index]) return fail(fmt::format("stage '{}' is scheduled twice", one.stage), "schedule");
    steps[index] = &one;
  }
  std::vector<ScheduledStage> result;
  for (size_t i = 0; i < computation.stages.size(); ++i) {
    int stage = static_cast<int>(i);
    std::vector<Step> own = steps[i] ? steps[i]->steps : std::vector<Step>{};
    if (!own.empty() && own[0].kind == StepKind::compute_at) {
      Step at = own[0];
      if (Status status = check_local(computation, stage); !status)
        return fail(status.error().what, step_place(computation, stage, at), status.error().hint);
      ScheduledStage inside;
      inside.stage = stage;
      inside.compute_at_stage = at.target;
      inside.compute_at_axis = at.axes[0];
      inside.steps.assign(own.begin() + 1, own.end());
      result.push_back(std::move(inside));
      continue;
    }
    HONE_TRY(ScheduledStage scheduled, apply_steps(computation, stage, computation.stages[i].axes, own));
    result.push_back(std::move(scheduled));
  }
  for (const ScheduledStage& one : result) {
    if (one.compute_at_stage.empty()) continue;
    Status status = check_attachment(result, computation, one);
    if (status) status = check_readers(computation, result, one);
    if (!status)
      return fail(status.error().what, step_place(computation, one.stage, steps[one.stage]->steps[0]),
                  status.error().hint);
  }
  return result;
}

}  // namespace hone
