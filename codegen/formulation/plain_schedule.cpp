// Schedules from the layout of the output alone, see plain_schedule.h.
#include "codegen/formulation/plain_schedule.h"

#include <algorithm>
#include <bit>

#include "codegen/formulation/blocks.h"

namespace hone {
namespace steps {

Step split(std::string from, int64_t factor, std::string outer, std::string inner, Tail tail) {
  return {StepKind::split, {std::move(from), std::move(outer), std::move(inner)}, factor, tail, {}};
}
Step fuse(std::string a, std::string b, std::string fused) {
  return {StepKind::fuse, {std::move(a), std::move(b), std::move(fused)}, 0, Tail::exact, {}};
}
Step reorder(std::vector<std::string> axes) {
  return {StepKind::reorder, std::move(axes), 0, Tail::exact, {}};
}
Step unroll(std::string axis, int64_t copies) {
  return {StepKind::unroll, {std::move(axis)}, copies, Tail::exact, {}};
}
Step tile(std::vector<std::string> axes) {
  return {StepKind::register_tile, std::move(axes), 0, Tail::exact, {}};
}
Step vectorize(std::string axis) { return {StepKind::vectorize, {std::move(axis)}, 0, Tail::exact, {}}; }
Step parallel(std::vector<std::string> axes) {
  return {StepKind::parallel, std::move(axes), 0, Tail::exact, {}};
}

}  // namespace steps

int64_t vector_width(int64_t extent, int64_t lanes) {
  return std::min<int64_t>(
      lanes, static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(extent, 1)))));
}

