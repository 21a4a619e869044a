// Loop nests, by recursion over the loops of a stage: a tail cuts the rest of the nest into copies.
#include "codegen/loop/nest.h"

#include <fmt/format.h>

#include "codegen/loop/region.h"

namespace hone::loop {
namespace {

using Statements = std::vector<Statement>;

Statement statement(Loop loop) {
  Statement s;
  s.loop.push_back(std::move(loop));
  return s;
}
Statement statement(Tile tile) {
  Statement s;
  s.tile.push_back(std::move(tile));
  return s;
}

bool is_outer(const ScheduledLoop& loop) { return !loop.reduce && loop.mark == ScheduledLoop::Mark::serial; }

class Builder {
 public:
  explicit Builder(const NestInput& input) : in_(input) {}

  Result<std::vector<Phase>> phases() {
    Instance instance{in_.computation, in_.root};
    std::vector<Axis> axes = instance.stage().axes;
    if (instance.stage().reduction)
      axes.insert(axes.end(), instance.stage().reduction->axes.begin(),
                  instance.stage().reduction->axes.end());
    Phase phase;
    HONE_RETURN_IF_ERROR(parallel(instance, 0, initial_state(in_.root, axes), phase));
    return std::move(phases_);
  }

 private:
  /// The loops divided among threads; each copy that a tail makes of them is a phase of its own.
  Status parallel(const Instance& instance, size_t position, const AxisState& state, Phase phase) {
    const ScheduledStage& s = instance.scheduled;
    if (position == static_cast<size_t>(s.parallel_loops)) {
      HONE_TRY(phase.body, inside(instance, position, state));
      for (const ScheduledStage* one : in_.attached)
        phase.locals.push_back(in_.computation.stages[one->stage].output);
      phases_.push_back(std::move(phase));
      return {};
    }
    const std::string& axis = s.loops[position].axis;
    if (state.dropped.count(axis) || state.values.count(axis))
      return parallel(instance, position + 1, state, phase);
    if (const SplitRelation* tail = undecided_tail(s, state, axis)) {
      for (const AxisState& copy : cut(s, state, *tail))
        HONE_RETURN_IF_ERROR(parallel(instance, position, copy, phase));
      return {};
    }
    if (int64_t extent = state.extents.at(axis); extent > 1) {
      phase.parallel.push_back({axis, extent});
      phase.extent *= extent;
    }
    return parallel(instance, position + 1, state, phase);
  }

  /// What stands inside the loop before `position`: the stages computed there, then the rest of the nest.
  Result<Statements> inside(const Instance& instance, size_t position, const AxisState& state) {
    std::vector<const ScheduledStage*> here = attached_here(instance, position);
    if (here.empty()) return nest(instance, position, state);
    Instance consumer = instance;
    HONE_TRY(Statements statements, attach(consumer, here, position, state));
    HONE_TRY(Statements rest, nest(consumer, position, state));
    for (Statement& one : rest) statements.push_back(std::move(one));
    return statements;
  }

  Result<Statements> nest(const Instance& instance, size_t position, const AxisState& state) {
    const ScheduledStage& s = instance.scheduled;
    bool outer = position < s.loops.size() && is_outer(s.loops[position]);
    const std::string axis = outer ? s.loops[position].axis : "";
    if (outer && (state.dropped.count(axis) || state.values.count(axis)))
      return inside(instance, position + 1, state);
    if (const SplitRelation* tail = undecided_tail(s, state, axis)) {
      Statements statements;
      for (const AxisState& copy : cut(s, state, *tail)) {
        HONE_TRY(Statements part, nest(instance, position, copy));
        for (Statement& one : part) statements.push_back(std::move(one));
      }
      return statements;
    }
    if (!outer) {
      if (in_.measure_only) return Statements{};
      HONE_TRY(Tile tile, make_tile(instance, state, position, in_.geometries));
      Statements statements;
      statements.push_back(statement(std::move(tile)));
      return statements;
    }
    HONE_TRY(Statements body, inside(instance, position + 1, state));
    int64_t extent = state.extents.at(axis);
    if (extent == 1 || body.empty()) return body;
    Statements statements;
    statements.push_back(statement(
        Loop{instance.prefix + axis, extent, std::min(s.loops[position].unroll, extent), std::move(body)}));
    return statements;
  }

  /// Stages computed inside the loop before `position`; those of a parallel loop: inside the last parallel
  /// one.
  std::vector<const ScheduledStage*> attached_here(const Instance& instance, size_t position) const {
    std::vector<const ScheduledStage*> here;
    if (&instance.scheduled != &in_.root || position == 0) return here;
    for (const ScheduledStage* one : in_.attached) {
      size_t loop = 0;
      while (in_.root.loops[loop].axis != one->compute_at_axis) ++loop;
      if (position == std::max(loop + 1, static_cast<size_t>(in_.root.parallel_loops))) here.push_back(one);
    }
    return here;
  }

