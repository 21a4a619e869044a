// Decides extents of split and fused axes from the root down, one copy of the nest at a time.
#include "codegen/loop/axes.h"

#include <algorithm>

namespace hone::loop {
namespace {

bool decided(const AxisState& state, const std::string& axis) {
  return state.extents.count(axis) || state.values.count(axis) || state.dropped.count(axis);
}

/// Decides whatever follows without a choice; relations refer to each other in any order, so until nothing
/// changes.
void propagate(const ScheduledStage& scheduled, AxisState& state) {
  for (bool changed = true; changed;) {
    changed = false;
    for (const SplitRelation& split : scheduled.splits) {
      if (decided(state, split.inner)) continue;
      if (state.values.count(split.axis) || state.dropped.count(split.axis)) {
        state.dropped.insert({split.outer, split.inner});
        changed = true;
      } else if (auto extent = state.extents.find(split.axis);
                 extent != state.extents.end() && extent->second % split.factor == 0) {
        state.extents[split.outer] = extent->second / split.factor;
        state.extents[split.inner] = split.factor;
        changed = true;
      }
    }
    for (const FuseRelation& fuse : scheduled.fuses) {
      if (decided(state, fuse.fused) || !decided(state, fuse.outer) || !decided(state, fuse.inner)) continue;
      state.extents[fuse.fused] = state.extents.at(fuse.outer) * state.extents.at(fuse.inner);
      changed = true;
    }
  }
}

}  // namespace

AxisState initial_state(const ScheduledStage& scheduled, const std::vector<Axis>& root_axes) {
  AxisState state;
  for (const Axis& axis : root_axes) state.extents[axis.name] = axis.extent;
  propagate(scheduled, state);
  return state;
}

const SplitRelation* undecided_tail(const ScheduledStage& scheduled, const AxisState& state,
                                    const std::string& loop) {
  for (const SplitRelation& split : scheduled.splits) {
    if (decided(state, split.inner) || !state.extents.count(split.axis)) continue;
    if (loop.empty()) return &split;
    std::vector<std::string> loops = loops_of(scheduled, split.outer);
    if (std::find(loops.begin(), loops.end(), loop) != loops.end()) return &split;
  }
  return nullptr;
}

std::vector<AxisState> cut(const ScheduledStage& scheduled, const AxisState& state,
                           const SplitRelation& split) {
  std::vector<AxisState> copies;
  int64_t extent = state.extents.at(split.axis), full = extent / split.factor, rest = extent % split.factor;
  if (full > 0) {
    copies.push_back(state);
    copies.back().extents[split.outer] = full;
    copies.back().extents[split.inner] = split.factor;
  }
  AxisState tail = state;
  tail.values[split.outer] = full;
  tail.extents[split.inner] = rest;
  if (split.tail == Tail::guard) tail.lanes[split.inner] = split.factor;
  if (split.tail == Tail::shift_in && full > 0) {
    tail.starts[split.axis] = extent - split.factor;
    tail.extents[split.inner] = split.factor;
  }
  copies.push_back(std::move(tail));
  for (AxisState& copy : copies) propagate(scheduled, copy);
  return copies;
}

AxisValues::AxisValues(const ScheduledStage& scheduled, const AxisState& state, std::string prefix)
    : scheduled_(scheduled), state_(state), prefix_(std::move(prefix)) {
  for (const auto& [axis, extent] : state.extents) ranges_[prefix_ + axis] = {0, extent - 1};
}

Index AxisValues::variable(const std::string& axis) const {
  return state_.extents.at(axis) == 1 ? Index(0) : Index::axis(prefix_ + axis);
}

Index AxisValues::value(const std::string& axis) const {
  if (auto constant = state_.values.find(axis); constant != state_.values.end()) return constant->second;
  for (const SplitRelation& split : scheduled_.splits) {
    if (split.axis != axis) continue;
    if (!decided(state_, split.inner)) return variable(axis);
    if (auto start = state_.starts.find(axis); start != state_.starts.end())
      return value(split.inner) + start->second;
    return value(split.outer) * split.factor + value(split.inner);
  }
  for (const FuseRelation& fuse : scheduled_.fuses) {
    if (fuse.outer != axis && fuse.inner != axis) continue;
    if (!decided(state_, fuse.fused)) return variable(axis);
    AxisRanges ranges = ranges_in(ranges_);
    Index fused = value(fuse.fused);
    return fuse.outer == axis ? floor_div(fused, fuse.inner_extent, ranges)
                              : modulo(fused, fuse.inner_extent, ranges);
  }
  return variable(axis);
}

AxisRanges ranges_in(const std::map<std::string, Interval>& ranges) {
  return [&ranges](const std::string& name) {
    auto found = ranges.find(name);
    HONE_CHECK(found != ranges.end());
    return found->second;
  };
}

}  // namespace hone::loop