namespace {

/// The axis along which the output is contiguous, with how many elements in a row; empty if the store is not
/// linear there.
struct Contiguous {
  std::string axis;
  int64_t block = 0;  ///< 0: as far as the axis goes
};

Contiguous contiguous_axis(const Computation& computation, const Stage& stage) {
  const Tensor& output = computation.tensors[stage.output];
  if (output.type.shape.empty()) return {};
  const bool blocked = !output.layout.blocks.empty();
  const int dimension = blocked ? output.layout.blocks.back().dimension : output.layout.order.back();
  const Index& index = stage.store_index[dimension];
  std::string found;
  for (const auto& term : index.terms) {
    if (term.atom.kind != Atom::Kind::axis) return {};
    if (term.coefficient == 1) found = term.atom.axis;
  }
  if (found.empty()) return {};
  int64_t block = blocked ? output.layout.blocks.back().size : 0;
  if (blocked) {
    // A lane must not cross a block: everything else in the index has to be a multiple of the vector.
    int64_t aligned = index.constant;
    for (const auto& term : index.terms)
      if (term.atom.axis != found) aligned |= term.coefficient;
    while (aligned % block != 0) block /= 2;
  }
  return {found, block};
}

/// Whether an access walks axes `a` and `b` (extent `inner` of b) as one: neighbouring dimensions without a
/// gap, or neither.
bool walks_as_one(const Tensor& tensor, const std::vector<Index>& index, const std::string& a,
                  const std::string& b, int64_t inner) {
  int at_a = -1, at_b = -1;
  for (size_t d = 0; d < index.size(); ++d) {
    const auto mentions = [&](const std::string& axis) {
      const Stride stride = stride_of(index[d], axis);
      return stride.value != 0 || !stride.linear;
    };
    if (mentions(a)) {
      if (at_a >= 0 || index[d] != Index::axis(a)) return false;
      at_a = static_cast<int>(d);
    } else if (mentions(b)) {
      if (at_b >= 0 || index[d] != Index::axis(b)) return false;
      at_b = static_cast<int>(d);
    }
  }
  if (at_a < 0 && at_b < 0) return true;
  if (at_a < 0 || at_b < 0 || tensor.type.shape[static_cast<size_t>(at_b)] != inner) return false;
  int64_t stride_a = 0, stride_b = 0;
  for (const PhysicalDim& dim : geometry(tensor.type.shape, tensor.layout, tensor.placement).dims) {
    if (dim.dimension != at_a && dim.dimension != at_b) continue;
    if (dim.divisor != 1 || dim.modulus != 0) return false;
    (dim.dimension == at_a ? stride_a : stride_b) = dim.stride;
  }
  return stride_a == inner * stride_b;
}

bool fusible(const Computation& computation, const Stage& stage, const Axis& a, const Axis& b) {
  bool fusible = walks_as_one(computation.tensors[static_cast<size_t>(stage.output)], stage.store_index,
                              a.name, b.name, b.extent);
  const auto check = [&](const Scalar& s) {
    if (s.op == ScalarOp::from_index)
      for (const Axis& axis : {a, b})
        fusible =
            fusible && stride_of(s.index[0], axis.name).value == 0 && stride_of(s.index[0], axis.name).linear;
    if (s.op == ScalarOp::read)
      fusible = fusible && walks_as_one(computation.tensors[static_cast<size_t>(s.tensor)], s.index, a.name,
                                        b.name, b.extent);
  };
  for_each_node(stage.value, check);
  if (stage.reduction) for_each_node(stage.reduction->update, check);
  return fusible;
}

/// The stage's axes after fusing what lies in one piece with the innermost, contiguous one, as far as that
/// goes.
std::vector<Axis> fused_axes(const Computation& computation, const Stage& stage, Contiguous& contiguous,
                             std::vector<Step>& schedule) {
  std::vector<Axis> axes = stage.axes;
  if (axes.size() < 2 || contiguous.block != 0 || axes.back().name != contiguous.axis) return axes;
  // One pair is enough for images, and keeps every other axis for threads.
  const Axis a = axes[axes.size() - 2], b = axes.back();
  if (a.extent == 1 || b.extent == 1 || !fusible(computation, stage, a, b)) return axes;
  contiguous.axis = a.name + b.name;
  schedule.push_back(steps::fuse(a.name, b.name, contiguous.axis));
  axes.pop_back();
  axes.back() = {contiguous.axis, a.extent * b.extent};
  return axes;
}

/// Axes that no read depends on, but the contiguous one, from the innermost on while their product is at most
/// `most`; in the stage's order.
std::vector<std::string> unread_axes(const Stage& stage, const std::vector<Axis>& axes,
                                     const std::string& contiguous, int64_t most) {
  std::vector<std::string> unread;
  if (stage.reduction) return unread;
  int64_t copies = 1;
  for (auto axis = axes.rbegin(); axis != axes.rend(); ++axis) {
    bool is_read = axis->name == contiguous;
    for_each_node(stage.value, [&](const Scalar& s) {
      if (s.op != ScalarOp::read) return;
      for (const Index& index : s.index) {
        const Stride stride = stride_of(index, axis->name);
        is_read = is_read || stride.value != 0 || !stride.linear;
      }
    });
    if (is_read || copies * axis->extent > most) continue;
    copies *= axis->extent;
    unread.insert(unread.begin(), axis->name);
  }
  return copies > 1 ? unread : std::vector<std::string>();
}

}  // namespace