  Result<Statements> attach(Instance& consumer, const std::vector<const ScheduledStage*>& here,
                            size_t position, const AxisState& state) {
    std::set<std::string> outer;
    for (size_t i = 0; i < position; ++i) outer.insert(consumer.scheduled.loops[i].axis);
    Scope scope = scope_of(consumer, state);
    std::vector<Reader> readers = {{&consumer.stage(), scope}};
    // Regions from the last stage to the first: what one reads, the ones before it must compute.
    std::vector<Instance> instances;  // last stage first
    for (auto one = here.rbegin(); one != here.rend(); ++one) {
      HONE_TRY(Instance instance, place(**one, readers, outer, consumer.locals));
      for (const std::string& name : outer)
        if (auto range = scope.ranges.find(name); range != scope.ranges.end())
          instance.enclosing.insert(*range);
      HONE_TRY(Reader reader, as_reader(instance, consumer.locals));
      readers.push_back(std::move(reader));
      instances.push_back(std::move(instance));
    }
    Statements statements;
    if (in_.measure_only) return statements;
    for (size_t i = instances.size(); i-- > 0;) {
      Instance& instance = instances[i];
      instance.locals = consumer.locals;
      HONE_TRY(Statements part, nested(instance));
      for (Statement& one : part) statements.push_back(std::move(one));
    }
    return statements;
  }

  /// Finds the region that the readers need of what a stage writes, and where its axes begin.
  Result<Instance> place(const ScheduledStage& scheduled, const std::vector<Reader>& readers,
                         const std::set<std::string>& outer, Regions& locals) {
    Instance instance{in_.computation, scheduled, in_.computation.stages[scheduled.stage].name + "."};
    const Stage& stage = instance.stage();
    HONE_TRY(Region region, region_read(in_.computation, stage.output, readers, outer));
    Shape& largest = in_.regions[stage.output];
    largest.resize(region.extent.size(), 1);
    for (size_t d = 0; d < region.extent.size(); ++d) {
      largest[d] = std::max(largest[d], region.extent[d]);
      if (!stage.store_index[d].is_constant())
        instance.begin[stage.store_index[d].terms[0].atom.axis] = region.origin[d];
    }
    locals[stage.output] = std::move(region);
    return instance;
  }

  /// The axes of an attached stage, with the extents of its region.
  std::vector<Axis> region_axes(const Stage& stage, const Region& region) const {
    std::vector<Axis> axes = stage.axes;
    for (size_t d = 0; d < region.extent.size(); ++d)
      if (!stage.store_index[d].is_constant())
        for (Axis& axis : axes)
          if (axis.name == stage.store_index[d].terms[0].atom.axis) axis.extent = region.extent[d];
    return axes;
  }

  /// The stage as one that reads, before its own schedule is applied: each axis begins at the region's
  /// origin.
  Result<Reader> as_reader(const Instance& instance, const Regions& locals) const {
    const Stage& stage = instance.stage();
    Reader reader{&stage, {}};
    reader.scope.ranges = instance.enclosing;
    std::vector<Axis> axes = region_axes(stage, locals.at(stage.output));
    if (stage.reduction) axes.insert(axes.end(), stage.reduction->axes.begin(), stage.reduction->axes.end());
    for (const Axis& axis : axes) {
      reader.scope.ranges[instance.prefix + axis.name] = {0, axis.extent - 1};
      auto begin = instance.begin.find(axis.name);
      Index value = Index::axis(instance.prefix + axis.name);
      reader.scope.axes[axis.name] = begin == instance.begin.end() ? value : value + begin->second;
      const Axis* whole = nullptr;
      for (const Axis& own : stage.axes)
        if (own.name == axis.name) whole = &own;
      if (!whole) continue;
      Interval reach = range_of(reader.scope.axes[axis.name], ranges_in(reader.scope.ranges));
      if (reach.lo < 0 || reach.hi >= whole->extent)
        return fail(fmt::format("its consumers read '{}' at {} to {} along {}, but it computes 0 to {}",
                                in_.computation.tensors[stage.output].name, reach.lo, reach.hi, axis.name,
                                whole->extent - 1),
                    "stage " + stage.name + ", compute_at",
                    "compute it at the root: there is a halo between the stages");
    }
    return reader;
  }

  Result<Statements> nested(Instance& instance) {
    const Stage& stage = instance.stage();
    const Region& region = instance.locals.at(stage.output);
    std::vector<Axis> axes = region_axes(stage, region);
    bool whole = region.extent == in_.regions.at(stage.output);
    HONE_TRY(ScheduledStage own,
             apply_steps(in_.computation, instance.scheduled.stage, axes,
                         whole ? instance.scheduled.steps : in_tail(axes, instance.scheduled.steps)));
    if (own.parallel_loops > 0)
      return fail("a stage that is computed inside another has no parallel axes", "stage " + stage.name);
    if (stage.reduction) axes.insert(axes.end(), stage.reduction->axes.begin(), stage.reduction->axes.end());
    Instance scheduled{instance.computation, own, instance.prefix, instance.begin, instance.enclosing,
                       instance.locals};
    return nest(scheduled, 0, initial_state(own, axes));
  }

  /// The steps for a smaller region, in a consumer's tail: splits that were exact peel, and too large factors
  /// shrink.
  static std::vector<Step> in_tail(const std::vector<Axis>& axes, std::vector<Step> steps) {
    std::map<std::string, int64_t> extents;
    for (const Axis& axis : axes) extents[axis.name] = axis.extent;
    for (Step& step : steps) {
      if (step.kind != StepKind::split) continue;
      auto extent = extents.find(step.axes[0]);
      if (extent == extents.end()) continue;
      if (step.tail != Tail::guard) step.factor = std::min(step.factor, extent->second);
      if (step.tail == Tail::exact && extent->second % step.factor != 0) step.tail = Tail::peel;
      extents[step.axes[1]] = extent->second / step.factor;
      extents[step.axes[2]] = step.factor;
    }
    return steps;
  }

  const NestInput& in_;
  std::vector<Phase> phases_;
};

}  // namespace

Result<std::vector<Phase>> make_phases(const NestInput& input) { return Builder(input).phases(); }

}  // namespace hone::loop