StageSchedule plain_stage_schedule(const Computation& computation, const Stage& stage, const Target& target,
                                   const PlainOptions& options) {
  StageSchedule schedule{stage.name, {}};
  const int64_t lanes = target.lanes(size_of(computation.arithmetic));
  Contiguous contiguous = contiguous_axis(computation, stage);
  const std::vector<Axis> axes = fused_axes(computation, stage, contiguous, schedule.steps);
  const std::vector<std::string> copies = unread_axes(stage, axes, contiguous.axis, options.most_copies);
  std::vector<std::string> outer;
  std::string vector;
  int64_t exact_vectors = 0;  // along the vector axis, if it has no tail
  for (const Axis& axis : axes) {
    if (std::ranges::find(copies, axis.name) != copies.end()) continue;
    if (axis.name != contiguous.axis || axis.extent == 1) {
      outer.push_back(axis.name);
      continue;
    }
    const int64_t limit = contiguous.block ? std::min(contiguous.block, lanes) : lanes;
    const int64_t width = vector_width(axis.extent, limit);
    if (width == 1) {
      outer.push_back(axis.name);
      continue;
    }
    const std::string o = axis.name + ".o";
    vector = axis.name + ".v";
    schedule.steps.push_back(
        steps::split(axis.name, width, o, vector, axis.extent % width == 0 ? Tail::exact : Tail::guard));
    outer.push_back(o);
    if (axis.extent % width == 0) exact_vectors = axis.extent / width;
  }
  std::vector<std::string> reduce;
  std::string tiled;
  if (stage.reduction) {
    for (const Axis& axis : stage.reduction->axes) reduce.push_back(axis.name);
    // The innermost axis beside the vector that is long enough, else the longest: neighbours share cache
    // lines.
    const Axis* chosen = nullptr;
    for (const Axis& axis : axes)
      if (axis.name != contiguous.axis && axis.extent > 1 &&
          (!chosen || axis.extent >= 4 || axis.extent > chosen->extent))
        chosen = &axis;
    if (chosen && options.tile > 1) {
      const int64_t tile = std::min(options.tile, chosen->extent);
      const std::string o = chosen->name + ".o";
      tiled = chosen->name + ".t";
      schedule.steps.push_back(
          steps::split(chosen->name, tile, o, tiled, chosen->extent % tile == 0 ? Tail::exact : Tail::peel));
      *std::find(outer.begin(), outer.end(), chosen->name) = o;
    } else if (exact_vectors > 1 && options.tile > 1) {
      // Without a tail if possible: what has one cannot be divided among threads.
      int64_t tile = std::min<int64_t>(4, exact_vectors);
      for (const int64_t exact : {4, 3, 2})
        if (exact_vectors % exact == 0) {
          tile = exact;
          break;
        }
      const std::string from = contiguous.axis + ".o";
      tiled = contiguous.axis + ".t";
      schedule.steps.push_back(steps::split(from, tile, contiguous.axis + ".b", tiled,
                                            exact_vectors % tile == 0 ? Tail::exact : Tail::peel));
      *std::find(outer.begin(), outer.end(), from) = contiguous.axis + ".b";
    }
  }
  // Reads that stride over a channel block take the same cache lines for every channel of it: those go
  // innermost.
  std::string inside;
  if (options.inner_block > 1 && !stage.reduction) {
    for (const Axis& axis : axes) {
      if (axis.name != options.inner_axis || axis.name == contiguous.axis ||
          axis.extent < options.inner_block)
        continue;
      inside = axis.name + ".v";
      schedule.steps.push_back(
          steps::split(axis.name, options.inner_block, axis.name + ".b", inside,
                       axis.extent % options.inner_block == 0 ? Tail::exact : Tail::peel));
      *std::find(outer.begin(), outer.end(), axis.name) = axis.name + ".b";
    }
  }
  std::vector<std::string> all = outer;
  if (!inside.empty()) all.push_back(inside);
  all.insert(all.end(), reduce.begin(), reduce.end());
  if (!tiled.empty()) all.push_back(tiled);
  all.insert(all.end(), copies.begin(), copies.end());
  if (!vector.empty()) all.push_back(vector);
  if (all.size() > 1) schedule.steps.push_back(steps::reorder(all));
  if (!tiled.empty()) schedule.steps.push_back(steps::tile({tiled}));
  if (!copies.empty()) schedule.steps.push_back(steps::tile(copies));
  if (!vector.empty()) schedule.steps.push_back(steps::vectorize(vector));
  // What threads divide: whole axes, and outer axes of splits without a tail (a tail would be a phase of its
  // own).
  std::vector<std::string> divided;
  for (const std::string& name : outer) {
    const bool whole = std::any_of(axes.begin(), axes.end(), [&](const Axis& a) { return a.name == name; });
    const bool exact = std::any_of(schedule.steps.begin(), schedule.steps.end(), [&](const Step& step) {
      return step.kind == StepKind::split && step.axes[1] == name && step.tail == Tail::exact;
    });
    if (!(whole || exact) || divided.size() == 3) break;
    divided.push_back(name);
  }
  if (!divided.empty()) schedule.steps.push_back(steps::parallel(divided));
  return schedule;
}

Schedule plain_schedule(const Computation& computation, const Target& target, const PlainOptions& options) {
  Schedule schedule;
  for (const Stage& stage : computation.stages)
    schedule.stages.push_back(plain_stage_schedule(computation, stage, target, options));
  return schedule;
}

}  // namespace hone
